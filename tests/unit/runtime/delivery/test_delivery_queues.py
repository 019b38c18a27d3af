"""Bounds of single sinks, over a real store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sending import ManualClock, ScriptedSink, alert

from jwtleak.alerts.alert import to_json
from jwtleak.errors import StoreFull, UsageError
from jwtleak.runtime.delivery.delivery import QueueBounds, check
from jwtleak.runtime.delivery.messages import rules_of
from jwtleak.runtime.delivery.sender import Sender
from jwtleak.sinks.interface import Message, Report, all_accepted, failed
from jwtleak.sinks.settings import SinkSettings
from jwtleak.store import Commit, OutboxEntry, Store

SIZE = len(to_json(alert(999_999)))  # every alert here has that size
ROOM = (1 << 16) // SIZE  # alerts in the smallest queue


class Receiver(ScriptedSink):
    """Accepts everything while it is up."""

    def __init__(self) -> None:
        super().__init__()
        self.up = True
        self.accepted: list[str] = []

    def send(self, messages: Sequence[Message]) -> Report:
        if not self.up:
            return failed(len(messages), "busy", "connection refused")
        self.accepted += [one.id for one in messages]
        return super().send(messages)


class Bench:
    """Senders over one store, stepped together, and the bounds of their queues."""

    def __init__(self, directory: Path, **sinks: dict[str, Any]) -> None:
        self.store = Store.open(directory)
        self.clock = ManualClock()
        self.said: list[str] = []
        self.dropped: Counter[str] = Counter()
        self.receivers = {name: Receiver() for name in sinks}
        self.store.register(list(sinks))
        self.senders = [
            self._sender(SinkSettings(url="stdout", name=name, **more))
            for name, more in sinks.items()
        ]
        self.bounds = QueueBounds(self.store, self.senders, self.dropped, self.said.append)
        self.sent: list[str] = []

    def _sender(self, one: SinkSettings) -> Sender:
        sink = self.receivers[one.title]
        return Sender(
            one,
            sink,
            rules_of(one, sink),
            lambda: self.store.queue(one.title),
            lambda _: None,
            self.clock,
        )

    def commit(self, count: int) -> None:
        """That many new alerts, each as large as any other."""
        made = [alert(len(self.sent) + number) for number in range(count)]
        made = [
            OutboxEntry(
                id=one.id,
                fingerprint="0" * 64,
                severity="high",
                event="leak",
                body=to_json(one).ljust(SIZE),
            )
            for one in made
        ]
        self.store.commit(Commit(alerts=made, at_ms=1))
        self.sent += [one.id for one in made]

    def step(self, seconds: float = 0.25) -> None:
        """Every sender does one thing."""
        for sender in self.senders:
            sender.step()
        self.clock.now += seconds

    def drain(self) -> None:
        """Everything that waits is accepted; far more time than the longest wait."""
        for _ in range(2000):
            self.step(1.0)
            if not self.store.queue_bytes():
                return
        raise AssertionError("never done")

    def close(self) -> None:
        """Close everything."""
        for sender in self.senders:
            sender.close()
        self.store.close()


DROPS: dict[str, Any] = {"queue": 1 << 16, "when_full": "drop-oldest"}
WAITS: dict[str, Any] = {"queue": 1 << 16}


def test_the_one_that_is_down_keeps_the_newest(tmp_path: Path) -> None:
    """The other gets everything; nothing has to wait; what was dropped is counted once, in memory
    and in the store.
    """
    bench = Bench(tmp_path, down=DROPS, up={})
    bench.receivers["down"].up = False
    for _ in range(30):
        bench.commit(10)
        bench.step()
        assert bench.bounds.full() is None
    assert bench.receivers["up"].accepted == bench.sent
    bench.receivers["down"].up = True
    bench.drain()
    bench.close()
    assert bench.receivers["down"].accepted == bench.sent[-ROOM:]
    assert bench.dropped == {"down": 300 - ROOM}
    assert bench.said == ["sink down: its queue is full: its oldest alerts are dropped"]


def test_a_sink_that_is_waited_for_loses_nothing(tmp_path: Path) -> None:
    """It is named while its queue is full, however much the other accepts, and no longer when there
    is room.
    """
    bench = Bench(tmp_path, down=WAITS, up={})
    bench.receivers["down"].up = False
    while bench.bounds.full() is None:
        bench.commit(1)
        bench.step()
        assert len(bench.sent) < 100
    assert (len(bench.sent), bench.bounds.full()) == (ROOM + 1, "down")
    bench.receivers["down"].up = True
    bench.drain()
    assert bench.bounds.full() is None
    bench.close()
    assert bench.receivers["down"].accepted == bench.receivers["up"].accepted == bench.sent
    assert (bench.dropped, bench.said) == ({}, [])


def test_what_is_on_its_way_is_not_dropped(tmp_path: Path) -> None:
    """The receiver answers slowly, and meanwhile its queue runs over: what it accepts is not also
    counted as lost.
    """
    bench = Bench(tmp_path, slow=DROPS)

    def meanwhile(messages: Sequence[Message]) -> Report:
        bench.commit(2 * ROOM)
        assert bench.bounds.full() is None
        return all_accepted(len(messages))

    bench.commit(5)
    bench.receivers["slow"].answers = [meanwhile]
    bench.step()
    bench.drain()
    bench.close()
    first, rest = bench.sent[:5], bench.sent[5:]
    assert bench.receivers["slow"].accepted == first + rest[-(ROOM - 5) :]
    assert bench.dropped == {"slow": len(bench.sent) - ROOM}


def test_it_is_said_again_after_it_had_room(tmp_path: Path) -> None:
    """Once for each time, not for each alert: half of the queue must have been free in between."""
    bench = Bench(tmp_path, a=DROPS)
    bench.receivers["a"].up = False
    for _ in range(2):
        for _ in range(3):
            bench.commit(2 * ROOM)
            assert bench.bounds.full() is None
        bench.receivers["a"].up = True
        bench.drain()
        assert bench.bounds.full() is None
        bench.receivers["a"].up = False
    bench.close()
    assert len(bench.said) == 2


def test_a_full_disk_is_no_reason_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be dropped now is dropped later."""
    bench = Bench(tmp_path, a=DROPS)
    bench.commit(2 * ROOM)
    with monkeypatch.context() as broken:
        broken.setattr(
            bench.store, "trim", lambda *_: (_ for _ in ()).throw(StoreFull("disk full"))
        )
        assert bench.bounds.full() is None
    assert bench.dropped == {}
    assert bench.bounds.full() is None
    assert bench.dropped == {"a": ROOM}
    bench.close()


