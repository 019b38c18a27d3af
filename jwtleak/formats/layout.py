"""Layouts: tables that say which fact goes where in a document.

Promises: a table is all that a reader needs to know of a format; the pages, the index templates and the tests are made
from it. An absent fact leaves no trace: no null, no empty object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from jwtleak.formats.facts import Facts

# How a search index should keep it.
Type: TypeAlias = Literal["keyword", "long", "float", "date", "boolean", "text", "ip"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

encode_json = msgspec.json.Encoder().encode


class Field(NamedTuple):
    """`target` is filled with the fact `source`, as it is or converted."""

    target: str
    source: str
    type: Type = "keyword"
    convert: Callable[[Any], Any] | None = None


class Layout:
    """A table, ready to be filled."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self.fields = tuple(fields)
        self._steps = [(*_split(one.target), one.source, one.convert) for one in self.fields]

    def fill(self, facts: Facts, into: dict[str, Any] | None = None) -> dict[str, Any]:
        """The facts as a tree; `into` is added to if given."""
        tree: dict[str, Any] = {} if into is None else into
        for above, name, source, convert in self._steps:
            value = facts.get(source)
            if value is None:
                continue
            place = tree
            for one in above:
                place = place.setdefault(one, {})
            place[name] = value if convert is None else convert(value)
        return tree


def _split(target: str) -> tuple[tuple[str, ...], str]:
    *above, name = target.split(".")
    return tuple(above), name


def milliseconds(time: str) -> int:
    """Unix milliseconds of an alert's time."""
    return (datetime.fromisoformat(time) - _EPOCH) // _MILLISECOND


def only_ascii(data: bytes) -> bytes:
    """The same JSON in ASCII: characters beyond it stand only in strings, where they may be escaped (RFC 8259 section 7)."""
    if data.isascii():
        return data
    return b"".join(_escaped(sign) for sign in data.decode("utf-8"))


def _escaped(sign: str) -> bytes:
    code = ord(sign)
    if code < 0x80:
        return sign.encode("ascii")
    if code < 0x10000:
        return b"\\u%04x" % code
    code -= 0x10000
    return b"\\u%04x\\u%04x" % (0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF))
