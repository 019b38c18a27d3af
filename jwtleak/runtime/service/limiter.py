"""A limit of bytes a second: a token bucket that lets a reader go into debt and says how long the
debt lasts.

Promises: nothing is dropped; over any period the rate holds, except for one burst and one read. The
clock is an argument.
"""

from __future__ import annotations

from collections.abc import Callable

# Seconds of the rate that may be read at once after a silence: enough for whole lines even at a
# small rate.
BURST_SECONDS = 1.0


class Limiter:
    """`rate` in bytes a second, None for no limit; `clock` in seconds that only grow."""

    def __init__(self, rate: float | None, clock: Callable[[], float]) -> None:
        if rate is not None and rate <= 0:
            raise ValueError("a rate is more than 0")
        self._rate = rate
        self._clock = clock
        self._room = 0.0 if rate is None else rate * BURST_SECONDS
        self._at = clock()

    @property
    def limited(self) -> bool:
        """Whether there is a limit."""
        return self._rate is not None

    def wait(self) -> float:
        """Seconds until more may be read; 0 when it may be read now."""
        if self._rate is None:
            return 0.0
        self._fill(self._rate)
        return max(0.0, -self._room / self._rate)

    def spend(self, count: int) -> None:
        """Report that `count` bytes were read. They may exceed the room: the next wait is longer
        then.
        """
        if self._rate is not None:
            # Bytes are counted after the read: how many there are is known only then.
            self._fill(self._rate)
            self._room -= count

    def _fill(self, rate: float) -> None:
        now = self._clock()
        # A clock that was set back adds nothing and removes nothing.
        self._room = min(rate * BURST_SECONDS, self._room + max(0.0, now - self._at) * rate)
        self._at = now
