"""Time and chance, as arguments: tests set a clock of their own."""

from __future__ import annotations

import random
import time
from typing import Protocol


class Clock(Protocol):
    """`monotonic` in seconds, `wall_ms` in Unix milliseconds, `chance` in [0, 1)."""

    def monotonic(self) -> float: ...
    def wall_ms(self) -> int: ...
    def chance(self) -> float: ...


class SystemClock:
    """The machine's."""

    # The functions themselves: a sender asks at each step, and a method around them says nothing.
    monotonic = staticmethod(time.monotonic)
    chance = staticmethod(random.random)

    def wall_ms(self) -> int:
        """Unix milliseconds."""
        return time.time_ns() // 1_000_000
