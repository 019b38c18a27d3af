"""Alerts about no token."""

from __future__ import annotations

import msgspec
import pytest

from jwtleak.alerts.alert import Alert, to_json
from jwtleak.alerts.synthetic import heartbeat, probe_alert
from jwtleak.formats.interface import EVENT_FORMATS, by_name

NOW_MS = 1_768_478_400_123


def test_a_probe_is_no_leak_and_says_so() -> None:
    """Its event is `test`, its severity the lowest; a reader sees that there is nothing to do."""
    alert = probe_alert(b"nonce", NOW_MS, "web-01")
    assert (alert.event, alert.severity) == ("test", "info")
    assert "no token leaked" in alert.title
    assert msgspec.json.decode(to_json(alert), type=Alert) == alert


def test_a_probe_has_the_id_of_its_nonce() -> None:
    """A receiver that drops ids that it has would swallow a second test with the same id."""
    first = probe_alert(b"1", NOW_MS, "web-01")
    assert first == probe_alert(b"1", NOW_MS, "web-01")
    assert first.id != probe_alert(b"2", NOW_MS, "web-01").id


@pytest.mark.parametrize("name", EVENT_FORMATS)
def test_every_format_can_write_a_probe(name: str) -> None:
    """And marks it."""
    assert b"est alert" in by_name(name).encode(probe_alert(b"nonce", NOW_MS, "web-01"))


def test_a_heartbeat_is_the_same_for_one_host_and_time() -> None:
    """Its id depends on the host and the time alone: a second write of one beat is the same row."""
    alert = heartbeat(NOW_MS, "web-01", 3)
    assert (alert.event, alert.severity, alert.title) == ("heartbeat", "info", "jwtleak is running")
    assert alert.detected_at == "2026-01-15T12:00:00.123Z"
    assert alert.excerpt == "3 streams are followed"
    assert alert.id == heartbeat(NOW_MS, "web-01", 4).id
    assert alert.id != heartbeat(NOW_MS, "web-02", 3).id
    assert msgspec.json.decode(to_json(alert), type=Alert) == alert
