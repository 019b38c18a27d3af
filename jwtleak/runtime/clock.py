"""Time and chance as arguments, so that tests turn a clock of their own.

`Clock` serves the delivery of alerts, `Clocks` the loops of `tail`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol


class Clock(Protocol):
    """What a sink's thread needs of time and chance."""

    def monotonic(self) -> float: ...
    def wall_ms(self) -> int: ...
    def chance(self) -> float: ...


class SystemClock:
    """The machine's clock."""

    # The functions themselves: a sender asks at each step, and a method around them says nothing.
    monotonic = staticmethod(time.monotonic)
    chance = staticmethod(random.random)

    def wall_ms(self) -> int:
        """Unix milliseconds."""
        return time.time_ns() // 1_000_000


class Clocks(NamedTuple):
    """Unix seconds, and seconds of a clock that nobody sets."""

    wall: Callable[[], float]
    steady: Callable[[], float]

    def ms(self) -> int:
        """Unix milliseconds."""
        return int(self.wall() * 1000)

    def even(self) -> Callable[[], int]:
        """A clock of Unix milliseconds that runs evenly from now on, even when the wall clock is
        set.
        """
        ahead = self.wall() - self.steady()
        return lambda: int((self.steady() + ahead) * 1000)
