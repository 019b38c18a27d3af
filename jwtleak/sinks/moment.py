"""The time at which an alert stands in a receiver: that on the log line, or that of detection."""

from __future__ import annotations

from typing import Literal

from jwtleak.alerts.alert import Alert
from jwtleak.formats.layout import milliseconds


def moment(alert: Alert, timestamp: Literal["event", "detected"]) -> int:
    """Unix milliseconds. Where a log line has no time, that of detection."""
    return milliseconds(moment_text(alert, timestamp))


def moment_text(alert: Alert, timestamp: Literal["event", "detected"]) -> str:
    """The same as it stands in the alert: RFC 3339, UTC, three fraction digits."""
    return alert.logged_at if timestamp == "event" and alert.logged_at else alert.detected_at
