"""Alerts as OpenTelemetry log records, and the answer of a receiver. Needs the extra `otlp`.

Promises: attributes have the names of the semantic conventions where there is one
(`log.record.uid`, `log.file.path`, `host.name`), and names below `jwtleak.` otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from google.protobuf.message import DecodeError
from msgspec import UNSET
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ScopeLogs

from jwtleak.alerts.alert import Alert
from jwtleak.formats.events import EVENT_KINDS
from jwtleak.formats.layout import milliseconds
from jwtleak.formats.levels import LEVELS
from jwtleak.version import __version__

_NS = 1_000_000


def request(alerts: Sequence[Alert]) -> bytes:
    """One export request: a resource for each host, in the order of first appearance."""
    made = ExportLogsServiceRequest()
    scopes: dict[Any, ScopeLogs] = {}
    for alert in alerts:
        host = alert.location.host
        if host not in scopes:
            resource = made.resource_logs.add()
            attributes = {
                "service.name": "jwtleak",
                "service.version": __version__,
                "host.name": host,
            }
            resource.resource.attributes.extend(_pairs(attributes))
            scopes[host] = resource.scope_logs.add()
            scopes[host].scope.name, scopes[host].scope.version = "jwtleak", __version__
        scopes[host].log_records.append(record(alert))
    return bytes(made.SerializeToString())


def record(alert: Alert) -> LogRecord:
    """One alert. Its time is that of the log line; the observed time is that of the detection."""
    made = LogRecord()
    made.observed_time_unix_nano = milliseconds(alert.detected_at) * _NS
    made.time_unix_nano = milliseconds(alert.logged_at or alert.detected_at) * _NS
    made.severity_number = LEVELS[alert.severity].otlp  # type: ignore[assignment]
    made.severity_text = alert.severity.upper()
    made.event_name = EVENT_KINDS[alert.event].otlp_name
    made.body.string_value = alert.title
    made.attributes.extend(_pairs(_attributes(alert)))
    return made


def _attributes(alert: Alert) -> dict[str, Any]:
    where, token = alert.location, alert.token
    facts = {
        f"jwtleak.token.{name}": getattr(token, name)
        for name in token.__struct_fields__
        if name not in ("sha256", "redacted", "length")
    }
    return {
        "log.record.uid": alert.id,
        "log.file.path": where.path,
        "jwtleak.event": alert.event,
        "jwtleak.fingerprint": token.sha256,
        "jwtleak.severity": alert.severity,
        "jwtleak.confidence": alert.confidence,
        "jwtleak.channel": alert.channel.type,
        "jwtleak.channel.name": alert.channel.name,
        "jwtleak.member": where.member,
        "jwtleak.line": where.line,
        "jwtleak.byte_offset": where.offset,
        "jwtleak.sightings": alert.sightings.count,
        "jwtleak.live_when_logged": alert.live_when_logged,
        "jwtleak.excerpt": alert.excerpt,
        **facts,
    }


def _pairs(values: dict[str, Any]) -> list[KeyValue]:
    """Attributes, without those that are absent or empty."""
    pairs = []
    for name, value in values.items():
        if value is UNSET or value == () or value is None:
            continue
        pair = KeyValue(key=name)
        # Before int: a bool is an int in Python, but not in OTLP.
        if isinstance(value, bool):
            pair.value.bool_value = value
        elif isinstance(value, int):
            pair.value.int_value = value
        elif isinstance(value, tuple):
            for item in value:
                pair.value.array_value.values.add().string_value = item
        else:
            pair.value.string_value = str(value)
        pairs.append(pair)
    return pairs


def rejected(body: bytes) -> tuple[int | None, str]:
    """How many records the receiver rejected, and its words; None where this is no OTLP answer."""
    # Some receivers answer in JSON, whatever the encoding of the request was. As protobuf `{` would
    # begin a group in field 15, which this message does not have.
    if body[:1] == b"{":
        return _rejected_json(body)
    answer = ExportLogsServiceResponse()
    try:
        answer.ParseFromString(body)
    except DecodeError:
        return None, ""
    return answer.partial_success.rejected_log_records, answer.partial_success.error_message


def _rejected_json(body: bytes) -> tuple[int | None, str]:
    try:
        found = orjson.loads(body)
        partial = found.get("partialSuccess") or {}
        return int(partial.get("rejectedLogRecords", 0)), str(partial.get("errorMessage", ""))
    except (AttributeError, ValueError, TypeError):
        return None, ""
