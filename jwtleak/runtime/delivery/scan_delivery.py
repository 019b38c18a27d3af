"""The alerts of a scan on their way to sinks: into the store first, then sent while the scan goes
on.

Promises: an alert is on disk before it is sent; when the outbox is full the scan waits for the
sinks, as long as they take anything; at the end what a deadline allows is delivered, and what is
left is named and stays in the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from jwtleak.alerts.wire import WireAlert
from jwtleak.errors import DeliveryError
from jwtleak.runtime.delivery.delivery import Delivery
from jwtleak.runtime.delivery.sender import SinkHealth
from jwtleak.store import Commit, OutboxEntry, Store

# Alerts that share a transaction, which costs a sync of the disk; and how long one waits for
# others.
_TOGETHER = 500
_PATIENCE = 0.5
# What may wait in the store: as much as `tail` allows unless it is told otherwise.
MAX_SPOOL = 256 << 20
_FULL_WAIT = 0.1


class ScanDelivery:
    """Takes records in; `close` says which sinks still have some to get."""

    def __init__(
        self,
        store: Store,
        delivery: Delivery,
        *,
        deadline: float,
        spool: int = MAX_SPOOL,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._delivery = delivery
        self._deadline = deadline
        self._spool = spool
        self._clock = clock
        self._sleep = sleep
        self._letters: list[OutboxEntry] = []
        self._since = 0.0
        delivery.start()
        delivery.poke()  # what an earlier run left

    def add(self, record: WireAlert) -> None:
        """One alert. Raises DeliveryError where the outbox is full and no sink takes anything."""
        if not self._letters:
            self._since = self._clock()
        self._letters.append(
            OutboxEntry(
                id=record.id,
                fingerprint=record.sha256,
                severity=record.severity,
                event="repeat" if record.repeat else "leak",
                body=record.json(),
            )
        )
        if len(self._letters) >= _TOGETHER or self._clock() - self._since >= _PATIENCE:
            self.flush()

    def flush(self) -> None:
        """Everything so far is on disk."""
        if not self._letters:
            return
        self._wait_for_room()
        self._store.commit(
            Commit(
                alerts=self._delivery.addressed(self._letters), at_ms=time.time_ns() // 1_000_000
            )
        )
        self._letters = []
        self._delivery.poke()

    def _wait_for_room(self) -> None:
        """While sinks take something there will be room; once they stand still for the deadline
        there will not.
        """
        last, end = -1, 0.0
        while (full := self._full()) is not None:
            settled = sum(one.sent + one.dead for one in self._delivery.health())
            if settled != last:
                last, end = settled, self._clock() + self._deadline
            if self._clock() >= end:
                raise DeliveryError(
                    f"the outbox is full and sink {full.name} takes nothing: {full.reason or 'no answer'}"
                )
            self._sleep(_FULL_WAIT)

    def _full(self) -> SinkHealth | None:
        """The sink that has to be waited for: the one whose own queue is full, or, of a full
        outbox, the one that lags most.
        """
        sink = self._delivery.full()
        if sink is None and self._store.room(self._spool) > 0:
            return None
        return max(self._delivery.health(), key=lambda one: (one.name == sink, one.queued))

    def close(self) -> list[SinkHealth]:
        """Deliver what can be delivered, and stop. Gives the sinks that still have letters."""
        try:
            self.flush()
        finally:
            left = self._delivery.close(self._deadline)
        return left

    def health(self) -> list[SinkHealth]:
        """How each sink is."""
        return self._delivery.health()
