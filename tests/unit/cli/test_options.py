"""The kinds of values that options take."""

from __future__ import annotations

import click
import pytest

from jwtleak.cli.options import DURATION, MOMENT, SIZE


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("65536", 65536),
        ("64k", 65536),
        ("64 KiB", 65536),
        ("2g", 2 << 30),
        ("1MB", 1 << 20),
        ("3t", 3 << 40),
    ],
)
def test_sizes(text, value):
    """A size is a number of bytes with an optional unit, in powers of 1024."""
    assert SIZE.convert(text, None, None) == value


@pytest.mark.parametrize("text", ["", "k", "-1", "1.5g", "1x", "9" * 30])
def test_no_sizes(text):
    """Anything else says what was expected."""
    with pytest.raises(click.BadParameter, match="is not a size such as 65536, 64k or 2g"):
        SIZE.convert(text, None, None)


@pytest.mark.parametrize(
    "text",
    [
        "1768478400",
        "1768478400.0",
        "2026-01-15T12:00:00Z",
        "2026-01-15T13:00:00+01:00",
        "2026-01-15 12:00:00",
    ],
)
def test_moments(text):
    """A time is RFC 3339, UTC unless it says otherwise, or Unix seconds."""
    assert MOMENT.convert(text, None, None) == 1_768_478_400


@pytest.mark.parametrize("text", ["", "now", "2026-13-01", "nan", "inf", "-inf", "1e300", "-5"])
def test_no_moments(text):
    """Anything else says what was expected."""
    with pytest.raises(click.BadParameter, match="is not a time such as 2026-01-15T12:00:00Z"):
        MOMENT.convert(text, None, None)


def test_values_that_are_ready():
    """Defaults pass as they are."""
    assert (SIZE.convert(5, None, None), MOMENT.convert(5.0, None, None)) == (5, 5.0)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("1.5h", 5400),
        ("30d", 2592000),
        ("0", 0),
        ("1w2d", 777600),
    ],
)
def test_durations(text, value):
    """A length of time is numbers with units, or seconds."""
    assert DURATION.convert(text, None, None) == value


@pytest.mark.parametrize("text", ["", "d", "-1s", "1y", "1e3", "9" * 20])
def test_no_durations(text):
    """Anything else says what was expected."""
    with pytest.raises(click.BadParameter, match="not a duration such as 30s, 5m or 1h30m"):
        DURATION.convert(text, None, None)
