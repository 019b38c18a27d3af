"""The alert as it is."""

from __future__ import annotations

import json

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from minting import NOW, jws
from msgspec.structs import replace
from sample_alerts import EVENTS, alerts, full, least, pattern_hit

import jwtleak
from jwtleak.alerts.alert import Alert, json_schema, to_json
from jwtleak.alerts.wire import to_wire
from jwtleak.formats.interface import DEFAULT, FormatOptions
from jwtleak.formats.native import make

SCHEMA = jsonschema.Draft202012Validator(json_schema())


@pytest.mark.parametrize(
    "alert", [full(), least(), pattern_hit(), *(full(event=event) for event in EVENTS)]
)
def test_it_is_what_scan_writes(alert):
    """Byte for byte the JSON of the alert's record."""
    assert make(DEFAULT).encode(alert) == to_json(alert) == to_wire(alert).json()


def test_a_real_alert_takes_the_short_way():
    """The alert of a scan passes as it was built."""
    (finding,) = jwtleak.scan(f'GET /?t={jws()} "x\\'.encode())
    alert = jwtleak.alert(finding, now=NOW, key=b"k")
    assert make(DEFAULT).encode(alert) == to_json(alert)


@given(alerts())
@settings(max_examples=100, deadline=None)
def test_any_alert_obeys_the_schema(alert):
    """Whatever the texts, the line obeys the JSON Schema and is an alert again."""
    data = make(DEFAULT).encode(alert)
    SCHEMA.validate(json.loads(data))
    assert msgspec.json.decode(data, type=Alert).id == alert.id


@pytest.mark.parametrize("limit", range(300, 2400, 150))
def test_small_alerts_obey_the_schema(limit):
    """An alert that lost fields obeys the JSON Schema too."""
    data = make(FormatOptions(max_bytes=limit)).encode(full())
    SCHEMA.validate(json.loads(data))


def test_a_small_heartbeat_is_an_alert():
    """A heartbeat keeps the fields that the schema wants, however it is written."""
    alert = least(event="heartbeat")
    alert = replace(alert, location=replace(alert.location, host="a\nb"))
    SCHEMA.validate(json.loads(make(DEFAULT).encode(alert)))


@pytest.mark.parametrize(
    "change",
    [
        {"severity": "huge"},
        {"id": "x"},
        {"detected_at": "2026-01-15"},
        {"token": {"kind": "jws"}},
        {"location": {}},
    ],
)
def test_the_schema_finds_mutations(change):
    """The schema refuses a good alert with one wrong field."""
    document = json.loads(make(DEFAULT).encode(full()))
    SCHEMA.validate(document)
    with pytest.raises(jsonschema.ValidationError):
        SCHEMA.validate(document | change)
