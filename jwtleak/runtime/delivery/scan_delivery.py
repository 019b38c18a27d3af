"""The delivery of a scan's alerts: into the store first, then to the sinks while the scan goes on.

Promises: an alert is on disk before it is sent; while the outbox is full the scan waits for the
sinks, as long as they accept anything; at the end delivery goes on until a deadline, and what is
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

# Alerts that share a transaction, since each transaction costs a sync of the disk; and the seconds
# that an alert waits for others.
_TOGETHER = 500
_PATIENCE = 0.5
# Bytes that may wait in the store: the default of `tail`.
MAX_SPOOL = 256 << 20
_FULL_WAIT = 0.1


class ScanDelivery:
    """`add` each alert; `close` returns the sinks that still have alerts."""

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
        self._entries: list[OutboxEntry] = []
        self._since = 0.0
        delivery.start()
        delivery.poke()  # for what an earlier run left

    def add(self, record: WireAlert) -> None:
        """Deliver one alert. Raises DeliveryError where the outbox is full and no sink accepts
        anything.
        """
        if not self._entries:
            self._since = self._clock()
        self._entries.append(
            OutboxEntry(
                id=record.id,
                fingerprint=record.sha256,
                severity=record.severity,
                event="repeat" if record.repeat else "leak",
                body=record.json(),
            )
        )
        if len(self._entries) >= _TOGETHER or self._clock() - self._since >= _PATIENCE:
            self.flush()

    def flush(self) -> None:
        """Write everything so far to the disk."""
        if not self._entries:
            return
        # Before the commit: the scan has not read on, so nothing is held in memory meanwhile.
        self._wait_for_room()
        self._store.commit(
            Commit(
                alerts=self._delivery.addressed(self._entries), at_ms=time.time_ns() // 1_000_000
            )
        )
        self._entries = []
        self._delivery.poke()

    def _wait_for_room(self) -> None:
        """Wait while sinks make progress. Raises DeliveryError once none did for the deadline."""
        last, end = -1, 0.0  # no sum is -1: the first turn sets the end
        while (full := self._full()) is not None:
            settled = sum(sink.sent + sink.dead for sink in self._delivery.health())
            # Any sink's progress counts: the outbox keeps an alert until the last sink has it, but
            # a sink that lags may be the next to move.
            if settled != last:
                last, end = settled, self._clock() + self._deadline
            if self._clock() >= end:
                raise DeliveryError(
                    f"the outbox is full and sink {full.name} takes nothing: "
                    f"{full.reason or 'no answer'}"
                )
            self._sleep(_FULL_WAIT)

    def _full(self) -> SinkHealth | None:
        """The sink to wait for: the one whose own queue is full, or, when the outbox is full, the
        one that lags most.
        """
        sink = self._delivery.full()
        if sink is None and self._store.room(self._spool) > 0:
            return None
        # False sorts before True: where no queue is full the number of waiting alerts decides.
        return max(self._delivery.health(), key=lambda health: (health.name == sink, health.queued))

    def close(self) -> list[SinkHealth]:
        """Deliver until the deadline, and stop. Returns the sinks that still have alerts."""
        try:
            self.flush()
        finally:  # also after an interrupt: what is on disk is still sent
            left = self._delivery.close(self._deadline)
        return left

    def health(self) -> list[SinkHealth]:
        """The figures of each sink."""
        return self._delivery.health()
