"""The OpenTelemetry Collector: its OTLP receiver, and the recipe in which it follows a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import Parse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData
from real_receivers import Sender, Started, free_port, program, until

from jwtleak.alerts.alert import Alert
from jwtleak.formats.interface import by_name
from jwtleak.formats.layout import milliseconds
from jwtleak.sinks.otlprecord import record

RECIPE = Path(__file__).resolve().parents[2] / "docs/integrations/recipes/otelcol.yaml"
INTO_A_FILE = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: 127.0.0.1:{port}}}}}}}}}
exporters: {{file: {{path: "{out}"}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{logs: {{receivers: [otlp], exporters: [file]}}}}
"""


class Collector:
    """One that writes what it gets into a file."""

    def __init__(self, start: Started, directory: Path) -> None:
        self.port = free_port()
        self._out = directory / "records.jsonl"
        config = directory / "into-a-file.yaml"
        config.write_text(INTO_A_FILE.format(port=self.port, out=self._out))
        start(program("otelcol", optional=True), f"--config=file:{config}", port=self.port)

    def records(self, count: int) -> list[tuple[dict[str, Any], LogRecord]]:
        """(Attributes of the resource, record) of everything that came, once `count` did."""

        def look() -> list[tuple[dict[str, Any], LogRecord]] | None:
            lines = self._out.read_bytes().splitlines(keepends=True) if self._out.exists() else []
            found = []
            for line in lines:
                for one in Parse(line, LogsData()).resource_logs if line.endswith(b"\n") else ():
                    resource = {
                        pair.key: pair.value.string_value for pair in one.resource.attributes
                    }
                    found += [
                        (resource, each) for scope in one.scope_logs for each in scope.log_records
                    ]
            return found if len(found) >= count else None

        records = until(look)
        assert isinstance(records, list)
        return records


@pytest.fixture
def collector(start: Started, tmp_path: Path) -> Collector:
    """A collector of its own."""
    return Collector(start, tmp_path)


def uid(one: LogRecord) -> str:
    """Whose alert it is."""
    return next(pair.value.string_value for pair in one.attributes if pair.key == "log.record.uid")


def value(one: AnyValue) -> Any:
    """As JSON has it."""
    match one.WhichOneof("value"):
        case "kvlist_value":
            return {pair.key: value(pair.value) for pair in one.kvlist_value.values}
        case "array_value":
            return [value(each) for each in one.array_value.values]
        case kind:
            return getattr(one, str(kind))


def test_otlp(collector: Collector, deliver: Sender, alerts: list[Alert]) -> None:
    """Every field of every record: times, severity, body and attributes."""
    health = deliver(f"otlp+http://127.0.0.1:{collector.port}", alerts)
    assert (health.sent, health.dead, health.retried) == (len(alerts), 0, 0)
    found = collector.records(len(alerts))
    assert [resource["host.name"] for resource, _ in found] == ["web-01"] * len(alerts)
    records = {uid(one): one for _, one in found}
    assert set(records) == {one.id for one in alerts}
    for alert in alerts:
        assert records[alert.id] == record(alert), alert.id


def test_the_recipe(
    collector: Collector, start: Started, alerts: list[Alert], tmp_path: Path
) -> None:
    """It follows a file of alerts in ECS and sends them on; only directories, ports and the
    receiver are exchanged.
    """
    logs = tmp_path / "log"
    logs.mkdir()
    (tmp_path / "storage").mkdir()
    encode = by_name("ecs").encode
    documents = {alert.id: encode(alert) for alert in alerts}
    (logs / "alerts.jsonl").write_bytes(b"".join(one + b"\n" for one in documents.values()))
    exchanged = {
        "/var/lib/otelcol/storage": f"{tmp_path}/storage",
        "/var/log/jwtleak/": f"{logs}/",
        "127.0.0.1:4318": f"127.0.0.1:{free_port()}",
        "https://logs.example.com:4318": f"http://127.0.0.1:{collector.port}",
    }
    text = RECIPE.read_text(encoding="utf-8")
    for old, new in exchanged.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "recipe.yaml").write_text(text)
    start(program("otelcol", optional=True), f"--config=file:{tmp_path}/recipe.yaml")
    found = collector.records(len(alerts))
    assert all(resource["service.name"] == "jwtleak" for resource, _ in found)
    records = {uid(one): one for _, one in found}
    assert len(found) == len(records) == len(alerts)
    levels = {"critical": 21, "high": 17, "medium": 13, "low": 9, "info": 9}
    for alert in alerts:
        one = records[alert.id]
        assert one.time_unix_nano == milliseconds(alert.detected_at) * 1_000_000
        assert one.severity_number == levels[alert.severity]
        assert value(one.body) == json.loads(documents[alert.id])
