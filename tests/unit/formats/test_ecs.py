"""ECS, as far as it can be checked without Elastic's own schema (see tests/npm)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from sample_alerts import alerts, full, kept_back, least, leaves, pattern_hit

from jwtleak.formats.ecs import make
from jwtleak.formats.interface import DEFAULT, FormatOptions


def written(alert, **options):
    """The document."""
    return json.loads(make(FormatOptions(**options)).encode(alert))


def test_the_fields_that_rules_look_at():
    """Severity, kind, ids, times and message stand where Elastic's rules look for them."""
    document = written(full())
    event = document["event"]
    assert document["@timestamp"] == event["created"] == full().detected_at
    assert (event["kind"], event["category"], event["type"]) == (
        "alert",
        ["vulnerability"],
        ["info"],
    )
    assert (event["severity"], event["risk_score"]) == (73, 73.0)
    assert (event["id"], event["module"], event["code"]) == (full().id, "jwtleak", "jwt.url_query")
    assert (event["start"], event["end"]) == (full().first_seen, full().last_seen)
    assert document["message"] == full().title
    assert document["ecs"] == {"version": "9.4.0"}
    assert document["related"] == {"hash": [full().token.sha256], "hosts": ["web-01.example.com"]}
    assert document["orchestrator"]["resource"] == {
        "type": "pod",
        "name": "orders-7d9f",
        "id": full().location.container.pod_uid,
    }


@pytest.mark.parametrize(
    ("event", "kind", "tags"),
    [
        ("leak", "alert", ["jwtleak"]),
        ("repeat", "event", ["jwtleak"]),
        ("test", "alert", ["jwtleak", "test"]),
        ("heartbeat", "event", ["jwtleak", "heartbeat"]),
    ],
)
def test_events_by_kind(event, kind, tags):
    """Only a leak that is not kept back and a test are alerts; tests and heartbeats are marked."""
    document = written(full(event=event))
    assert (document["event"]["kind"], document["tags"]) == (kind, tags)
    assert written(kept_back())["event"]["kind"] == "event"
    assert written(kept_back())["event"]["action"] == "jwt-leak-suppressed"
    assert ("threat" in document, "category" in document["event"]) == (
        event != "heartbeat",
        event != "heartbeat",
    )


def test_options():
    """Namespace, category and timestamp are the user's."""
    document = written(full(), namespace="prod", category="intrusion_detection", timestamp="event")
    assert document["data_stream"]["namespace"] == "prod"
    assert document["event"]["category"] == ["intrusion_detection"]
    assert document["@timestamp"] == full().logged_at


@given(alerts())
@settings(max_examples=100, deadline=None)
def test_no_array_of_objects_and_no_original(alert):
    """Whatever the alert: nested objects, no array of objects, no null, none of the fields that
    hold lines or URLs.
    """
    document = json.loads(make(DEFAULT).encode(alert))

    def walk(value):
        if isinstance(value, dict):
            for name, one in value.items():
                assert "." not in name
                walk(one)
        elif isinstance(value, list):
            assert value
            assert all(isinstance(one, str) for one in value)
        else:
            assert value is not None

    walk(document)
    paths = {path for path, _ in leaves(document)}
    assert not paths & {"url.original", "url.query", "url.full", "event.original", "event.ingested"}


def test_a_field_keeps_its_type():
    """With one value or with many, a field is a list always or never."""
    shapes = {}
    for alert in (full(), least(), pattern_hit(), full(event="heartbeat")):

        def note(value, path=""):
            for name, one in value.items():
                here = f"{path}.{name}"
                note(one, here) if isinstance(one, dict) else shapes.setdefault(here, set()).add(
                    type(one)
                )

        note(written(alert))
    assert {path: types for path, types in shapes.items() if len(types) > 1} == {}
