"""Timestamps of every form."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtleak.core import timestamps

NOON = 1768478551000  # 2026-01-15T12:02:31Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"2026-01-15T12:02:31Z", NOON),
        (b"2026-01-15t12:02:31z", NOON),
        (b"2026-01-15 12:02:31", NOON),
        (b"2026/01/15 12:02:31", NOON),
        (b"2026-01-15T12:02:31.5Z", NOON + 500),
        (b"2026-01-15 12:02:31,123 INFO", NOON + 123),
        (b"2026-01-15T12:02:31.123456789Z", NOON + 123),
        (b"2026-01-15T13:02:31+01:00", NOON),
        (b"2026-01-15T13:02:31+0100", NOON),
        (b"2026-01-15 13:02:31.000+01", NOON),
        (b"2026-01-15 12:02:31.123 UTC", NOON + 123),
        (b"2026-01-15 07:02:31 EST", NOON),
        (b"2026-01-15 13:02:31 CET", NOON),
        (b"2026-01-15 12:02:31 +0000 UTC", NOON),
        (b"2026-01-15T06:32:31-05:30", NOON),
        (b"2026-01-15 12:02:31 ESTABLISHED", NOON),
        (b"2026-01-15T12:01:60Z", NOON - 31_000),
        (b"2026-02-30T12:02:31Z", None),
        (b"2026-01-15T24:02:31Z", None),
        (b"2026-01-15T12:60:31Z", None),
        (b"2026-01-15T12:02:61Z", None),
        (b"1989-12-31T23:59:59Z", None),
        (b"2100-01-01T00:00:00Z", None),
        (b"2026-01/15T12:02:31Z", None),
        (b"2026-01-15", None),
        (b"", None),
        (b"2026-01-15T12:02 and no seconds", None),
    ],
)
def test_iso(text: bytes, expected: int | None) -> None:
    """ISO 8601 is read with any fraction and zone, and as UTC without one."""
    assert timestamps.iso(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"15/Jan/2026:12:02:31 +0000]", NOON),
        (b"15/Jan/2026:13:02:31 +0100]", NOON),
        (b"15/Jan/2026:12:02:31.123 +0000]", NOON + 123),
        (b"15/Jan/2026:12:02:31.123]", NOON + 123),
        (b"15-Jan-2026 12:02:31.123 INFO", NOON + 123),
        (b"15 Jan 2026 12:02:31 GMT", NOON),
        (b"5 Jan 2026 12:02:31 GMT", NOON - 864_000_000),
        (b"31/Feb/2026:12:02:31 +0000]", None),
        (b"15/Foo/2026:12:02:31 +0000]", None),
        (b"15/Jan/2026:12:02:99 +0000]", None),
    ],
)
def test_day(text: bytes, expected: int | None) -> None:
    """The common log format and its kin are read."""
    assert timestamps.day(text) == expected


@pytest.mark.parametrize(
    ("text", "mtime", "expected"),
    [
        (b"Jan 15 12:02:31 host", NOON, NOON),
        (b"Jan 15 12:02:31 host", NOON + 300 * 86_400_000, NOON),
        (b"Jan 15 12:02:31 host", NOON - 86_400_000, NOON),
        (b"Jan 15 12:02:31 host", NOON - 86_400_001, NOON - 365 * 86_400_000),
        (b"Dec 31 23:59:59 host", 1767225600000, 1767225599000),
        (b"Jan  5 12:02:31 host", NOON, NOON - 864_000_000),
        (b"Jan 15 12:02:31.5 host", NOON, NOON + 500),
        (b"Feb 29 00:00:00 host", NOON, 1709164800000),
        (b"Feb 30 00:00:00 host", NOON, None),
        (b"Jan 15 25:02:31 host", NOON, None),
        (b"Jan 15 12:02:31 host", None, None),
        (b"Jan 15 12:02:31 host", -(10**18), None),
        (b"Jan 15 2026 12:02:31: asa", None, NOON),
        (b"Jan 15 12:02:31 2026]", None, NOON),
        (b"Jan 15 12:02:31.123456 2026]", None, NOON + 123),
    ],
)
def test_bsd(text: bytes, mtime: int | None, expected: int | None) -> None:
    """A syslog date takes the latest year that is not more than a day after the file was last
    written.
    """
    assert timestamps.bsd(text, 0, mtime) == expected


def test_klog() -> None:
    """The Kubernetes header has no year either."""
    assert timestamps.klog(b"I0115 12:02:31.123456       1 server.go:1] x", 0, NOON) == NOON + 123
    assert timestamps.klog(b"I0115 12:02:31.123456       1 server.go:1] x") is None
    assert timestamps.klog(b"I0115 99:02:31.123456       1 server.go:1] x", 0, NOON) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"20260115T120231Z", NOON),
        (b"20260115T130231+0100", NOON),
        (b"20260115T120231.5", NOON + 500),
        (b"20261315T120231Z", None),
        (b"20260115T250231Z", None),
        (b"2026011T120231Z", None),
    ],
)
def test_basic(text: bytes, expected: int | None) -> None:
    """ISO 8601's basic format is read."""
    assert timestamps.basic(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"1768478551", NOON),
        (b"1768478551.123 rest", NOON + 123),
        (b"1768478551123", NOON + 123),
        (b"1768478551123456", NOON + 123),
        (b"1768478551123456789", NOON + 123),
        (b"17684785", None),
        (b"99999999999", None),
        (b"1768478551x", None),
        (b"", None),
    ],
)
def test_number(text: bytes, expected: int | None) -> None:
    """The unit of a Unix time is the one that makes its year plausible."""
    assert timestamps.number(text) == expected


