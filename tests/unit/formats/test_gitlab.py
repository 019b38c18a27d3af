"""The GitLab report, by the rules of its schema 15.0.4."""

from __future__ import annotations

import copy
import json

import jsonschema
import pytest
from hypothesis import given, settings
from sample_alerts import EVENTS, alerts, full, hostile, kept_back, least, pattern_hit

from jwtleak.formats.gitlab import make
from jwtleak.formats.interface import Ending, FormatOptions

TEXT = {"type": "string", "minLength": 1}
TIME = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$"}


def record(required, **properties):
    """An object with these properties, some of them required, and no others."""
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


TOOL = record(
    "id name version vendor", id=TEXT, name=TEXT, version=TEXT, vendor=record("name", name=TEXT)
)
IDENTIFIER = record(
    "type name value",
    type=TEXT,
    name=TEXT,
    value=TEXT,
    url={"type": "string", "pattern": "^https?://.+"},
)
FLAG = record(
    "type origin description",
    type={"const": "flagged-as-likely-false-positive"},
    origin=TEXT,
    description=TEXT,
)
DETAIL = {
    "oneOf": [
        record("name type value", name=TEXT, type={"const": "text"}, value={"type": "string"}),
        record(
            "name type value",
            name=TEXT,
            type={"const": "value"},
            value={"type": ["number", "boolean"]},
        ),
    ]
}
# What the schema demands of the fields that are used here, and closed: it allows unknown ones,
# which would be slips.
SCHEMA = record(
    "scan version vulnerabilities",
    version={"const": "15.0.4"},
    scan=record(
        "analyzer scanner type status start_time end_time",
        analyzer=TOOL,
        scanner=TOOL,
        type={"const": "secret_detection"},
        status={"enum": ["success", "failure"]},
        start_time=TIME,
        end_time=TIME,
        messages={
            "type": "array",
            "items": record("level value", level={"enum": ["info", "warn", "fatal"]}, value=TEXT),
        },
    ),
    vulnerabilities={
        "type": "array",
        "items": record(
            "id identifiers location",
            id=TEXT,
            name={"type": "string", "maxLength": 255},
            description={"type": "string"},
            severity={"enum": ["Info", "Unknown", "Low", "Medium", "High", "Critical"]},
            solution={"type": "string", "maxLength": 7000},
            identifiers={"type": "array", "minItems": 1, "items": IDENTIFIER},
            location=record(
                "commit",
                file={"type": "string"},
                start_line={"type": "integer", "minimum": 1},
                end_line={"type": "integer"},
                commit=record("sha", sha=TEXT),
            ),
            flags={"type": "array", "items": FLAG},
            details={"type": "object", "additionalProperties": DETAIL},
        ),
    },
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
ENDING = Ending("2026-01-15T12:00:00.000Z", "2026-01-15T12:00:05.999Z")


def report(samples, ending=ENDING):
    """The report of these alerts."""
    gitlab = make(FormatOptions())
    return json.loads(
        gitlab.begin()
        + gitlab.between.join(gitlab.encode(one) for one in samples)
        + gitlab.end(ending)
    )


def test_reports_are_valid():
    """Of no alert, of all sorts, of hostile ones, of a broken scan."""
    samples = [
        *(full(event=event) for event in EVENTS),
        least(),
        pattern_hit(),
        kept_back(),
        *(one for _, one in hostile()),
    ]
    for found in ([], samples):
        VALIDATOR.validate(report(found))
    broken = report([], Ending(ENDING.started_at, ENDING.ended_at, complete=False, unread=2))
    VALIDATOR.validate(broken)
    assert (broken["scan"]["status"], broken["scan"]["messages"][0]["level"]) == ("failure", "warn")


@given(alerts())
@settings(max_examples=60, deadline=None)
def test_any_alert_is_valid(alert):
    """Whatever the alert, the report is valid."""
    VALIDATOR.validate(report([alert]))


def test_a_vulnerability():
    """Name, severity, identifiers and place; no source extract."""
    (found,) = report([full()])["vulnerabilities"]
    assert (found["id"], found["severity"], found["name"]) == (
        full().id,
        "High",
        "JWT in a URL query parameter",
    )
    assert [one["value"] for one in found["identifiers"]] == ["jwt.url_query", "598", "532"]
    assert found["location"] == {
        "file": full().location.path,
        "start_line": 48213,
        "end_line": 48213,
        "commit": {"sha": "0000000"},
    }
    assert found["details"]["jwt_kid"] == {
        "name": "jwt_kid",
        "type": "text",
        "value": "prod-2025-11",
    }
    assert "raw_source_code_extract" not in found


def test_markdown_holds_nothing_of_a_log():
    """What an attacker chose stands in details and the path alone: the other texts are shown as
    Markdown.
    """
    for name, alert in hostile():
        (found,) = report([alert])["vulnerabilities"]
        (plain,) = report([full()])["vulnerabilities"]
        for field in ("name", "description", "solution", "identifiers"):
            assert found[field] == plain[field], name


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one["scan"].pop("status"),
        lambda one: one["scan"].update(start_time="2026-01-15T12:00:00.000Z"),
        lambda one: one["vulnerabilities"][0].pop("location"),
        lambda one: one["vulnerabilities"][0]["location"].pop("commit"),
        lambda one: one["vulnerabilities"][0].update(severity="critical"),
        lambda one: one["vulnerabilities"][0].update(identifiers=[]),
        lambda one: one["vulnerabilities"][0].update(raw_source_code_extract="x"),
        lambda one: one["vulnerabilities"][0]["details"].update(
            x={"type": "text", "value": "no name"}
        ),
    ],
)
def test_mutations_are_found(change):
    """The checker refuses a good report with one change."""
    broken = copy.deepcopy(report([full()]))
    VALIDATOR.validate(broken)
    change(broken)
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(broken)
