"""What a syslog receiver must have understood of each alert."""

from __future__ import annotations

import json
import re
from typing import Any

from jwtleak.alerts.alert import Alert
from jwtleak.formats.interface import FormatOptions, by_name
from jwtleak.formats.levels import LEVELS
from jwtleak.sinks.settings import from_url
from jwtleak.sinks.syslog import open_sink

_PAIR = re.compile(r' ([^ =]+)="((?:[^"\\\]]|\\["\\\]])*)"')


def structured(text: str) -> dict[str, str]:
    """The values of `[id a="b" ...]`, unescaped."""
    return {name: re.sub(r'\\(["\\\]])', r"\1", value) for name, value in _PAIR.findall(text)}


def ecs(alert: Alert) -> dict[str, Any]:
    """The document that the message holds."""
    sink = open_sink(from_url("syslog+tcp://localhost"))
    found = json.loads(
        by_name("ecs", FormatOptions(max_bytes=sink.max_bytes, ascii=True)).encode(alert)
    )
    assert isinstance(found, dict)
    return found


def check(found: dict[str, dict[str, Any]], alerts: list[Alert]) -> None:
    """Every field of every message: `found` is by id, with `pri`, `host`, `app`, `msgid`, `time`,
    `sd` and `msg`.
    """
    assert set(found) == {one.id for one in alerts}
    for alert in alerts:
        one = found[alert.id]
        assert int(one["pri"]) == 13 * 8 + LEVELS[alert.severity].syslog
        assert (one["host"], one["app"], one["msgid"]) == (
            "web-01",
            "jwtleak",
            f"jwt.{alert.channel.type}",
        )
        assert one["time"].startswith(alert.detected_at[:23])
        assert json.loads(one["msg"]) == ecs(alert)
        path = str(alert.location.path).encode("ascii", "replace").decode()
        assert one["sd"] == {
            "id": alert.id,
            "event": "leak",
            "severity": alert.severity,
            "fp": f"sha256:{alert.token.sha256}",
            "channel": alert.channel.type,
            "status": alert.token.status,
            "file": path,
            "line": str(alert.location.line),
            "offset": str(alert.location.offset),
        }
