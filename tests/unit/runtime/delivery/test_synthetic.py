"""The alert of `test-sink`."""

from __future__ import annotations

import msgspec
import pytest

from jwtleak.alerts.alert import Alert, to_json
from jwtleak.formats.interface import EVENTS, by_name
from jwtleak.runtime.delivery.synthetic import synthetic


def test_it_is_no_leak_and_says_so() -> None:
    """Its event is `test`, its severity the lowest; a reader sees that there is nothing to do."""
    alert = synthetic()
    assert (alert.event, alert.severity) == ("test", "info")
    assert "no token leaked" in alert.title
    assert msgspec.json.decode(to_json(alert), type=Alert) == alert


def test_each_has_its_own_id() -> None:
    """A receiver that drops what it has would swallow the second test."""
    assert synthetic().id != synthetic().id


@pytest.mark.parametrize("name", EVENTS)
def test_every_format_can_write_it(name: str) -> None:
    """And marks it."""
    assert b"est alert" in by_name(name).encode(synthetic())
