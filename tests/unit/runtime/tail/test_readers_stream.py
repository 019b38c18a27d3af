"""What is known of a stream."""

from __future__ import annotations

from tailing import cursor

from jwtleak.follow.interface import Opened
from jwtleak.runtime.tail.readers import TailStream


def test_it_begins_at_its_cursor() -> None:
    """Reading and judging begin where the cursor stands; a file without a time has none."""
    stream = TailStream(Opened("a", "/logs/a", cursor("a", offset=10, lines=2, line_start=8), 30))
    assert (stream.offset, stream.read, stream.lines, stream.line_start, stream.backlog) == (
        10,
        10,
        2,
        8,
        20,
    )
    assert stream.mtime_ms is None


def test_what_was_told_is_not_read_again() -> None:
    """It begins behind that, unless it is asked to."""
    stream = TailStream(Opened("a", "/logs/a", cursor("a", offset=10, reported=25, read=28), 30))
    assert (stream.offset, stream.read, stream.backlog) == (10, 25, 5)
    stream.again()
    assert (stream.read, stream.told, stream.backlog) == (10, 25, 20)


def test_a_stored_cursor_brings_the_time_of_the_file() -> None:
    """The time of the last change dates lines that have none."""
    stream = TailStream(Opened("a", "/logs/a", cursor("a"), 0))
    stream.stored(cursor("a", mtime_ns=1_768_478_400_123_000_000))
    assert stream.mtime_ms == 1_768_478_400_123


def test_a_backlog_is_never_negative() -> None:
    """A file that was cut has nothing to read."""
    stream = TailStream(Opened("a", "/logs/a", cursor("a", offset=10), 3))
    assert stream.backlog == 0
