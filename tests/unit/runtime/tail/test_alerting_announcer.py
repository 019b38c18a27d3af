"""From findings to letters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from minting import NOW
from tailing import cursor, leak, name

from jwtleak.alerts.builder import AlertContext
from jwtleak.alerts.wire import Selection
from jwtleak.assess.policy import Allow, Policy
from jwtleak.core.channel import Channels
from jwtleak.core.engine import Engine
from jwtleak.follow.interface import Opened
from jwtleak.patterns import load_channels
from jwtleak.runtime.tail import alerting as module
from jwtleak.runtime.tail.alerting import AlertEmitter, Rollup
from jwtleak.runtime.tail.readers import TailStream
from jwtleak.store import OutboxEntry, Store


class Setup:
    """An announcer over an empty store; `tell` gives what an engine finds in `data`."""

    def __init__(self, store: Store, selection: Selection | None = None) -> None:
        rollup = Rollup(store, 60_000, lambda: 0)
        self.policy = Policy()
        self.announcer = AlertEmitter(
            self.alert_context, selection or Selection(), rollup, lambda: float(NOW)
        )
        self.engine = Engine(Channels(load_channels()))
        self.stream = TailStream(Opened("a", "/logs/a", cursor("a"), 0))

    def alert_context(self, now: float) -> AlertContext:
        """What alerts say beyond the finding."""
        return AlertContext(now, "web-01", b"k", policy=self.policy)

    def tell(self, data: bytes, *, early: bool = False) -> list[OutboxEntry]:
        """Letters for what is found in `data`."""
        self.engine.open()
        found = self.engine.feed(data)
        found += self.engine.early() if early else self.engine.close()
        return list(self.announcer.tell(self.stream, self.engine, found, early=early))


def test_an_alert_with_time_and_place(tmp_path: Path) -> None:
    """The letter holds the alert, with the time of the clock, the host and the stream's path."""
    with Store.open(tmp_path) as store:
        (letter,) = Setup(store).tell(leak(1))
    alert = json.loads(letter.body)
    assert (letter.fingerprint, letter.event, letter.id) == (name(1), "leak", alert["id"])
    assert alert["detected_at"] == "2026-01-15T12:00:00.000Z"
    assert (alert["location"]["host"], alert["location"]["path"]) == ("web-01", "/logs/a")


def test_early_alerts_are_not_told_again(tmp_path: Path) -> None:
    """What was told early is told once, and remembered until the offset has passed it."""
    data = leak(1)[: leak(1).index(b" HTTP")]
    with Store.open(tmp_path) as store:
        setup = Setup(store)
        assert len(setup.tell(data, early=True)) == 1
        assert list(setup.stream.early) == [42]
        assert setup.tell(data + b" HTTP/1.1\n") == []
        setup.stream.offset = 43
        setup.tell(b"")
        assert setup.stream.early == {}


def test_what_grew_replaces(tmp_path: Path) -> None:
    """A longer token at the same place names the alert that it replaces, each time."""
    line = leak(1)
    stop = line.index(b" HTTP")
    with Store.open(tmp_path) as store:
        setup = Setup(store)
        letters = [setup.tell(line[: stop - cut], early=True)[0] for cut in (20, 10, 0)]
    replaced = [json.loads(one.body).get("supersedes") for one in letters]
    assert replaced == [None, letters[0].id, letters[1].id]


def test_what_is_not_wanted_is_not_told(tmp_path: Path) -> None:
    """The selection decides, before anything is counted."""
    with Store.open(tmp_path) as store:
        setup = Setup(store, Selection(min_confidence="high"))
        assert setup.tell(leak(1)[: leak(1).index(b" HTTP") - 20], early=True) == []
        assert setup.stream.early == {}
        assert len(setup.tell(leak(1))) == 1


def test_the_policy_keeps_back(tmp_path: Path) -> None:
    """What is accepted is counted and not told, and not remembered as told either."""
    with Store.open(tmp_path) as store:
        setup = Setup(store)
        setup.policy = Policy(allow=(Allow(reason="known", path="/logs/*"),))
        assert setup.tell(leak(1)) == []
        assert setup.announcer.kept_back == 1
        setup.policy = Policy()
        assert len(setup.tell(leak(1))) == 1


def test_makers_of_alerts_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each stream, as many as there is room for; a stream that moved has another one."""
    monkeypatch.setattr(module, "BUILDERS", 2)
    with Store.open(tmp_path) as store:
        setup = Setup(store)
        for number, path in enumerate(("/logs/a", "/logs/a", "/logs/b", "/logs/c")):
            setup.stream.path = path
            (letter,) = setup.tell(leak(number))
            assert json.loads(letter.body)["location"]["path"] == path
        assert len(setup.announcer._builders) == 2
