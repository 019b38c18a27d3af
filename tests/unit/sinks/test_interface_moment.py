"""At which of its times an alert stands."""

from __future__ import annotations

from msgspec import UNSET
from sending import alert

from jwtleak.sinks.interface import moment, moment_text


def test_the_time_of_the_log_line_or_of_detection() -> None:
    """As the setting says; a line without a time stands at that of detection."""
    one = alert()
    assert moment_text(one, "event") == one.logged_at
    assert moment_text(one, "detected") == one.detected_at
    assert moment(one, "event") == 1_768_478_400_456
    assert moment(alert(logged_at=UNSET), "event") == 1_768_478_401_123
