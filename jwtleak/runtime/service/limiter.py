"""A limit of bytes a second: a token bucket that lets a reader go into debt and says how long it
lasts.

Promises: nothing is dropped; over any time the rate holds, but for one burst and one read. The
clock is given.
"""

from __future__ import annotations

from collections.abc import Callable

# What may be read at once after a silence: a second's worth, so that a limit of a small rate still
# reads whole lines.
BURST_SECONDS = 1.0


class Limiter:
    """Says when to read on. `rate` in bytes a second, None for no limit; `clock` in seconds that
    only grow.
    """

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
        """Seconds until bytes may be read; 0 for now."""
        if self._rate is None:
            return 0.0
        self._fill(self._rate)
        return max(0.0, -self._room / self._rate)

    def took(self, count: int) -> None:
        """`count` bytes were read. They may be more than there was room for: the next wait is
        longer then.
        """
        if self._rate is not None:
            self._fill(self._rate)
            self._room -= count

    def _fill(self, rate: float) -> None:
        now = self._clock()
        # A clock that was set back gives nothing and takes nothing.
        self._room = min(rate * BURST_SECONDS, self._room + max(0.0, now - self._at) * rate)
        self._at = now
