"""`leef`: IBM's Log Event Extended Format 2.0 for QRadar, tab-separated. Beta: there is no
validator to check it with.

Promises: LEEF has no escapes, so what its grammar gives a meaning is replaced: a tab, newline or
other control anywhere (facts hold none), a pipe in the header. Keys come from a fixed table; a
value ends at the tab, whatever else it holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from jwtleak.alerts.alert import Alert
from jwtleak.formats.facts import Facts, facts, fitted
from jwtleak.formats.interface import FormatOptions
from jwtleak.formats.layout import CUSTOM
from jwtleak.formats.levels import LEVELS
from jwtleak.version import __version__

# Java's pattern for what `_dev_time` writes; the months are spelled here since Python's depend on
# the locale.
_TIME_FORMAT = "MMM dd yyyy HH:mm:ss.SSS z"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def camel(name: str) -> str:
    """`jwt.ttl_remaining_s` as `jwtTtlRemainingS`."""
    first, *rest = name.replace(".", "_").split("_")
    return first + "".join(part.capitalize() for part in rest)


# Attributes that QRadar knows, then those of our own.
KNOWN = (
    ("externalId", "id"),
    ("identHostName", "location.host"),
    ("resource", "location.path"),
    ("message", "title"),
    ("containerNamespace", "location.container.namespace"),
    ("containerPod", "location.container.pod"),
    ("containerPodUid", "location.container.pod_uid"),
    ("containerName", "location.container.name"),
    ("containerId", "location.container.id"),
)
# `sev` has the severity as a number; `eventKind`, since LEEF means something else by an event.
_NAMES = {"severity": "severityName", "event": "eventKind"}
OWN = tuple(
    (_NAMES.get(one.target, camel(one.target)), one.source, one.convert or (lambda value: value))
    for one in CUSTOM.fields
)


class Leef:
    """Alerts as LEEF."""

    name = "leef"
    media_type = "text/plain"

    def __init__(self, options: FormatOptions) -> None:
        self._options = options

    def encode(self, alert: Alert) -> bytes:
        """The event, without a newline or a syslog header."""
        return fitted(facts(alert, self._options), self._options.max_bytes, self._write)

    def _write(self, found: Facts) -> bytes:
        head = ("LEEF:2.0", "jwtleak", "jwtleak", __version__, found["rule.id"], "x09")
        attributes = "\t".join(f"{name}={value}" for name, value in _attributes(found))
        return "|".join([*(one.replace("|", "_") for one in head), attributes]).encode("utf-8")


def _attributes(found: Facts) -> Iterator[tuple[str, str]]:
    yield "devTime", _dev_time(found["time"])
    yield "devTimeFormat", _TIME_FORMAT
    yield "cat", "credential-leak"
    yield "sev", str(max(1, LEVELS[found["severity"]].cef))
    for name, source in KNOWN:
        if source in found:
            yield name, _text(found[source])
    for name, source, convert in OWN:
        if source in found:
            yield name, _text(convert(found[source]))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _dev_time(time: str) -> str:
    """`Jan 15 2026 12:02:31.123 UTC`."""
    moment = datetime.fromisoformat(time)
    return f"{_MONTHS[moment.month - 1]} {moment.day:02} {moment.year:04} {time[11:23]} UTC"


def make(options: FormatOptions) -> Leef:
    """The format with these options."""
    return Leef(options)
