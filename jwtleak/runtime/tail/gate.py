"""The gate before reading: shut while the spool of undelivered alerts is full.

Promises: nothing is dropped unless the user chose it, and then it is counted; it opens again by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

# The size of the spool is asked for this often at most.
EVERY = 0.05

WhenFull: TypeAlias = Literal["wait", "drop-oldest"]


class Spool(Protocol):
    """What the gate needs of the store."""

    def spool_bytes(self) -> int: ...
    def drop_oldest(self, cap: int) -> dict[str, int]: ...


class SpoolGate:
    """Shut while `cap` bytes or more wait. `dropped` is told what went, by sink."""

    def __init__(
        self,
        spool: Spool,
        cap: int,
        when_full: WhenFull,
        steady: Callable[[], float],
        dropped: Callable[[dict[str, int]], None],
    ) -> None:
        self._spool = spool
        self._cap = cap
        self._when_full = when_full
        self._steady = steady
        self._dropped = dropped
        self._next = steady()
        self.bytes = 0
        self.full = False

    def shut(self) -> bool:
        """Whether reading has to wait."""
        now = self._steady()
        if now >= self._next:
            self._next = now + EVERY
            self.bytes = self._spool.spool_bytes()
            self.full = self.bytes >= self._cap
            if self.full and self._when_full == "drop-oldest":
                self._dropped(self._spool.drop_oldest(self._cap // 2))
                self.full = False
        return self.full
