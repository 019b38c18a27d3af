"""Alerts as log records."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from sending import alert

from jwtleak.alerts.alert import Location, TokenFacts
from jwtleak.sinks.otlprecord import record, rejected, request


def attributes(**change: Any) -> dict[str, Any]:
    """The attributes of an alert's record."""
    pairs = MessageToDict(record(alert(**change)))["attributes"]
    return {pair["key"]: next(iter(pair["value"].values())) for pair in pairs}


def test_a_record_has_both_times_and_the_severity() -> None:
    """The time of the log line, the time of detection, number and text."""
    one = record(alert())
    assert (one.time_unix_nano, one.observed_time_unix_nano) == (
        1_768_478_400_456_000_000,
        1_768_478_401_123_000_000,
    )
    assert (one.severity_number, one.severity_text, one.event_name) == (17, "HIGH", "jwtleak.alert")
    assert one.body.string_value == "Live JWT in a URL query parameter"
    assert record(alert(event="test")).event_name == "jwtleak.test"


def test_attributes_have_the_conventions_names_and_types() -> None:
    """What is absent is not there; lists stay lists, numbers numbers."""
    token = TokenFacts("a" * 64, "jws", "live", "HS256", audience=("api", "web"), lifetime=3600)
    found = attributes(token=token, live_when_logged=True)
    assert found["log.record.uid"] == alert().id
    assert found["log.file.path"] == "/var/log/a.log"
    assert found["jwtleak.fingerprint"] == "a" * 64
    assert found["jwtleak.line"] == "1"  # a 64-bit integer in JSON
    assert found["jwtleak.live_when_logged"] is True
    assert found["jwtleak.token.audience"] == {
        "values": [{"stringValue": "api"}, {"stringValue": "web"}]
    }
    assert "jwtleak.token.issuer" not in found
    assert "jwtleak.member" not in found


def test_hosts_are_resources() -> None:
    """Alerts of two hosts are in two groups, each named once."""
    where = Location(source="file", host="web-02", offset=1, length=1, line=1, column=1)
    decoded = ExportLogsServiceRequest.FromString(
        request([alert(0), alert(1, location=where), alert(2)])
    )
    names = [
        {pair.key: pair.value.string_value for pair in one.resource.attributes}
        for one in decoded.resource_logs
    ]
    assert [one["host.name"] for one in names] == ["web-01", "web-02"]
    assert [len(one.scope_logs[0].log_records) for one in decoded.resource_logs] == [2, 1]


def test_answers() -> None:
    """Empty is success, in protobuf or JSON; what is neither is no answer."""
    answer = ExportLogsServiceResponse()
    answer.partial_success.rejected_log_records = 3
    answer.partial_success.error_message = "no"
    assert rejected(b"") == (0, "")
    assert rejected(answer.SerializeToString()) == (3, "no")
    assert rejected(b"{}") == (0, "")
    assert rejected(
        json.dumps({"partialSuccess": {"rejectedLogRecords": "3", "errorMessage": "no"}}).encode()
    ) == (3, "no")


@pytest.mark.parametrize("body", [b"<html>", b"{", b'{"partialSuccess":3}', b"\xff\xff"])
def test_what_is_no_answer(body: bytes) -> None:
    """It is recognised."""
    assert rejected(body)[0] is None
