"""The heartbeat: an event that says that alerts would arrive, so that silence can be noticed.

Promises: one as soon as files are followed, then one each interval; it is stored and sent like an
alert, and says of no token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from jwtleak.alerts.alert import Alert, AlertChannel, Location, Sightings, TokenFacts, to_json
from jwtleak.alerts.fields import rfc3339
from jwtleak.store.interface import OutboxEntry

_NO_TOKEN = "0" * 64


class Heartbeat:
    """Beats every `interval` seconds of a clock that only grows; never where that is None."""

    def __init__(self, interval: float | None, host: str) -> None:
        self._interval = interval
        self._host = host
        self._due = 0.0

    def beat(self, now: float, now_ms: int, following: int) -> Iterator[OutboxEntry]:
        """A letter when one is due. `following`: how many streams are followed."""
        if self._interval is None or now < self._due:
            return
        self._due = now + self._interval
        name = hashlib.sha256(f"heartbeat {self._host} {now_ms}".encode()).hexdigest()[:40]
        body = to_json(self._alert(name, now_ms, following))
        yield OutboxEntry(
            id=name, fingerprint=_NO_TOKEN, severity="info", event="heartbeat", body=body
        )

    def _alert(self, name: str, now_ms: int, following: int) -> Alert:
        return Alert(
            schema="jwtleak/1",
            id=name,
            event="heartbeat",
            detected_at=rfc3339(now_ms),
            severity="info",
            confidence="high",
            title="jwtleak is running",
            token=TokenFacts(_NO_TOKEN, "jws"),
            channel=AlertChannel("unknown"),
            excerpt=f"{following} streams are followed",
            location=Location(source="file", host=self._host, offset=0, length=1, line=1, column=1),
            sightings=Sightings(1, 0, 0),
        )
