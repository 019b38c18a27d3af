"""The backpressure before reading."""

from __future__ import annotations

from tailing import Clock

from jwtleak.errors import StoreFull
from jwtleak.runtime.tail.backpressure import EVERY, Backpressure
from jwtleak.types import WhenFull


class Spool:
    """So many bytes wait."""

    def __init__(self) -> None:
        self.bytes = 0
        self.asked = 0
        self.broken = False
        self.sink: str | None = None  # the one whose queue is full

    def spool_bytes(self) -> int:
        """The size."""
        self.asked += 1
        return self.bytes

    def drop_oldest(self, cap: int) -> dict[str, int]:
        """Down to `cap`."""
        if self.broken:
            raise StoreFull("no space left on device")
        dropped, self.bytes = self.bytes - cap, cap
        return {"stdout": dropped}


def backpressure(
    spool: Spool, clock: Clock, when_full: WhenFull = "wait"
) -> tuple[Backpressure, list[dict[str, int]]]:
    """A backpressure at 100 bytes, and what it says it dropped."""
    dropped: list[dict[str, int]] = []
    return Backpressure(
        spool, 100, when_full, lambda: clock.steady, dropped.append, lambda: spool.sink
    ), dropped


def test_shut_while_full() -> None:
    """It shuts when the spool is full and opens when there is room."""
    spool, clock = Spool(), Clock()
    one, _ = backpressure(spool, clock)
    reported = []
    for size in (0, 99, 100, 150, 99):
        spool.bytes = size
        reported.append(one.active())
        clock.pass_(EVERY)
    assert reported == [False, False, True, True, False]
    assert one.bytes == 99


def test_it_does_not_ask_all_the_time() -> None:
    """Between two questions the last answer counts."""
    spool, clock = Spool(), Clock()
    one, _ = backpressure(spool, clock)
    assert [one.active() for _ in range(5)] == [False] * 5
    assert spool.asked == 1


def test_dropping_by_choice() -> None:
    """With drop-oldest it never shuts, and says what it dropped."""
    spool, clock = Spool(), Clock()
    one, dropped = backpressure(spool, clock, "drop-oldest")
    spool.bytes = 120
    assert one.active() is False
    assert (dropped, spool.bytes) == ([{"stdout": 70}], 50)


def test_a_full_disk_on_which_nothing_can_be_dropped() -> None:
    """The loop goes on, and reading waits until something could be dropped."""
    spool, clock = Spool(), Clock()
    one, dropped = backpressure(spool, clock, "drop-oldest")
    spool.bytes, spool.broken = 120, True
    assert one.active() is True
    assert dropped == []
    spool.broken = False
    clock.pass_(EVERY)
    assert one.active() is False
    assert dropped == [{"stdout": 70}]


def test_shut_for_one_sink() -> None:
    """Also while there is room in the spool, and whatever is to be done when that is full."""
    for when_full in ("wait", "drop-oldest"):
        spool, clock = Spool(), Clock()
        one, _ = backpressure(spool, clock, when_full)
        spool.sink = "siem"
        assert (one.active(), one.full, one.sink) == (True, False, "siem")
        spool.sink = None
        clock.pass_(EVERY)
        assert one.active() is False