def test_without_bounds_nothing_is_asked(tmp_path: Path) -> None:
    """The usual case costs nothing."""
    bench = Bench(tmp_path, a={})
    bench.close()
    assert bench.bounds.full() is None  # the store is closed


def test_bounds_that_would_never_be_reached(tmp_path: Path) -> None:
    """Queues that drop must fit into the spool together, or reading would wait for a sink that is
    not to be waited for.
    """
    sinks = [SinkSettings(url="stdout", name=name, **DROPS) for name in "ab"] + [
        SinkSettings(url="stdout", queue=1 << 30)
    ]
    check(sinks, (2 << 16) + 1)
    with pytest.raises(
        UsageError,
        match="the queues of a, b hold 131072 bytes together: that must be less than the spool",
    ):
        check(sinks, 2 << 16)


def test_a_slow_sink_keeps_the_newest(tmp_path: Path) -> None:
    """It accepts five alerts a second of the twenty that come: of what waits at the end nothing is
    old.
    """
    bench = Bench(tmp_path, slow={**DROPS, "rate": 5})
    for _ in range(ROOM):
        bench.commit(20)
        bench.step(1.0)
        assert bench.bounds.full() is None
    before = len(bench.receivers["slow"].accepted)
    bench.drain()
    bench.close()
    assert before > 2 * ROOM
    assert bench.receivers["slow"].accepted[before:] == bench.sent[-ROOM:]


def test_half_of_a_queue_at_once(tmp_path: Path) -> None:
    """While a batch hangs, the newest have the other half."""
    bench = Bench(tmp_path, slow=DROPS)
    bench.commit(ROOM)

    def meanwhile(messages: Sequence[Message]) -> Report:
        bench.commit(ROOM)
        assert bench.bounds.full() is None
        return all_accepted(len(messages))

    bench.receivers["slow"].answers = [meanwhile]
    bench.step()
    bench.drain()
    bench.close()
    assert (
        bench.receivers["slow"].accepted
        == bench.sent[: ROOM // 2] + bench.sent[-(ROOM - ROOM // 2) :]
    )


ACTS = st.lists(
    st.one_of(
        st.integers(1, 80),
        st.sampled_from(["step", "bounds", "drops:up", "drops:down", "waits:up", "waits:down"]),
    ),
    max_size=40,
)


@pytest.mark.parametrize("examples", [12, pytest.param(400, marks=pytest.mark.slow)])
def test_whatever_happens_nothing_is_lost_uncounted(tmp_path: Path, examples: int) -> None:
    """Three sinks, two with bounds, up and down at any time; reading heeds the bounds. In the end
    two have everything in order, and the third the newest that its queue holds; what it does not
    have was counted.
    """
    numbers = count()

    @given(ACTS)
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    def act(acts: list[int | str]) -> None:
        _check(tmp_path / str(next(numbers)), acts)

    act()


def _check(directory: Path, acts: list[int | str]) -> None:
    bench = Bench(directory, drops=DROPS, waits=WAITS, free={})
    for act in acts:
        if isinstance(act, int):
            if bench.bounds.full() is None:
                assert bench.store.queue_bytes().get("drops", 0) <= 1 << 16
                bench.commit(act)
        elif act == "step":
            bench.step()
        elif act == "bounds":
            bench.bounds.full()
        else:
            name, _, state = act.partition(":")
            bench.receivers[name].up = state == "up"
    for receiver in bench.receivers.values():
        receiver.up = True
    bench.bounds.full()
    waiting = bench.store.queue_bytes().get("drops", 0) // SIZE
    assert waiting <= ROOM
    before = len(bench.receivers["drops"].accepted)
    bench.drain()
    counted = bench.store.dropped()
    bench.close()
    accepted = bench.receivers["drops"].accepted
    lost = len(bench.sent) - len(accepted)
    assert bench.receivers["waits"].accepted == bench.receivers["free"].accepted == bench.sent
    assert accepted[before:] == bench.sent[len(bench.sent) - waiting :]
    assert accepted == [one for one in bench.sent if one in set(accepted)]
    assert counted == bench.dropped == ({"drops": lost} if lost else {})
