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
from jwtleak.formats.facts import Facts, facts, fitted
from jwtleak.formats.interface import Options
from jwtleak.formats.layout import CUSTOM, Field, Layout, encode_json, milliseconds
from jwtleak.formats.levels import LEVELS
from jwtleak.version import __version__

# What `csN` holds by the dictionary; and a host name, which is cut there.
_MAX_CUSTOM = 4000
_MAX_HOST = 100
_MAX_COUNT = 2**31 - 1
_ACTION = {
    "leak": "detected",
    "repeat": "repeated",
    "suppressed": "suppressed",
    "heartbeat": "heartbeat",
    "test": "test",
}


class Key(NamedTuple):
    """`key=` is the fact `source`, converted to text; `label` names what a custom field holds."""

    key: str
    source: str
    convert: Callable[[Any], Any] = str
    label: str = ""


def _list(values: list[str]) -> str:
    return " ".join(values)


KEYS = (
    Key("rt", "time", milliseconds),
    Key("start", "started", milliseconds),
    Key("end", "last_seen", milliseconds),
    Key("externalId", "id"),
    Key("cat", "rule.id", lambda _: "credential-leak"),
    Key("act", "action", _ACTION.__getitem__),
    Key("dvchost", "location.host", lambda host: host[:_MAX_HOST]),
    Key("filePath", "location.path"),
    Key("fname", "location.path", posixpath.basename),
    Key("cnt", "sightings.count", lambda count: min(count, _MAX_COUNT)),
    Key("reason", "reasons", ", ".join),
    Key("cs1", "token.sha256", "sha256:{}".format, "jwtFingerprint"),
    Key("cs2", "channel.type", str, "leakChannel"),
    Key("cs3", "token.issuer", str, "jwtIss"),
    Key("cs4", "token.audience", _list, "jwtAud"),
    Key("cs6", "token.subject_hash", str, "jwtSubHash"),
    Key("cn1", "location.line", int, "line"),
    Key("cn2", "location.offset", int, "byteOffset"),
    Key("cn3", "token.expires_in", int, "jwtTtlRemainingS"),
    Key("deviceCustomDate1", "token.expires_at", milliseconds, "jwtExp"),
    Key("deviceCustomDate2", "token.issued_at", milliseconds, "jwtIat"),
    Key("flexDate1", "detected_at", milliseconds, "detectedAt"),
    Key("flexString1", "token.status", str, "jwtStatus"),
    Key("flexString2", "excerpt", str, "excerpt"),
    Key("msg", "title"),
)
_SHOWN = {one.source for one in KEYS}
DETAILS = Layout(
    [one for one in CUSTOM.fields if one.source not in _SHOWN]
    + [
        Field(f"container.{name}", f"location.container.{name}")
        for name in ("namespace", "pod", "pod_uid", "name", "id")
    ]
)
DETAILS_KEY = Key("cs5", "", str, "details")


class Cef:
    """Alerts as CEF."""

    name = "cef"
    media_type = "text/plain"

    def __init__(self, options: Options) -> None:
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


def make(options: Options) -> Cef:
    """The format with these options."""
    return Cef(options)
