"""The time that a log line states.

Three places, in this order: the beginning of the line; a time field of its JSON or logfmt; the
first date in the line that is not part of a URL.

Promises: the record's time in Unix milliseconds, UTC, or None. Never an exception. Time linear in
the line. A time without a zone is UTC: only the machine that wrote it knows better.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

import msgspec

from jwtleak.core import timestamps
from jwtleak.core.lazy_regex import lazy

# Before its time a record has at most a host, an identity and a user (CLF), or a level and a
# logger: 160 bytes.
_HEAD: Final = 160
# A date that no rule explains counts only this near to the beginning. Later dates are what the
# record talks about.
_NEAR: Final = 512
# Longest line read. The caller keeps 8 KiB before a token and 4 KiB behind it.
_LINE: Final = 16 * 1024

# The head of a line ends at quoted text, JSON, or the parameters of a URL or logfmt: they say what
# happened, not when.
_MESSAGE: Final = lazy(rb"""["'{=?&]""")
# Byte order mark, colour, syslog priority and version (RFC 5424 section 6.2), brackets before the
# first stamp.
_OPENING: Final = lazy(
    rb"""(?:\xef\xbb\xbf)?(?:\x1b\[[\d;]{0,16}m)?(?:<\d{1,3}>(?:\d{1,2} )?)?[\s\[("'*-]{0,4}"""
)

_NAMES: Final = (
    rb"@timestamp|timestamp|eventTime|time|ts|datetime|date|asctime|@t|timeMillis"
    rb"|time_iso8601|time_local"
)
# A quote behind a backslash belongs to a record inside this record's text. CSV doubles quotes.
_JSON: Final = lazy(rb'(?<![\\"])("{1,2})(?:' + _NAMES + rb')\1\s{0,4}:\s{0,4}"{0,2}')
_LOGFMT: Final = lazy(rb"(?:^|(?<=[\s,;]))(?:(?:" + _NAMES + rb')="?|msg=audit\()')
_LOGFMT_SIGNS: Final = (b"ts=", b"ime=", b"stamp=", b"date=", b"audit(")
# Fields tried in one line. More than this many `ts=` are text written to be costly.
_FIELDS: Final = 16
_DOCKER: Final = lazy(rb'\{\s{0,4}("{1,2})log\1\s{0,4}:\s{0,4}"')
_PARAMETER: Final = lazy(rb"[?&;/][^\s\"'?&;/]{0,128}\Z")


class _Record(msgspec.Struct, gc=False):
    """The top-level fields of a JSON record that can hold its time, in order of trust."""

    at_timestamp: float | int | str | None = msgspec.field(default=None, name="@timestamp")
    timestamp: float | int | str | None = None
    event_time: float | int | str | None = msgspec.field(default=None, name="eventTime")
    time: float | int | str | None = None
    ts: float | int | str | None = None
    datetime: float | int | str | None = None
    date: float | int | str | None = None
    asctime: float | int | str | None = None
    at_t: float | int | str | None = msgspec.field(default=None, name="@t")
    time_millis: float | int | str | None = msgspec.field(default=None, name="timeMillis")
    time_iso8601: float | int | str | None = None
    time_local: float | int | str | None = None


_RECORD: Final = msgspec.json.Decoder(_Record)


def logged_at(line: bytes, *, mtime_ms: int | None = None) -> int | None:
    """The time that `line` states, in Unix milliseconds.

    `line` is one log line, whole or cut. `mtime_ms` is the file's last modification in Unix
    milliseconds; a date without a year needs it.
    """
    found = _first(line)
    return found if found is not None else _searched(line[:_LINE], mtime_ms)


def _searched(line: bytes, mtime_ms: int | None) -> int | None:
    # The machine that wrote the record put its time first; a field is named as a time; any other
    # date may be what the record is about.
    found = _head(line, mtime_ms)
    if found is None:
        found = _field(line)
    return found if found is not None else _anywhere(line[:_NEAR], mtime_ms)


