"""Backpressure: reading stops while the spool of undelivered alerts is full, or the queue of a sink
that has a bound.

Promises: nothing is dropped unless the user chose it, and then it is counted; reading goes on by
itself when there is room; a disk on which nothing can be deleted now does not end the program.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from jwtleak.errors import StoreError
from jwtleak.types import WhenFull

# Seconds between two queries of the store: each one costs a statement, a round may take 10 ms.
EVERY = 0.05


class SpoolStore(Protocol):
    """What backpressure needs of the store."""

    def spool_bytes(self) -> int: ...
    def drop_oldest(self, cap: int) -> dict[str, int]: ...


class Backpressure:
    """Active while `cap` bytes or more wait, or while `queues()` names a sink whose queue is full
    (`Delivery.full`). `dropped` is called with the number of dropped alerts by sink.
    """

    def __init__(
        self,
        spool: SpoolStore,
        cap: int,
        when_full: WhenFull,
        steady: Callable[[], float],
        dropped: Callable[[dict[str, int]], None],
        queues: Callable[[], str | None],
    ) -> None:
        self._spool = spool
        self._cap = cap
        self._when_full = when_full
        self._steady = steady
        self._dropped = dropped
        self._queues = queues
        self._next = steady()
        self.bytes = 0
        self.full = False
        self.sink: str | None = None  # the sink whose queue is full

    def active(self) -> bool:
        """Whether reading has to wait."""
        now = self._steady()
        if now >= self._next:
            self._next = now + EVERY
            self.sink = self._queues()
            self.bytes = self._spool.spool_bytes()
            self.full = self.bytes >= self._cap
            if self.full and self._when_full == "drop-oldest":
                # To half of the bound: dropping one alert for each new one would cost a transaction
                # each. If the disk refuses the deletion, `full` stays and the next query retries.
                with suppress(StoreError):
                    self._dropped(self._spool.drop_oldest(self._cap // 2))
                    self.full = False
        return self.full or self.sink is not None
