"""The time that a log line states."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtleak.core.logtime import logged_at, needs_rest_of_line

NOON = 1768478551000  # 2026-01-15T12:02:31Z
CLF = b'203.0.113.9 - - [15/Jan/2026:12:02:31 +0000] "GET /a?from=2001-01-01T00:00:00Z HTTP/1.1" 200 12 "-" "-"'  # noqa: E501


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (CLF, NOON),
        (b"vhost:443 2001:db8::1 - alice [15/Jan/2026:13:02:31 +0100] x", NOON),
        (b"2026-01-15T12:02:31.123456789Z stdout F 2001-01-01 00:00:00 x", NOON + 123),
        (b"[2026-01-15 12:02:31,437] INFO x", NOON + 437),
        (b'"2026-01-15T12:02:31Z","b"', NOON),
        (b"\xef\xbb\xbf2026-01-15T12:02:31Z x", NOON),
        (b"\x1b[32m2026-01-15T12:02:31Z\x1b[0m x", NOON),
        (b"Jan 15 12:02:31 host app: x", NOON),
        (b"<34>Jan 15 12:02:31 host app: x", NOON),
        (b"<34>1 2026-01-15T12:02:31.000Z host app - ID47 - x", NOON),
        (b"2026/01/15 12:02:31 [error] 7#7: *1 open() failed", NOON),
        (b"[Thu Jan 15 12:02:31.123456 2026] [notice] x", NOON + 123),
        (b"Thu, 15 Jan 2026 12:02:31 GMT x", NOON),
        (b"I0115 12:02:31.123456       1 server.go:1] x", NOON + 123),
        (b"1:M 15 Jan 2026 12:02:31.123 * Ready", NOON + 123),
        (b"1768478551.123    300 10.0.0.1 TCP_MISS/200 1 GET http://x/", NOON + 123),
        (b"- 1768478551 2026.01.15 host x", NOON),
        (b"INFO 2026-01-15 12:02:31 x", NOON),
        (b"2026-01-15 12:02:31.123 UTC [7] LOG: x", NOON + 123),
        (
            b'{"log":"2001-01-01 00:00:00 x\\n","stream":"stdout","time":"2026-01-15T12:02:31.5Z"}',
            NOON + 500,
        ),
        (
            b'{"log":"{\\"time\\":\\"2001-01-01T00:00:00Z\\"}\\n","stream":"a","time":"2026-01-15T12:02:31Z"}',
            NOON,
        ),
        (
            b'{"log":"{\\"time\\":\\"2001-01-01T00:00:00Z\\"}\\n","stream":"a","time":"2026-01-15T12:02:31Z"',
            NOON,
        ),
        (
            b'a,"{""log"":""{\\""time\\"":\\""2001-01-01T00:00:00Z\\""}"",""time"":""2026-01-15T12:02:31Z""}"',
            NOON,
        ),
        (b'2026-01-15T12:02:31Z,1,"{""log"":""x"",""time"":""2026-01-15T12:02:31Z""}"', NOON),
        (b'{"level":"info","ts":1768478551.123,"msg":"x"}', NOON + 123),
        (b'{"time":1768478551123,"msg":"x"}', NOON + 123),
        (b'{"ts":"1768478551","msg":"x"}', NOON),
        (b'{"user":{"date":"2001-01-01T00:00:00Z"},"@timestamp":"2026-01-15T12:02:31Z"}', NOON),
        (b'{"time":"12:02:31","timestamp":1768478551}', NOON),
        (b'{"time":null,"ts":true,"date":1768478551}', NOON),
        (b'{"eventTime": "2026-01-15T12:02:31Z", "x": "cut here', NOON),
        (b'{"asctime": "2026-01-15 12:02:31,123", "x": 1}', NOON + 123),
        (b'{"time_local":"15/Jan/2026:12:02:31 +0000"}', NOON),
        (b"level=info ts=2026-01-15T12:02:31Z msg=x", NOON),
        (b'level=info msg="ts=2001-01-01T00:00:00Z" time="2026-01-15T12:02:31Z"', NOON),
        (b'level=info msg="a ts=2001-01-01T00:00:00Z" ts=1768478551', NOON),
        (b"type=SYSCALL msg=audit(1768478551.123:42): x", NOON + 123),
        (b'x "quoted 2001-01-01T00:00:00Z" then 2026-01-15T12:02:31Z', NOON),
        (b"GET /report?from=2001-01-01T00:00:00Z&token=", None),
        (b"GET /2001-01-01T00:00:00Z/x", None),
        (b'{"url":"/report?a=1&from=2001-01-01T00:00:00Z"}', None),
        (b"no time here at 12:02:31", None),
        (b"17/06/09 20:10:40 INFO ambiguous", None),
        (b"x" * 600 + b" 2026-01-15T12:02:31Z", None),
        (b"", None),
    ],
)
def test_formats(line: bytes, expected: int | None) -> None:
    """The record's own time is found, and not one that its text or a URL mentions."""
    assert logged_at(line, mtime_ms=NOON + 1000) == expected


def test_no_year_without_mtime() -> None:
    """A date without a year means nothing when it is not known when the file was written."""
    assert logged_at(b"Jan 15 12:02:31 host app: x") is None


def test_second_date_when_the_first_cannot_be_told() -> None:
    """A proxy's own date is used where the syslog date before it has no year."""
    assert (
        logged_at(b"Jan 15 12:02:31 lb haproxy[7]: 10.0.0.1:9 [15/Jan/2026:12:02:31.655] in")
        == NOON + 655
    )


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b'{"log":"got ', True),
        (b'  {"msg":"got ', True),
        (b'a,"{""log"":""got ', True),
        (b'{"log":"2026-01-15T12:02:31Z got ', True),
        (b'{"ts":1768478551,"msg":"got ', False),
        (b'2026-01-15T12:02:31Z,"{""log"":""got ', False),
        (b"Jan 15 12:02:31 host {", False),
        (CLF, False),
        (b"", False),
    ],
)
def test_needs_rest_of_line(start: bytes, expected: bool) -> None:
    """Only a JSON record that has not said its time can say it after the token."""
    assert needs_rest_of_line(start) is expected


@given(st.binary(max_size=300), st.none() | st.integers())
def test_never_raises(line: bytes, mtime: int | None) -> None:
    """No bytes make it raise."""
    logged_at(line, mtime_ms=mtime)
    needs_rest_of_line(line)


PIECES = [
    b'"',
    b"{",
    b"[",
    b":",
    b"\\",
    b"ts=",
    b'"time":',
    b"2026-01-15",
    b"T12:02:31",
    b" ",
    b"99",
]


@given(st.lists(st.sampled_from(PIECES)))
def test_never_raises_on_pieces(pieces: list[bytes]) -> None:
    """No arrangement of the pieces of times makes it raise."""
    logged_at(b"".join(pieces), mtime_ms=NOON)


def test_deep_nesting_is_text() -> None:
    """A record nested too deep for a parser is searched as text."""
    line = b'{"a":' * 3000 + b'"x","time":"2026-01-15T12:02:31Z"'
    assert logged_at(line) == NOON