def needs_rest_of_line(line_start: bytes) -> bool:
    """Whether the rest of the line may state the time: a JSON record without it so far."""
    # Members of a JSON object have no order (RFC 8259 section 1): the time may follow the token.
    if b"{" not in line_start or not (
        line_start.lstrip()[:1] == b"{" or _DOCKER.search(line_start, 0, _NEAR)
    ):
        return False
    return (
        _first(line_start) is None and _head(line_start, 0) is None and _field(line_start) is None
    )


def _first(line: bytes) -> int | None:
    """The two most common beginnings, ISO 8601 and the common log format, without a search."""
    found = timestamps.iso(line)
    if found is not None:
        return found
    at = line.find(b"[", 0, _HEAD) + 1
    # Behind a quote the date is the client's text: a request for `/[15/Jan/2026...`.
    return timestamps.day(line, at) if at and line.find(b'"', 0, at) < 0 else None


def _head(line: bytes, mtime_ms: int | None) -> int | None:
    """A time before the message begins."""
    opening = _OPENING.match(line)
    at = opening.end() if opening else 0
    if (found := timestamps.iso(line, at)) is not None or (
        found := timestamps.number(line, at)
    ) is not None:
        return found
    # A date at the very beginning is the record's own, also in quotes (CSV). One behind it counts
    # only before the message: `Jan 15 12:02:31 lb haproxy[7]: 10.0.0.1:9 [15/Jan/2026:...`.
    stop = _MESSAGE.search(line, at, _HEAD)
    return next(
        (ms for _, ms in timestamps.stamps(line[at : stop.start() if stop else _HEAD], mtime_ms)),
        None,
    )


def _field(line: bytes) -> int | None:
    """The time field of a JSON record, whole or cut, or of logfmt."""
    if line[:1] == b"{":
        try:
            return _of(_RECORD.decode(line))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass  # cut, redacted, or no JSON: search its text
    if b'":' in line and (found := _json_text(line)) is not None:
        return found
    return _logfmt(line) if any(sign in line for sign in _LOGFMT_SIGNS) else None


def _json_text(line: bytes) -> int | None:
    places = [match.end() for match in islice(_JSON.finditer(line), _FIELDS)]
    if _DOCKER.search(line, 0, _NEAR):
        # Docker writes its time behind the container's text, which may hold times too.
        places.reverse()
    return next((ms for at in places if (ms := _value(line, at)) is not None), None)


def _logfmt(line: bytes) -> int | None:
    for match in islice(_LOGFMT.finditer(line), _FIELDS):
        # A key inside a quoted value (`msg="time=..."`) is no key of this record.
        at = match.start()
        quotes = line.count(b'"', 0, at) - line.count(b'\\"', 0, at)
        if quotes % 2 == 0 and (found := _value(line, match.end())) is not None:
            return found
    return None


def _of(record: _Record) -> int | None:
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if value is None:
            continue
        found = _value(value.encode(), 0) if isinstance(value, str) else timestamps.epoch(value)
        # `"time":"12:02:31"` has no date: a later field may have the whole time.
        if found is not None:
            return found
    return None


def _value(line: bytes, at: int) -> int | None:
    """A date or a number that begins at `at`."""
    if (found := timestamps.iso(line, at)) is not None or (
        found := timestamps.number(line, at)
    ) is not None:
        return found
    near = line[at : at + 40]
    # Up to six bytes before the date: `[`, or a weekday.
    return next((ms for start, ms in timestamps.stamps(near) if start < 6), None)


def _anywhere(text: bytes, mtime_ms: int | None) -> int | None:
    """The first date outside quotes, or else inside, that is not part of a URL."""
    quoted = None
    for at, found in timestamps.stamps(text, mtime_ms):
        # `/archive/2026-01-15 12:00` and `?since=2026-01-15T12:00` are dates that somebody asked
        # for.
        if text[max(0, at - 1) : at] in (b"/", b"%") or _PARAMETER.search(
            text, max(0, at - 130), at
        ):
            continue
        if text.count(b'"', 0, at) % 2 == 0:
            return found
        quoted = found if quoted is None else quoted
    return quoted
