"""`cef`: ArcSight Common Event Format, `CEF:0`.

Promises: only keys of the dictionary, within its lengths; every `csN`, `cnN` and custom date has
its label; what has no key stands as one JSON object in `cs5`. In the header backslash and pipe are
escaped, in values backslash and equals sign: an unescaped equals sign in a `kid` would forge a
field.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from jwtleak.alerts.alert import Alert
from jwtleak.formats.events import names_of
from jwtleak.formats.facts import Facts, facts, fitted
from jwtleak.formats.interface import FormatOptions
from jwtleak.formats.layout import CUSTOM, Field, Layout, encode_json, milliseconds
from jwtleak.formats.levels import LEVELS
from jwtleak.version import __version__

# What `csN` holds by the dictionary; and a host name, which is cut there.
_MAX_CUSTOM = 4000
_MAX_HOST = 100
_MAX_COUNT = 2**31 - 1


class CefKey(NamedTuple):
    """`key=` is the fact `source`, converted to text; `label` names what a custom field holds."""

    key: str
    source: str
    convert: Callable[[Any], Any] = str
    label: str = ""


def _list(values: list[str]) -> str:
    return " ".join(values)


KEYS = (
    CefKey("rt", "time", milliseconds),
    CefKey("start", "started", milliseconds),
    CefKey("end", "last_seen", milliseconds),
    CefKey("externalId", "id"),
    CefKey("cat", "rule.id", lambda _: "credential-leak"),
    CefKey("act", "action", lambda action: names_of(action).cef_action),
    CefKey("dvchost", "location.host", lambda host: host[:_MAX_HOST]),
    CefKey("filePath", "location.path"),
    CefKey("fname", "location.path", posixpath.basename),
    CefKey("cnt", "sightings.count", lambda count: min(count, _MAX_COUNT)),
    CefKey("reason", "reasons", ", ".join),
    CefKey("cs1", "token.sha256", "sha256:{}".format, "jwtFingerprint"),
    CefKey("cs2", "channel.type", str, "leakChannel"),
    CefKey("cs3", "token.issuer", str, "jwtIss"),
    CefKey("cs4", "token.audience", _list, "jwtAud"),
    CefKey("cs6", "token.subject_hash", str, "jwtSubHash"),
    CefKey("cn1", "location.line", int, "line"),
    CefKey("cn2", "location.offset", int, "byteOffset"),
    CefKey("cn3", "token.expires_in", int, "jwtTtlRemainingS"),
    CefKey("deviceCustomDate1", "token.expires_at", milliseconds, "jwtExp"),
    CefKey("deviceCustomDate2", "token.issued_at", milliseconds, "jwtIat"),
    CefKey("flexDate1", "detected_at", milliseconds, "detectedAt"),
    CefKey("flexString1", "token.status", str, "jwtStatus"),
    CefKey("flexString2", "excerpt", str, "excerpt"),
    CefKey("msg", "title"),
)
_SHOWN = {one.source for one in KEYS}
DETAILS = Layout(
    [one for one in CUSTOM.fields if one.source not in _SHOWN]
    + [
        Field(f"container.{name}", f"location.container.{name}")
        for name in ("namespace", "pod", "pod_uid", "name", "id")
    ]
)
DETAILS_KEY = CefKey("cs5", "", str, "details")


class Cef:
    """Alerts as CEF."""

    name = "cef"
    media_type = "text/plain"

    def __init__(self, options: FormatOptions) -> None:
        self._options = options

    def encode(self, alert: Alert) -> bytes:
        """The event, without a newline or a syslog header."""
        return fitted(facts(alert, self._options), self._options.max_bytes, self._write)

    def _write(self, found: Facts) -> bytes:
        head = (
            "CEF:0", "jwtleak", "jwtleak", __version__, found["rule.id"], found["title"], str(LEVELS[found["severity"]].cef),
        )  # fmt: skip
        extension = " ".join(f"{key}={_value(value)}" for key, value in _pairs(found))
        return "|".join([*map(_header, head), extension]).encode("utf-8")


def _pairs(found: Facts) -> Iterator[tuple[str, str]]:
    details = fitted({**found}, _MAX_CUSTOM, lambda left: encode_json(DETAILS.fill(left))).decode(
        "utf-8"
    )
    for one in (*KEYS, DETAILS_KEY):
        value = details if one is DETAILS_KEY else found.get(one.source)
        if value is None:
            continue
        # Parsers take blanks at the ends for those between pairs.
        text = str(one.convert(value)).strip()
        if text:
            if one.label:
                yield f"{one.key}Label", one.label
            yield one.key, text


def _header(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _value(text: str) -> str:
    return text.replace("\\", "\\\\").replace("=", "\\=")


def make(options: FormatOptions) -> Cef:
    """The format with these options."""
    return Cef(options)
