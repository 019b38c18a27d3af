"""Letters in hand: read once, settled once."""

from __future__ import annotations

import pytest
from sending import Box, Scripted, alert

from jwtleak.alerts.alert import to_json
from jwtleak.errors import StoreFull
from jwtleak.runtime.delivery.messages import opener
from jwtleak.runtime.delivery.retry import RetryState, decide
from jwtleak.runtime.delivery.sender import InFlight
from jwtleak.sinks.interface import AGAIN, TAKEN, BatchLimits, Outcome, Report, failed
from jwtleak.sinks.settings import SinkSettings

_LIMITS = BatchLimits(10, 1 << 20)


def hand(box: Box, limits: BatchLimits = _LIMITS, when: str = 'severity != "info"') -> InFlight:
    """A hand for a sink that wants everything but what is mere information."""
    return InFlight(box, opener(SinkSettings(url="stdout", when=when), Scripted()), limits)


def box(count: int, **change: object) -> Box:
    """A mailbox with alerts 0 to count-1."""
    made = Box(lambda: 50_000)
    made.put(to_json(alert(number, **change)) for number in range(count))
    return made


def test_a_batch_is_bounded_in_number_and_size() -> None:
    """A message that is larger than a batch goes alone."""
    size = len(to_json(alert(0)))
    mine = hand(box(10), BatchLimits(4, size * 2 + size // 2))
    mine.fill()
    assert [len(mine.batch(9)), len(mine.batch(1))] == [2, 1]
    small = hand(box(10), BatchLimits(4, 10))
    small.fill()
    assert len(small.batch(9)) == 1


def test_what_is_taken_or_refused_leaves_and_the_rest_keeps_its_place() -> None:
    """The mailbox is told of each; attempts of what remains are counted."""
    letters = box(3)
    mine = hand(letters)
    mine.fill()
    first = mine.batch(3)
    mine.settle(first, decide(RetryState(), failed(3, "busy", "503"), 0))
    mine.settle(
        first, decide(RetryState(), Report((TAKEN, Outcome("refused", "bad", 400), AGAIN)), 0)
    )
    assert letters.buried == {2: ("bad", 400, 2)}
    assert [one.seq for one in mine.batch(3)] == [3]
    assert list(letters.letters) == [3]


def test_the_unwanted_and_the_unreadable_are_settled_when_read() -> None:
    """Neither is ever sent: one is struck off, the other put aside."""
    letters = box(2, severity="info")
    letters.put([b"{}"])
    assert hand(letters).fill() == (True, 1)
    assert letters.letters == {}
    assert letters.buried == {3: ("not an alert of this version", None, 0)}


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
        mine = hand(box(count), limits)
        mine.fill()
        assert mine.lingers(now) is lingers


def test_the_last_in_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A letter that was taken is in hand until it is struck off: nobody may count it as dropped
    meanwhile.
    """
    letters = box(3)
    mine = hand(letters)
    assert mine.last == 0
    mine.fill()
    assert mine.last == 3
    seen: list[int] = []
    monkeypatch.setattr(letters, "ack", lambda _: seen.append(mine.last))
    mine.settle(mine.batch(3), decide(RetryState(), Report((TAKEN, TAKEN, TAKEN)), 0))
    assert (seen, mine.last) == ([3], 0)
    mine.fill()
    mine.drop()
    assert mine.last == 0


def test_what_cannot_be_struck_off_is_owed(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk a letter that was taken is not sent again; it is struck off as soon as that
    works.
    """
    letters = box(1)
    mine = hand(letters)
    mine.fill()
    with monkeypatch.context() as broken:
        broken.setattr(letters, "ack", lambda _: (_ for _ in ()).throw(StoreFull("disk full")))
        with pytest.raises(StoreFull):
            mine.settle(mine.batch(1), decide(RetryState(), Report((TAKEN,)), 0))
        with pytest.raises(StoreFull):
            mine.pay()
    assert mine.batch(1) == []
    assert not mine.empty
    mine.pay()
    assert letters.letters == {}
    assert mine.empty
