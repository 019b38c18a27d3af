"""`gelf`: Graylog Extended Log Format 1.1, one flat JSON object.

Promises: values are strings or numbers; lists are joined. Our own names begin with `_jwtleak_`:
Graylog reserves `_id` and has a `source` of its own. Compression and chunks are the sink's work.
"""

from __future__ import annotations

from typing import Any

from jwtleak.alerts.alert import Alert
from jwtleak.formats.facts import Facts, facts, fitted
from jwtleak.formats.interface import FormatOptions
from jwtleak.formats.layout import CUSTOM, encode_json, milliseconds, only_ascii
from jwtleak.formats.levels import LEVELS

KNOWN = (
    ("_event_id", "id"),
    ("_rule_id", "rule.id"),
    ("_rule_name", "rule.name"),
    ("_file_path", "location.path"),
    ("_container_namespace", "location.container.namespace"),
    ("_container_pod", "location.container.pod"),
    ("_container_pod_uid", "location.container.pod_uid"),
    ("_container_name", "location.container.name"),
    ("_container_id", "location.container.id"),
)
OWN = tuple(
    (f"_jwtleak_{field.target.replace('.', '_')}", field.source, field.convert)
    for field in CUSTOM.fields
)


class GelfFormat:
    """Alerts as GELF."""

    name = "gelf"
    media_type = "application/json"

    def __init__(self, options: FormatOptions) -> None:
        self._options = options
        self._finish = only_ascii if options.ascii else bytes

    def encode(self, alert: Alert) -> bytes:
        """The message as one line of JSON, without a newline or a NUL."""
        return fitted(facts(alert, self._options), self._options.max_bytes, self._write)

    def _write(self, found: Facts) -> bytes:
        message: dict[str, Any] = {
            "version": "1.1",
            # Graylog drops a message without a host, or with a blank one.
            "host": found.get("location.host", "").strip() or "unknown",
            "short_message": found["title"],
            # Seconds with a fraction, as GELF 1.1 has it.
            "timestamp": milliseconds(found["time"]) / 1000,
            "level": LEVELS[found["severity"]].syslog,
        }
        for name, source in KNOWN:
            if source in found:
                message[name] = found[source]
        for name, source, convert in OWN:
            if source in found:
                message[name] = _flat(found[source] if convert is None else convert(found[source]))
        return self._finish(encode_json(message))


def _flat(value: Any) -> str | int:
    # Before the test for int: a bool is an int, and GELF has no booleans.
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(value)
    return value if isinstance(value, int) else str(value)


def make(options: FormatOptions) -> GelfFormat:
    """The format with these options."""
    return GelfFormat(options)
