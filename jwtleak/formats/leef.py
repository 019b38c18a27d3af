"""`leef`: IBM's Log Event Extended Format 2.0 for QRadar, tab-separated. Beta: there is no
validator to check it with.

Promises: LEEF has no escapes, so characters of its grammar are replaced: a pipe in the header.
Facts contain no tab, newline or other control character. Keys come from a fixed table. A value ends
at the tab, whatever else it contains.
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

# Java's pattern for the output of `_dev_time`. The months are spelled out here: those of `strftime`
# depend on the locale.
_TIME_FORMAT = "MMM dd yyyy HH:mm:ss.SSS z"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def camel(name: str) -> str:
    """`jwt.ttl_remaining_s` as `jwtTtlRemainingS`."""
    first, *rest = name.replace(".", "_").split("_")
    return first + "".join(part.capitalize() for part in rest)


# Attributes that QRadar knows; OWN are ours.
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
# `sev` is the severity as a number. `event` has another meaning in LEEF.
_NAMES = {"severity": "severityName", "event": "eventKind"}
OWN = tuple(
    (
        _NAMES.get(field.target, camel(field.target)),
        field.source,
        field.convert or (lambda value: value),
    )
    for field in CUSTOM.fields
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
        # LEEF:2.0 | Vendor | Product | Version | EventID | delimiter of the attributes, in hex
        head = ("LEEF:2.0", "jwtleak", "jwtleak", __version__, found["rule.id"], "x09")
        attributes = "\t".join(f"{name}={value}" for name, value in _attributes(found))
        return "|".join([*(part.replace("|", "_") for part in head), attributes]).encode("utf-8")


def _attributes(found: Facts) -> Iterator[tuple[str, str]]:
    # A `devTime` that is no number needs its pattern beside it.
    yield "devTime", _dev_time(found["time"])
    yield "devTimeFormat", _TIME_FORMAT
    yield "cat", "credential-leak"
    # LEEF has 1 to 10 where CEF has 0 to 10.
    yield "sev", str(max(1, LEVELS[found["severity"]].cef))
    for name, source in KNOWN:
        if source in found:
            yield name, _text(found[source])
    for name, source, convert in OWN:
        if source in found:
            yield name, _text(convert(found[source]))


def _text(value: Any) -> str:
    # `str` would write Python's `True`: the other formats say `true`.
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _dev_time(time: str) -> str:
    """`Jan 15 2026 12:02:31.123 UTC`."""
    moment = datetime.fromisoformat(time)
    # An alert's times have one form, RFC 3339 in UTC with milliseconds: the clock is cut out of it.
    return f"{_MONTHS[moment.month - 1]} {moment.day:02} {moment.year:04} {time[11:23]} UTC"


def make(options: FormatOptions) -> Leef:
    """The format with these options."""
    return Leef(options)
