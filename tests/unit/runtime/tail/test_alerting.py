"""First sights at once, repeats once a window."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from minting import NOW, jws
from msgspec.structs import replace
from tailing import cursor, leak, name

from jwtleak.alerts.alert import Alert
from jwtleak.alerts.builder import AlertContext, Builder
from jwtleak.alerts.wire import Selection, WireAlert, to_wire
from jwtleak.assess.policy import Allow, Policy
from jwtleak.core.channel import Channels
from jwtleak.core.engine import Engine
from jwtleak.follow.interface import Opened
from jwtleak.patterns import load_channels
from jwtleak.runtime.tail import alerting as module
from jwtleak.runtime.tail.alerting import AlertEmitter, Rollup
from jwtleak.runtime.tail.readers import TailStream
from jwtleak.store import Commit, OutboxEntry, Store
from jwtleak.types import Severity, StreamInfo

T = NOW * 1000
ENGINE = Engine(Channels(()))


class Even:
    """The even clock; `see` and `due` of these tests set it."""

    ms = T


def rolling(store: Store, window: int = 60_000, capacity: int = 100) -> Rollup:
    """A roll-up by that clock."""
    return Rollup(store, window, lambda: Even.ms, capacity)


def see(
    rollup: Rollup, stream: str, name: str, one: WireAlert, now_ms: int, **more: bool
) -> OutboxEntry | None:
    """A sighting at a time."""
    Even.ms = now_ms
    return rollup.see(stream, name, one, now_ms, **more)


def due(rollup: Rollup, now_ms: int) -> list[OutboxEntry]:
    """What is due at a time."""
    Even.ms = now_ms
    return list(rollup.due())


def record(number: int, offset: int, severity: Severity = "medium") -> tuple[str, WireAlert]:
    """A sighting of one token: its name and its record."""
    ENGINE.open(offset=offset, head=b"h" * 1024)
    (found,) = ENGINE.feed(f"{jws({'n': number})} \n".encode())
    alert = Builder(StreamInfo("file", "/logs/a"), AlertContext(NOW, None, b"k")).build(
        found, ENGINE.occurrence(found)
    )
    return alert.id, to_wire(replace(alert, severity=severity))


def alert(entry: OutboxEntry) -> Alert:
    """What the entry holds."""
    return msgspec.json.decode(entry.body, type=Alert)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store."""
    with Store.open(tmp_path / "state") as one:
        yield one


def stored(rollup: Rollup, store: Store) -> None:
    """A commit."""
    store.commit(Commit(sightings=rollup.changed(), at_ms=T))
    rollup.settled()


def test_the_first_sight_is_told(store: Store) -> None:
    """One entry for each token and stream."""
    rollup = rolling(store)
    alerts = [
        see(rollup, stream, *record(number, 10), T) for stream in ("a", "b") for number in (1, 2)
    ]
    assert [one and one.event for one in alerts] == ["leak"] * 4


@pytest.mark.parametrize("crash", [False, True])
def test_repeats_are_summed_up(store: Store, crash: bool) -> None:
    """Repeats are counted and reported once at the end of the window that the first of them opened,
    with the id of the newest and the times of the first and the last; also by a process that did
    not see them.
    """
    rollup = rolling(store)
    assert see(rollup, "a", *record(1, 10), T)
    for step in range(1, 4):
        assert see(rollup, "a", *record(1, 10 + step * 1000), T + step * 10_000) is None
        stored(rollup, store)
    assert rollup.suppressed == 3
    if crash:
        rollup = rolling(store)
    assert due(rollup, T + 69_999) == []
    (entry,) = due(rollup, T + 70_000)
    reported = alert(entry)
    assert entry.id == reported.id == record(1, 3010)[0]
    assert (
        reported.event,
        reported.sightings.count,
        reported.sightings.first_offset,
        reported.sightings.last_offset,
    ) == ("repeat", 3, 1010, 3010)
    assert (reported.first_seen, reported.last_seen) == (
        "2026-01-15T12:00:10.000Z",
        "2026-01-15T12:00:30.000Z",
    )
    assert due(rollup, T + 70_000) == []
    stored(rollup, store)
    assert due(rollup, T + 1_000_000) == []


