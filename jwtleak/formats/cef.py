"""`cef`: ArcSight Common Event Format, `CEF:0`.

Promises: only keys of the CEF dictionary, within its lengths. Every `csN`, `cnN` and custom date
has its label. Facts without a key are one JSON object in `cs5`. The header escapes backslash and
pipe, values escape backslash and equals sign: an unescaped equals sign in a `kid` would forge a
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

# Lengths of the dictionary, for `csN` and for `dvchost`.
_MAX_CUSTOM = 4000
_MAX_HOST = 100
_MAX_COUNT = 2**31 - 1  # `cnt` is a 32-bit integer


class CefKey(NamedTuple):
    """The fact `source` under `key`, converted. `label` names the content of a custom field."""

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
_SHOWN = {key.source for key in KEYS}
DETAILS = Layout(
    [field for field in CUSTOM.fields if field.source not in _SHOWN]
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
        # CEF:Version | Device Vendor | Product | Version | Signature ID | Name | Severity
        head = (
            "CEF:0",
            "jwtleak",
            "jwtleak",
            __version__,
            found["rule.id"],
            found["title"],
            str(LEVELS[found["severity"]].cef),
        )
        extension = " ".join(f"{key}={_value(value)}" for key, value in _pairs(found))
        return "|".join([*map(_header, head), extension]).encode("utf-8")


def _pairs(found: Facts) -> Iterator[tuple[str, str]]:
    # A copy: the details lose facts to fit into `cs5`, and the other keys keep them.
    details = fitted({**found}, _MAX_CUSTOM, lambda left: encode_json(DETAILS.fill(left)))
    for key in (*KEYS, DETAILS_KEY):
        value = details.decode("utf-8") if key is DETAILS_KEY else found.get(key.source)
        if value is None:
            continue
        # Parsers split pairs at blanks, and count blanks at the ends of a value as separators.
        text = str(key.convert(value)).strip()
        if text:
            if key.label:
                yield f"{key.key}Label", key.label
            yield key.key, text


def _header(text: str) -> str:
    # CEF: an equals sign in the header and a pipe in the extension stay as they are.
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _value(text: str) -> str:
    # CEF would also escape line ends in a value: facts contain none.
    return text.replace("\\", "\\\\").replace("=", "\\=")


def make(options: FormatOptions) -> Cef:
    """The format with these options."""
    return Cef(options)
