"""The heartbeat: an event that shows that alerts would arrive, so that silence can be noticed.

Promises: the first as soon as streams are followed, then one each interval; it is stored and sent
like an alert, and is about no token.
"""

from __future__ import annotations

from collections.abc import Iterator

from jwtleak.alerts.alert import to_json
from jwtleak.alerts.synthetic import heartbeat
from jwtleak.store.interface import OutboxEntry


class Heartbeat:
    """Beats every `interval` seconds of a clock that nobody sets; never if that is None."""

    def __init__(self, interval: float | None, host: str) -> None:
        self._interval = interval
        self._host = host
        self._due = 0.0

    def beat(self, now: float, now_ms: int, following: int) -> Iterator[OutboxEntry]:
        """The event, when it is due. `following` is the number of streams."""
        if self._interval is None or now < self._due:
            return
        self._due = now + self._interval
        alert = heartbeat(now_ms, self._host, following)
        yield OutboxEntry(
            id=alert.id,
            fingerprint=alert.token.sha256,
            severity=alert.severity,
            event=alert.event,
            body=to_json(alert),
        )
