"""OCSF against the official schema, versions 1.8 and 1.7, both classes."""

from __future__ import annotations

import copy
import json
from functools import lru_cache

import jsonschema
import ocsf_json_schema as schemas
import pytest
from hypothesis import given, settings
from sample_alerts import EVENTS, alerts, full, hostile, kept_back, least, pattern_hit

from jwtleak.formats.interface import FormatOptions
from jwtleak.formats.ocsf import make

CLASSES = {2004: "detection_finding", 2006: "data_security_finding"}
BOTH = [(version, number) for version in ("1.8.0", "1.7.0") for number in CLASSES]


@lru_cache
def validator(version: str, number: int) -> jsonschema.Draft202012Validator:
    """The official schema of a class, without profiles."""
    schema = schemas.OcsfJsonSchemaEmbedded(schemas.get_ocsf_schema(version=version))
    return jsonschema.Draft202012Validator(
        schema.get_class_schema(class_name=CLASSES[number], profiles=[])
    )


def problems(document: dict, version: str = "1.8.0", number: int = 2004) -> list[str]:
    """What the schema says."""
    return [error.message for error in validator(version, number).iter_errors(document)]


def written(alert, version="1.8.0", number=2004, **options):
    """The finding."""
    return json.loads(
        make(FormatOptions(ocsf_version=version, ocsf_class=number, **options)).encode(alert)
    )


@pytest.mark.parametrize(("version", "number"), BOTH)
def test_all_alerts_are_valid(version, number):
    """Every event, the fullest and the least alert, pattern hits and hostile texts are valid."""
    samples = [
        *(full(event=event) for event in EVENTS),
        *(least(event=event) for event in EVENTS),
        pattern_hit(),
        kept_back(),
    ]
    for alert in (*samples, *(one for _, one in hostile())):
        assert problems(written(alert, version, number), version, number) == []


@pytest.mark.parametrize(("version", "number"), BOTH)
@given(alert=alerts())
@settings(max_examples=15, deadline=None)
def test_any_alert_is_valid(version, number, alert):
    """Whatever the alert, the schema has nothing to say."""
    assert problems(written(alert, version, number), version, number) == []


@pytest.mark.parametrize("limit", range(500, 4000, 500))
def test_small_findings_are_valid(limit):
    """A finding that lost fields is valid, and says so where OCSF has a place for it."""
    document = written(full(truncated=False), max_bytes=limit)
    assert problems(document) == []
    assert document["metadata"]["is_truncated"] == document["unmapped"]["jwtleak"]["truncated"]


def test_the_fields_that_consumers_read():
    """Numbers and names agree; times are milliseconds; the finding's uid is the alert's id."""
    document = written(full())
    assert (
        document["type_uid"],
        document["activity_id"],
        document["severity_id"],
        document["confidence_id"],
    ) == (200401, 1, 4, 2)
    assert (document["time"], document["start_time"], document["end_time"]) == (
        1768478552004,
        1768478460005,
        1768478519006,
    )
    assert document["finding_info"]["uid"] == document["metadata"]["uid"] == full().id
    assert document["finding_info"]["related_events"][0]["uid"] == full().supersedes
    assert [one["value"] for one in document["observables"]] == [
        full().location.path,
        full().location.host,
        full().token.sha256,
    ]
    assert [one["type"] for one in document["resources"]] == ["Host", "Pod"]
    assert written(full(), timestamp="event")["time"] == 1768478551123


@pytest.mark.parametrize(
    ("event", "activity", "alert"),
    [("leak", 1, True), ("test", 1, True), ("repeat", 2, False), ("heartbeat", 99, False)],
)
def test_activities(event, activity, alert):
    """A repeat updates a finding; a heartbeat is none of the known activities; only leaks and tests
    are alerts.
    """
    document = written(full(event=event))
    assert (document["activity_id"], document["type_uid"], document["is_alert"]) == (
        activity,
        200400 + activity,
        alert,
    )


def test_what_is_kept_back_is_suppressed():
    """A leak that a policy keeps back has OCSF's own status for it, and is no alert."""
    document = written(kept_back())
    assert (document["status_id"], document["status"], document["is_alert"]) == (
        3,
        "Suppressed",
        False,
    )


def put(path: str, value: object):
    """A change of one place in a document; None takes it away."""

    def change(document: dict) -> None:
        *above, name = path.split(".")
        for one in above:
            document = document[int(one) if one.isdigit() else one]
        if value is None:
            del document[name]
        else:
            document[name] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        put("time", None),
        put("time", "2026-01-15T12:02:31.123Z"),
        put("severity_id", 77),
        put("finding_info.uid", None),
        put("metadata.version", None),
        put("metadata.product.name", 1),
        put("extra", 1),
        put("finding_info.extra", "x"),
        put("class_uid", 2006),
        put("type_uid", None),
        put("evidences.0.file.type_id", None),
        put("confidence_id", "high"),
        put("observables.0.type_id", None),
        put("evidences.0.file.name", None),
        put("resources", {"name": "x"}),
        put("remediation.desc", None),
        put("is_alert", "yes"),
        put("finding_info.analytic.type_id", 12345),
    ],
)
def test_the_schema_finds_mutations(change):
    """The schema refuses a good finding with one change."""
    document = written(full())
    assert problems(document) == []
    broken = copy.deepcopy(document)
    change(broken)
    assert problems(broken) != []