def test_one_repeat_a_window(store: Store) -> None:
    """A token that is written all the time has one entry a window."""
    rollup = rolling(store)
    reported = 0
    for second in range(300):
        reported += see(rollup, "a", *record(1, 10 + second * 1000), T + second * 1000) is not None
        stored(rollup, store)
        reported += len(due(rollup, T + second * 1000))
    assert reported == 5


def test_a_higher_severity_is_told_at_once(store: Store) -> None:
    """What is worse than was reported is not summed up; what is as bad as that is, from then on."""
    rollup = rolling(store)
    assert see(rollup, "a", *record(1, 10, "low"), T)
    assert see(rollup, "a", *record(1, 1010, "low"), T) is None
    entry = see(rollup, "a", *record(1, 2010, "high"), T)
    assert entry is not None
    assert (entry.event, entry.severity) == ("leak", "high")
    assert see(rollup, "a", *record(1, 3010, "high"), T) is None
    stored(rollup, store)
    assert see(rolling(store), "a", *record(1, 4010, "critical"), T) is not None


def test_what_was_counted_is_not_counted_again(store: Store) -> None:
    """A sighting at or before the newest is known, also to a new process."""
    rollup = rolling(store)
    see(rollup, "a", *record(1, 10), T)
    see(rollup, "a", *record(1, 1010), T)
    stored(rollup, store)
    again = rolling(store)
    assert [see(again, "a", *record(1, place), T) for place in (10, 1010)] == [None, None]
    assert store.sightings()[0].total == 2


def test_always(store: Store) -> None:
    """An alert that replaces another is reported though its token is known."""
    rollup = rolling(store)
    see(rollup, "a", *record(1, 1010), T)
    assert see(rollup, "a", *record(1, 10), T, always=True) is not None


def test_without_a_window_each_sighting_is_told(store: Store) -> None:
    """A window of nothing sums up nothing."""
    rollup = rolling(store, 0)
    assert all(see(rollup, "a", *record(1, 10 + 1000 * step), T) for step in range(3))
    assert rollup.suppressed == 0


@pytest.mark.parametrize("crash", [False, True])
def test_the_end_of_a_stream_sums_up(store: Store, crash: bool) -> None:
    """What still waits is reported when its stream is over, whether it was stored or not."""
    rollup = rolling(store)
    see(rollup, "a", *record(1, 10), T)
    see(rollup, "a", *record(1, 1010), T)
    see(rollup, "b", *record(1, 10), T)
    if crash:
        stored(rollup, store)
        rollup = rolling(store)
    (entry,) = rollup.end("a")
    assert (entry.event, alert(entry).sightings.count) == ("repeat", 1)
    assert {one.stream for one in rollup.changed()} <= {"b"}


def test_alerts_that_were_given_early(store: Store) -> None:
    """Those at or behind the offset at which a cursor stayed, by their places."""
    rollup = rolling(store)
    for number, place in ((1, 10), (2, 1010)):
        see(rollup, "a", *record(number, place), T)
    stored(rollup, store)
    assert rolling(store).early("a", 500) == {1010: record(2, 1010)[0]}


def test_memory_is_bounded(store: Store) -> None:
    """What does not fit is asked of the store."""
    rollup = rolling(store, capacity=3)
    for number in range(10):
        see(rollup, "a", *record(number, 10 + number), T)
        stored(rollup, store)
    assert len(rollup._tokens) == 3
    assert see(rollup, "a", *record(0, 5000), T) is None


def test_a_clock_that_is_set_back(store: Store) -> None:
    """The window ends by the even clock; the alert shows the times of the other."""
    rollup = rolling(store)
    see(rollup, "a", *record(1, 10), T)
    rollup.see("a", *record(1, 1010), T - 3_600_000)
    stored(rollup, store)
    (entry,) = due(rollup, T + 60_000)
    assert alert(entry).last_seen == "2026-01-15T11:00:00.000Z"


