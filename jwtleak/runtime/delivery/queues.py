"""The bounds of single sinks, beside that of the spool, which holds for all of them together.

Promises: a sink with `drop-oldest` loses its own oldest alerts, counted, and holds up nobody; one
that is waited for loses nothing; what is on its way to a receiver is not dropped, so that nothing
is both counted as lost and taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from jwtleak.errors import StoreError, UsageError
from jwtleak.runtime.delivery.sender import Say
from jwtleak.sinks.settings import SinkSettings
from jwtleak.types import WhenFull


class QueueStore(Protocol):
    """What bounds need of the store."""

    def queue_bytes(self) -> dict[str, int]: ...
    def trim(self, sink: str, cap: int, after: int = 0) -> int: ...


class Bounded(Protocol):
    """What bounds need of a worker."""

    @property
    def name(self) -> str: ...
    @property
    def queue(self) -> int | None: ...
    @property
    def when_full(self) -> WhenFull: ...
    def trim(self, drop: Callable[[int], int]) -> int: ...


class Queues:
    """Of all sinks, those that have a bound. `dropped` is told what each lost."""

    def __init__(
        self,
        spool: QueueStore,
        workers: Sequence[Bounded],
        dropped: Callable[[str, int], None],
        say: Say,
    ) -> None:
        self._spool = spool
        self._bounds = [(one, one.queue) for one in workers if one.queue is not None]
        self._dropped = dropped
        self._say = say
        self._told: set[str] = set()

    def full(self) -> str | None:
        """The sink whose full queue has to be waited for; None where nothing has to wait. Drops
        what may be dropped.
        """
        waiting = self._spool.queue_bytes() if self._bounds else {}
        full = None
        for worker, most in self._bounds:
            there = waiting.get(worker.name, 0)
            if worker.when_full == "drop-oldest":
                self._bound(worker, most, there)
            elif there >= most:
                full = full or worker.name
        return full

    def _bound(self, worker: Bounded, most: int, there: int) -> None:
        if there > most:
            if worker.name not in self._told:
                self._told.add(worker.name)
                self._say(f"sink {worker.name}: its queue is full: its oldest alerts are dropped")
            with suppress(StoreError):  # the disk is full: then nothing is entered either
                self._dropped(
                    worker.name, worker.trim(lambda sent: self._spool.trim(worker.name, most, sent))
                )
        elif there < most // 2:
            self._told.discard(worker.name)


def check(settings: Sequence[SinkSettings], spool: int) -> None:
    """Raises UsageError where queues that drop could fill a spool of `spool` bytes: reading would
    wait for their sinks.
    """
    drops = [one for one in settings if one.get("when_full", "wait") == "drop-oldest"]
    total = sum(one.get("queue", 0) for one in drops)
    if total >= spool:
        names = ", ".join(one.title for one in drops)
        raise UsageError(
            f"the queues of {names} hold {total} bytes together: that must be less than the spool ({spool})"
        )
