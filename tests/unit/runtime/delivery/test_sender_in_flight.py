"""The batch in flight: read once, settled once."""

from __future__ import annotations

import pytest
from sending import MemoryQueue, ScriptedSink, alert

from jwtleak.alerts.alert import to_json
from jwtleak.errors import StoreFull
from jwtleak.runtime.delivery.messages import rules_of
from jwtleak.runtime.delivery.retry import RetryState, decide
from jwtleak.runtime.delivery.sender import InFlight
from jwtleak.sinks.interface import ACCEPTED, AGAIN, BatchLimits, Outcome, Report, failed
from jwtleak.sinks.settings import SinkSettings

_LIMITS = BatchLimits(10, 1 << 20)


def in_flight(
    queue: MemoryQueue, limits: BatchLimits = _LIMITS, when: str = 'severity != "info"'
) -> InFlight:
    """In flight to a sink that wants everything but what is mere information."""
    return InFlight(queue, rules_of(SinkSettings(url="stdout", when=when), ScriptedSink()), limits)


def queue(count: int, **change: object) -> MemoryQueue:
    """A queue with alerts 0 to count-1."""
    made = MemoryQueue(lambda: 50_000)
    made.put(to_json(alert(number, **change)) for number in range(count))
    return made


def test_a_batch_is_bounded_in_number_and_size() -> None:
    """A message that is larger than a batch goes alone."""
    size = len(to_json(alert(0)))
    mine = in_flight(queue(10), BatchLimits(4, size * 2 + size // 2))
    mine.fill()
    assert [len(mine.batch(9)), len(mine.batch(1))] == [2, 1]
    small = in_flight(queue(10), BatchLimits(4, 10))
    small.fill()
    assert len(small.batch(9)) == 1


def test_what_is_accepted_or_refused_leaves_and_the_rest_keeps_its_place() -> None:
    """Each reaches the queue; attempts of what remains are counted."""
    entries = queue(3)
    mine = in_flight(entries)
    mine.fill()
    first = mine.batch(3)
    mine.settle(first, decide(RetryState(), failed(3, "busy", "503"), 0))
    mine.settle(
        first, decide(RetryState(), Report((ACCEPTED, Outcome("refused", "bad", 400), AGAIN)), 0)
    )
    assert entries.dead_letters == {2: ("bad", 400, 2)}
    assert [one.seq for one in mine.batch(3)] == [3]
    assert list(entries.alerts) == [3]


def test_the_unwanted_and_the_unreadable_are_settled_when_read() -> None:
    """Neither is ever sent: one is acknowledged, the other a dead letter."""
    entries = queue(2, severity="info")
    entries.put([b"{}"])
    assert in_flight(entries).fill() == (True, 1)
    assert entries.alerts == {}
    assert entries.dead_letters == {3: ("not an alert of this version", None, 0)}


def test_a_small_young_batch_lingers() -> None:
    """It waits until it is full, half a batch in bytes, or old enough; a clock that went back does
    not make it wait.
    """
    for limits, count, now, lingers in [
        (BatchLimits(5, 1 << 20, 2.0), 3, 50_500, True),
        (BatchLimits(5, 1 << 20, 2.0), 5, 50_500, False),
        (BatchLimits(5, 1500, 2.0), 3, 50_500, False),
        (BatchLimits(5, 1 << 20, 2.0), 3, 52_000, False),
        (BatchLimits(5, 1 << 20, 2.0), 3, 49_000, False),
        (BatchLimits(5, 1 << 20), 3, 50_500, False),
    ]:
        mine = in_flight(queue(count), limits)
        mine.fill()
        assert mine.lingers(lambda now=now: now) is lingers


def test_the_last_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """An accepted alert is in flight until it is acknowledged: nobody may count it as dropped
    meanwhile.
    """
    entries = queue(3)
    mine = in_flight(entries)
    assert mine.last == 0
    mine.fill()
    assert mine.last == 3
    seen: list[int] = []
    monkeypatch.setattr(entries, "ack", lambda _: seen.append(mine.last))
    mine.settle(mine.batch(3), decide(RetryState(), Report((ACCEPTED, ACCEPTED, ACCEPTED)), 0))
    assert (seen, mine.last) == ([3], 0)
    mine.fill()
    mine.release()
    assert mine.last == 0


def test_what_cannot_be_acknowledged_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk an accepted alert is not sent again, and is acknowledged when that works."""
    entries = queue(1)
    mine = in_flight(entries)
    mine.fill()
    with monkeypatch.context() as broken:
        broken.setattr(entries, "ack", lambda _: (_ for _ in ()).throw(StoreFull("disk full")))
        with pytest.raises(StoreFull):
            mine.settle(mine.batch(1), decide(RetryState(), Report((ACCEPTED,)), 0))
        with pytest.raises(StoreFull):
            mine.acknowledge()
    assert mine.batch(1) == []
    assert not mine.empty
    mine.acknowledge()
    assert entries.alerts == {}
    assert mine.empty
