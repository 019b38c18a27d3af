"""VictoriaLogs: a real store behind `_bulk`, OTLP, Splunk's HEC and syslog."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from real_receivers import Sender, Started, free_port, program, until

from jwtleak.alerts.alert import Alert
from jwtleak.formats.interface import by_name
from jwtleak.formats.levels import LEVELS


class Logs:
    """A running store."""

    def __init__(self, start: Started, directory: Path) -> None:
        self.port, self.syslog = free_port(), free_port()
        start(
            program("victoria-logs", optional=True),
            f"-httpListenAddr=127.0.0.1:{self.port}",
            f"-storageDataPath={directory}/logs",
            f"-syslog.listenAddr.tcp=127.0.0.1:{self.syslog}",
            "-retentionPeriod=10y",
            "-loggerLevel=ERROR",
            "-memory.allowedBytes=256MiB",
            port=self.port,
        )

    def rows(self, count: int) -> list[dict[str, Any]]:
        """Everything in it, once `count` are there."""

        def look() -> list[dict[str, Any]] | None:
            url = f"http://127.0.0.1:{self.port}/select/logsql/query"
            answer = httpx.post(
                url, data={"query": "*", "limit": "5000"}, trust_env=False, timeout=30
            )
            found = [json.loads(line) for line in answer.text.splitlines()]
            return found if len(found) >= count else None

        rows = until(look)
        assert isinstance(rows, list)
        return rows


@pytest.fixture
def logs(start: Started, tmp_path: Path) -> Logs:
    """A store of its own."""
    return Logs(start, tmp_path)


def flat(value: Any, prefix: str = "") -> dict[str, str]:
    """A document as the store keeps it: dotted names, texts; lists as JSON; nothing that is
    empty.
    """
    found: dict[str, str] = {}
    for name, one in value.items():
        if isinstance(one, dict):
            found |= flat(one, f"{prefix}{name}.")
        elif isinstance(one, list):
            found[prefix + name] = json.dumps(one, separators=(",", ":"), ensure_ascii=False)
        elif isinstance(one, bool):
            found[prefix + name] = str(one).lower()
        elif not isinstance(one, float):  # 80.0 may be written 80
            found[prefix + name] = str(one)
    return found


def test_bulk(logs: Logs, deliver: Sender, alerts: list[Alert]) -> None:
    """Every field of every document, under its dotted name."""
    health = deliver(f"elastic+http://127.0.0.1:{logs.port}/insert/elasticsearch", alerts)
    assert (health.sent, health.dead) == (len(alerts), 0)
    rows = {one["event.id"]: one for one in logs.rows(len(alerts))}
    assert set(rows) == {one.id for one in alerts}
    encode = by_name("ecs").encode
    for alert in alerts:
        row = rows[alert.id]
        for name, value in flat(json.loads(encode(alert))).items():
            if name in ("@timestamp", "message") and name not in row:
                continue  # kept as _time and _msg
            assert row.get(name, "") == value, name


def test_otlp(logs: Logs, deliver: Sender, alerts: list[Alert]) -> None:
    """Protobuf, compressed: attributes, severity and body."""
    health = deliver(f"otlp+http://127.0.0.1:{logs.port}/insert/opentelemetry/v1/logs", alerts)
    assert (health.sent, health.dead) == (len(alerts), 0)
    rows = {one["log.record.uid"]: one for one in logs.rows(len(alerts))}
    assert set(rows) == {one.id for one in alerts}
    for alert in alerts:
        row = rows[alert.id]
        assert row["_msg"] == alert.title
        assert row["jwtleak.fingerprint"] == alert.token.sha256
        assert row["log.file.path"] == alert.location.path
        assert row["jwtleak.line"] == str(alert.location.line)
        assert row["jwtleak.token.kid"] == alert.token.kid
        assert row["host.name"] == "web-01"
        assert row["_time"].startswith(str(alert.logged_at)[:23])


def test_hec(logs: Logs, deliver: Sender, alerts: list[Alert], tmp_path: Path) -> None:
    """Splunk's protocol, compressed: what indexes an event, the indexed fields, and every field of
    the document. The store asks for no token and gives no acknowledgements.
    """
    token = tmp_path / "token"
    token.write_text("t0ken")
    health = deliver(f"hec+http://127.0.0.1:{logs.port}?token_file={token}&index=security", alerts)
    assert (health.sent, health.dead, health.retried) == (len(alerts), 0, 0)
    rows = {one["fields.id"]: one for one in logs.rows(len(alerts))}
    assert set(rows) == {one.id for one in alerts}
    encode = by_name("ecs").encode
    for alert in alerts:
        row = rows[alert.id]
        assert (row["index"], row["sourcetype"], row["host"]) == (
            "security",
            "jwtleak:alert",
            "web-01",
        )
        assert (row["source"], row["fields.file_path"], row["fields.dest"]) == (
            alert.location.path,
            alert.location.path,
            "web-01",
        )
        assert row["fields.jwt_fingerprint"] == alert.token.sha256
        assert row["fields.severity"] == LEVELS[alert.severity].cim
        assert row["fields.channel"] == alert.channel.type
        assert row["_time"] == alert.detected_at
        for name, value in flat(json.loads(encode(alert)), "event.").items():
            if name == "event.message":
                name = "_msg"
            assert row.get(name, "") == value, name


def test_syslog(logs: Logs, deliver: Sender, alerts: list[Alert]) -> None:
    """Octet-counted RFC 5424: structured data and message."""
    assert deliver(f"syslog+tcp://127.0.0.1:{logs.syslog}", alerts).sent == len(alerts)
    rows = logs.rows(len(alerts))
    found = {}
    for row in rows:
        assert row["app_name"] == "jwtleak"
        found[row["jwtleak@32473.id"]] = row["jwtleak@32473.fp"]
    assert found == {one.id: f"sha256:{one.token.sha256}" for one in alerts}
