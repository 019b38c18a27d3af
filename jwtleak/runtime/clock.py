"""Time and chance, as arguments: tests turn a clock of their own."""

from __future__ import annotations

import random
import time
from typing import Protocol


class Clock(Protocol):
    """What the worker asks."""

    def monotonic(self) -> float: ...
    def wall_ms(self) -> int: ...
    def chance(self) -> float: ...


class SystemClock:
    """The machine's."""

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()

    def wall_ms(self) -> int:
        """Unix milliseconds."""
        return time.time_ns() // 1_000_000

    def chance(self) -> float:
        """In [0, 1)."""
        return random.random()