class EmitterSetup:
    """An emitter over an empty store; `tell` gives what an engine finds in `data`."""

    def __init__(self, store: Store, selection: Selection | None = None) -> None:
        rollup = Rollup(store, 60_000, lambda: 0)
        self.policy = Policy()
        self.emitter = AlertEmitter(
            self.setting, selection or Selection(), rollup, lambda: float(NOW)
        )
        self.engine = Engine(Channels(load_channels()))
        self.stream = TailStream(Opened("a", "/logs/a", cursor("a"), 0))

    def setting(self, now: float) -> AlertContext:
        """What alerts say beyond the finding."""
        return AlertContext(now, "web-01", b"k", policy=self.policy)

    def emit(self, data: bytes, *, early: bool = False) -> list[OutboxEntry]:
        """Letters for what is found in `data`."""
        self.engine.open()
        found = self.engine.feed(data)
        found += self.engine.close(tentative=early)
        return list(self.emitter.emit(self.stream, self.engine.occurrence, found, early=early))


def test_an_alert_with_time_and_place(tmp_path: Path) -> None:
    """The entry holds the alert, with the time of the clock, the host and the stream's path."""
    with Store.open(tmp_path) as store:
        (entry,) = EmitterSetup(store).emit(leak(1))
    alert = json.loads(entry.body)
    assert (entry.fingerprint, entry.event, entry.id) == (name(1), "leak", alert["id"])
    assert alert["detected_at"] == "2026-01-15T12:00:00.000Z"
    assert (alert["location"]["host"], alert["location"]["path"]) == ("web-01", "/logs/a")


def test_early_alerts_are_not_told_again(tmp_path: Path) -> None:
    """What was reported early is reported once, and remembered until the offset has passed it."""
    data = leak(1)[: leak(1).index(b" HTTP")]
    with Store.open(tmp_path) as store:
        setup = EmitterSetup(store)
        assert len(setup.emit(data, early=True)) == 1
        assert list(setup.stream.early) == [42]
        assert setup.emit(data + b" HTTP/1.1\n") == []
        setup.stream.offset = 43
        setup.emit(b"")
        assert setup.stream.early == {}


def test_what_grew_replaces(tmp_path: Path) -> None:
    """A longer token at the same place names the alert that it replaces, each time."""
    line = leak(1)
    stop = line.index(b" HTTP")
    with Store.open(tmp_path) as store:
        setup = EmitterSetup(store)
        alerts = [setup.emit(line[: stop - cut], early=True)[0] for cut in (20, 10, 0)]
    replaced = [json.loads(one.body).get("supersedes") for one in alerts]
    assert replaced == [None, alerts[0].id, alerts[1].id]


def test_what_is_not_wanted_is_not_told(tmp_path: Path) -> None:
    """The selection decides, before anything is counted."""
    with Store.open(tmp_path) as store:
        setup = EmitterSetup(store, Selection(min_confidence="high"))
        assert setup.emit(leak(1)[: leak(1).index(b" HTTP") - 20], early=True) == []
        assert setup.stream.early == {}
        assert len(setup.emit(leak(1))) == 1


def test_the_policy_keeps_back(tmp_path: Path) -> None:
    """What is accepted is counted and not reported, and not remembered as reported either."""
    with Store.open(tmp_path) as store:
        setup = EmitterSetup(store)
        setup.policy = Policy(allow=(Allow(reason="known", path="/logs/*"),))
        assert setup.emit(leak(1)) == []
        assert setup.emitter.kept_back == 1
        setup.policy = Policy()
        assert len(setup.emit(leak(1))) == 1


def test_makers_of_alerts_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each stream, as many as there is room for; a stream that moved has another one."""
    monkeypatch.setattr(module, "BUILDERS", 2)
    with Store.open(tmp_path) as store:
        setup = EmitterSetup(store)
        for number, path in enumerate(("/logs/a", "/logs/a", "/logs/b", "/logs/c")):
            setup.stream.path = path
            (entry,) = setup.emit(leak(number))
            assert json.loads(entry.body)["location"]["path"] == path
        assert len(setup.emitter._builders) == 2
