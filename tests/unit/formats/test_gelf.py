"""GELF 1.1, by the rules of its specification."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from sample_alerts import EVENTS, alerts, full, least

from jwtleak.formats.gelf import make
from jwtleak.formats.interface import FormatOptions


def written(alert, **options):
    """The message."""
    return json.loads(make(FormatOptions(**options)).encode(alert))


def problems(message):
    """What the specification does not allow."""
    if message.get("version") != "1.1":
        yield "version"
    for name in ("host", "short_message"):
        if not isinstance(message.get(name), str) or not message[name].strip():
            yield name
    if type(message.get("timestamp")) not in (int, float) or message.get("level") not in range(8):
        yield "timestamp or level"
    for name, value in message.items():
        if name.startswith("_") and (not re.fullmatch(r"_[\w.-]+", name) or name == "_id"):
            yield name
        if not name.startswith("_") and name not in (
            "version",
            "host",
            "short_message",
            "full_message",
            "timestamp",
            "level",
        ):
            yield name
        if type(value) not in (str, int, float):
            yield f"type of {name}"


def test_the_fields():
    """Times are seconds, levels are syslog's, lists are joined."""
    message = written(full())
    assert (message["timestamp"], message["level"], message["host"]) == (
        1768478552.004,
        4,
        "web-01.example.com",
    )
    assert (message["_event_id"], message["_jwtleak_jwt_kid"], message["_jwtleak_line"]) == (
        full().id,
        "prod-2025-11",
        48213,
    )
    assert (message["_jwtleak_jwt_scopes"], message["_jwtleak_live_when_logged"]) == (
        "orders.read, stock.write",
        "true",
    )
    assert written(full(), timestamp="event")["timestamp"] == 1768478551.123
    assert (written(least())["host"], written(least(), host="log-1")["host"]) == (
        "unknown",
        "log-1",
    )


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_keeps_to_the_specification(event):
    """Every event is a valid message."""
    assert list(problems(written(full(event=event)))) == []


@given(alerts())
@settings(max_examples=100, deadline=None)
def test_any_alert_keeps_to_the_specification(alert):
    """Whatever the alert, the message is valid."""
    assert list(problems(written(alert))) == []


@pytest.mark.parametrize(
    "change",
    [
        {"version": "1"},
        {"host": " "},
        {"timestamp": "1"},
        {"_id": "x"},
        {"_a b": 1},
        {"_x": [1]},
        {"extra": 1},
        {"level": 9},
    ],
)
def test_mutations_are_found(change):
    """The checker refuses a good message with one wrong field."""
    assert list(problems(written(full()) | change)) != []
