"""The time at which an alert stands in a receiver: that on the log line, or that of detection."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Literal

from jwtleak.alerts.alert import Alert


def moment(alert: Alert, timestamp: Literal["event", "detected"]) -> int:
    """Unix milliseconds. Where a log line has no time, that of detection."""
    return milliseconds(moment_text(alert, timestamp))


def moment_text(alert: Alert, timestamp: Literal["event", "detected"]) -> str:
    """The same as it stands in the alert: RFC 3339, UTC, three fraction digits."""
    return alert.logged_at if timestamp == "event" and alert.logged_at else alert.detected_at


def milliseconds(text: str) -> int:
    """Unix milliseconds of a time in an alert."""
    return _minutes(text[:16]) * 60_000 + int(text[17:19]) * 1000 + int(text[20:23])


@lru_cache(maxsize=1024)
def _minutes(text: str) -> int:
    return int(datetime.fromisoformat(text + "+00:00").timestamp()) // 60