def test_epoch_floats() -> None:
    """A Unix time as a JSON number keeps its milliseconds."""
    assert timestamps.epoch(1768478551.123) == NOON + 123
    assert timestamps.epoch(float("inf")) is None
    assert timestamps.epoch(float("nan")) is None
    assert timestamps.epoch(-5) is None


def test_stamps_from_the_left() -> None:
    """Every date in a text is given with its place, impossible ones left out."""
    text = b"a 2026-99-15 12:02:31 b 2026-01-15 12:02:31 c 15/Jan/2026:12:02:31 +0000]"
    assert list(timestamps.stamps(text)) == [(24, NOON), (46, NOON)]


@given(st.datetimes(datetime(1990, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC)))
def test_agrees_with_datetime(moment: datetime) -> None:
    """Every moment that Python writes as ISO 8601 or as a web server does is read back to the
    millisecond.
    """
    expected = int(moment.replace(microsecond=0).timestamp()) * 1000
    assert timestamps.iso(moment.isoformat().encode()) == expected + moment.microsecond // 1000
    assert timestamps.day(moment.strftime("%d/%b/%Y:%H:%M:%S +0000]").encode()) == expected


@given(st.binary(max_size=80), st.integers(), st.integers(0, 80))
def test_never_raises(text: bytes, mtime: int, at: int) -> None:
    """No bytes and no time of writing make a reader raise."""
    list(timestamps.stamps(text, mtime))
    for read in (timestamps.iso, timestamps.day, timestamps.basic, timestamps.number):
        read(text, at)
    for dated in (timestamps.bsd, timestamps.klog):
        dated(text, at, mtime)


def test_a_date_of_no_year() -> None:
    """A date that no calendar has is no time, whatever the year may be."""
    assert timestamps.bsd(b"Feb 30 12:02:31", 0, NOON) is None
    assert timestamps.klog(b"I0230 12:02:31.123456", 0, NOON) is None


@pytest.mark.parametrize("zone", [b"+15:00", b"-14:60", b" +9900"])
def test_an_impossible_zone(zone: bytes) -> None:
    """A stamp with an offset that no place has is read as UTC."""
    assert timestamps.iso(b"2026-01-15T12:02:31" + zone) == NOON
