"""Layouts: tables that map facts to fields of a document.

Promises: a table describes a format completely; reference pages, index templates and tests come
from it. An absent fact leaves no null and no empty object. CUSTOM_FIELDS is complete: every fact of
an alert is in it, or has a field in every format (id, times, host, path). No custom field is a list
of objects, takes its name from a claim, or changes its type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias

import orjson

from jwtleak.formats.facts import Facts

# The type of a field in a search index.
Type: TypeAlias = Literal["keyword", "long", "float", "date", "boolean", "text", "ip"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

# The bytes are those that msgspec writes for every string, for integers of 64 bits, and for floats
# below 1e16. Larger floats differ (`1e+16` for `1e16`); no fact is as large.
encode_json = orjson.dumps


class Field(NamedTuple):
    """The fact `source` goes to the field `target`, as it is or converted."""

    target: str
    source: str
    type: Type = "keyword"
    convert: Callable[[Any], Any] | None = None


class Layout:
    """A table of fields."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self.fields = tuple(fields)
        # Targets are split once: `fill` runs for every alert.
        self._steps = [
            (*_split(field.target), field.source, field.convert) for field in self.fields
        ]

    def fill(self, facts: Facts, into: dict[str, Any] | None = None) -> dict[str, Any]:
        """The facts as a tree, added to `into` if it is not None."""
        tree: dict[str, Any] = {} if into is None else into
        for above, name, source, convert in self._steps:
            value = facts.get(source)
            # Before the objects above it are made: an absent fact leaves no empty object.
            if value is None:
                continue
            place = tree
            # An object may be there already: the format's head, or a field before this one.
            for step in above:
                place = place.setdefault(step, {})
            place[name] = value if convert is None else convert(value)
        return tree


def _split(target: str) -> tuple[tuple[str, ...], str]:
    *above, name = target.split(".")
    return tuple(above), name


def milliseconds(time: str) -> int:
    """Unix milliseconds of an alert's time."""
    return (datetime.fromisoformat(time) - _EPOCH) // _MILLISECOND


def only_ascii(data: bytes) -> bytes:
    """The same JSON in ASCII. Other characters occur only in strings, where RFC 8259 section 7 lets
    them be escaped.
    """
    if data.isascii():
        return data
    return b"".join(_escaped(sign) for sign in data.decode("utf-8"))


def _escaped(sign: str) -> bytes:
    code = ord(sign)
    if code < 0x80:
        return sign.encode("ascii")
    if code < 0x10000:
        return b"\\u%04x" % code
    # Beyond the basic plane JSON escapes a surrogate pair (RFC 8259 section 7).
    code -= 0x10000
    return b"\\u%04x\\u%04x" % (0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF))


# The fields of `jwtleak.*`: facts that no standard names, with the same names in every format.
CUSTOM_FIELDS = (
    Field("schema", "schema"),
    Field("event", "event"),
    Field("severity", "severity"),
    Field("confidence", "confidence"),
    Field("reasons", "reasons"),
    Field("suppressed", "suppressed"),
    Field("supersedes", "supersedes"),
    Field("fingerprint", "token.sha256", convert="sha256:{}".format),
    Field("redacted", "token.redacted"),
    Field("status", "token.status"),
    Field("channel", "channel.type"),
    Field("parameter", "channel.name"),
    Field("encodings", "channel.encodings"),
    Field("source", "location.source"),
    Field("member", "location.member"),
    Field("line", "location.line", "long"),
    Field("column", "location.column", "long"),
    Field("offset", "location.offset", "long"),
    Field("length", "location.length", "long"),
    Field("stream", "location.container.stream"),
    Field("count", "sightings.count", "long"),
    Field("first_offset", "sightings.first_offset", "long"),
    Field("last_offset", "sightings.last_offset", "long"),
    Field("detected_at", "detected_at", "date"),
    Field("logged_at", "logged_at", "date"),
    Field("first_seen", "first_seen", "date"),
    Field("last_seen", "last_seen", "date"),
    Field("live_when_logged", "live_when_logged", "boolean"),
    Field("excerpt", "excerpt"),
    Field("advice", "advice"),
    Field("references", "references"),
    Field("pattern", "pattern"),
    Field("truncated", "truncated", "boolean"),
    Field("jwt.kind", "token.kind"),
    Field("jwt.alg", "token.alg"),
    Field("jwt.enc", "token.enc"),
    Field("jwt.kid", "token.kid"),
    Field("jwt.typ", "token.typ"),
    Field("jwt.iss", "token.issuer"),
    Field("jwt.aud", "token.audience"),
    Field("jwt.iat", "token.issued_at", "date"),
    Field("jwt.nbf", "token.not_before", "date"),
    Field("jwt.exp", "token.expires_at", "date"),
    Field("jwt.ttl_remaining_s", "token.expires_in", "long"),
    Field("jwt.lifetime_s", "token.lifetime", "long"),
    Field("jwt.scopes", "token.scopes"),
    Field("jwt.sub_hash", "token.subject_hash"),
    Field("jwt.provider", "token.provider"),
    Field("jwt.use", "token.use"),
    Field("jwt.signature", "token.signature"),
    Field("jwt.weaknesses", "token.weaknesses"),
    Field("jwt.length", "token.length", "long"),
)
CUSTOM = Layout(CUSTOM_FIELDS)
