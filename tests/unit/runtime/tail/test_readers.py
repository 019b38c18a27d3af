"""One engine before one stream."""

from __future__ import annotations

import pytest
from generated_logs import logs
from hypothesis import given, settings
from hypothesis import strategies as st
from tailing import Files, cursor, leak

from jwtleak.core.channel import Channels
from jwtleak.core.engine import Engine
from jwtleak.core.regions import LOOKAHEAD, LOOKBACK
from jwtleak.errors import SourceError
from jwtleak.follow.interface import Opened
from jwtleak.patterns import load_channels
from jwtleak.runtime.scan.stdin import CONTEXT_WAIT, GROWING_WAIT
from jwtleak.runtime.tail.readers import (
    LONGEST_WAIT,
    ReaderPool,
    ReaderWatch,
    StreamReader,
    TailStream,
)
from jwtleak.types import Finding

ENGINE = Engine(Channels(load_channels()))


def reader(data: bytes, **fields: int) -> tuple[StreamReader, Files, TailStream]:
    """A reader before `data`, from a cursor on."""
    files = Files()
    files.data["a"] = data
    stream = TailStream(Opened("a", "/logs/a", cursor("a", **fields), len(data)))
    one = StreamReader(ENGINE, files)
    one.start(stream)
    return one, files, stream


def everything(one: StreamReader, limit: int = 1 << 30) -> list[Finding]:
    """What is found up to now."""
    return one.read(limit, lambda: True)[1]


@settings(max_examples=100, deadline=None)
@given(logs(), st.lists(st.integers(0, 1 << 30), max_size=4))
def test_crashes_anywhere_change_no_finding(data: bytes, cuts: list[int]) -> None:
    """A log that is read in pieces, each by a new engine from the last cursor on, gives each
    finding of the whole, with the same line and column.
    """
    one, files, stream = reader(b"")
    found: dict[tuple[int, str], Finding] = {}
    for cut in sorted(place % (len(data) + 1) for place in cuts):
        files.data["a"], stream.size = data[:cut], cut
        found.update({(each.offset, each.sha256): each for each in everything(one)})
        one.start(stream)
    files.data["a"], stream.size = data, len(data)
    found.update({(each.offset, each.sha256): each for each in everything(one) + one.close()})
    ENGINE.open()
    assert list(found.values()) == ENGINE.feed(data) + ENGINE.close()
    assert stream.lines == data.count(b"\n", 0, stream.offset)
    assert stream.line_start == data.rfind(b"\n", 0, stream.offset) + 1


def test_a_limit_and_a_clock() -> None:
    """A turn ends at its limit, or with the read after which the time is over."""
    data = b"x" * 3_000_000
    one, _, stream = reader(data)
    taken, _ = one.read(1_000_000, lambda: True)
    assert 1_000_000 <= taken < 2_000_000
    more, _ = one.read(10_000_000, lambda: False)
    assert more < 1_000_000
    assert stream.read == taken + more


def test_only_a_little_is_read_again() -> None:
    """What stands before the cursor is read as far as a token could reach, no further."""
    data = b"x" * 2_000_000
    _, files, stream = reader(data, offset=1_500_000)
    begin = min(offset for _, offset, _ in files.reads if offset)
    assert begin == 1_500_000 - LOOKBACK - LOOKAHEAD
    assert stream.read == 1_500_000


def test_what_stands_before_may_be_gone() -> None:
    """Where the bytes before the cursor cannot be read any more, reading begins at it."""
    one, files, stream = reader(b"")
    line = leak(1)
    stream.offset, stream.lines, stream.line_start, stream.size = 5000, 7, 5000, 5000 + len(line)

    def read(_: str, offset: int, buffer: memoryview) -> int:
        part = line[offset - 5000 :][: len(buffer)] if offset >= 5000 else b""
        buffer[: len(part)] = part
        return len(part)

    files.read = read  # type: ignore[method-assign]
    one.start(stream)
    (found,) = everything(one)
    assert (found.offset, found.line, found.column) == (5042, 8, 43)


def test_a_stream_that_cannot_be_read() -> None:
    """The error is passed on."""
    one, files, stream = reader(b"x")
    files.broken.add("a")
    with pytest.raises(SourceError):
        one.read(10, lambda: True)
    stream.offset = 1
    with pytest.raises(SourceError):
        one.start(stream)


def test_a_hole_before_the_cursor_is_not_read() -> None:
    """A cursor behind a hole needs nothing from before it."""
    one, files, stream = reader(b"")
    size = 1 << 20
    files.data["a"], files.holes["a"] = bytes(size) + leak(1), (0, size)
    stream.offset, stream.size = size, size + len(leak(1))
    files.reads.clear()
    one.start(stream)
    assert {offset for _, offset, _ in files.reads} == {0}  # the head
    assert [each.offset for each in everything(one)] == [size + 42]


def test_when_to_ask() -> None:
    """The rest of a line is waited for shortly, a growing token for a second of silence and five
    seconds in all.
    """
    watch = ReaderWatch()
    assert watch.due is None
    watch.grown(10.0, "context", 5)
    assert watch.due == 10.0 + CONTEXT_WAIT
    watch.asked(10.1, "growing")
    assert watch.due == 10.0 + GROWING_WAIT
    watch.grown(10.9, "growing", 5)
    assert watch.due == 10.9 + GROWING_WAIT
    for tenth in range(50):
        watch.grown(11 + tenth / 10, "growing", 5)
    assert watch.due == 10.1 + LONGEST_WAIT
    watch.asked(15.1, "growing")
    assert watch.due is None
    watch.grown(15.2, "growing", 5)
    assert watch.due == 15.2 + GROWING_WAIT
    watch.grown(20.0, "growing", 90)
    assert watch.due == 20.0 + GROWING_WAIT
    watch.grown(20.1, None, 100)
    assert watch.due is None


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


def test_what_was_reported_is_not_read_again() -> None:
    """It begins behind that, unless it is asked to."""
    stream = TailStream(Opened("a", "/logs/a", cursor("a", offset=10, reported=25, read=28), 30))
    assert (stream.offset, stream.read, stream.backlog) == (10, 25, 5)
    stream.reread()
    assert (stream.read, stream.reported, stream.backlog) == (10, 25, 20)


def test_a_stored_cursor_brings_the_time_of_the_file() -> None:
    """The time of the last change dates lines that have none."""
    stream = TailStream(Opened("a", "/logs/a", cursor("a"), 0))
    stream.stored(cursor("a", mtime_ns=1_768_478_400_123_000_000))
    assert stream.mtime_ms == 1_768_478_400_123


def test_a_backlog_is_never_negative() -> None:
    """A file that was cut has nothing to read."""
    stream = TailStream(Opened("a", "/logs/a", cursor("a", offset=10), 3))
    assert stream.backlog == 0


class PoolSetup:
    """A pool of two readers."""

    def __init__(self) -> None:
        self.files = Files()
        self.made = 0
        self.left: list[str] = []
        self.pool = ReaderPool(
            self.make, self.files, lambda reader: self.left.append(reader.stream.name), 2
        )  # type: ignore[union-attr]

    def make(self) -> Engine:
        """One more engine."""
        self.made += 1
        return Engine(Channels(()))

    def stream(self, name: str) -> TailStream:
        """A stream that can be read."""
        self.files.data[name] = b"x"
        return TailStream(Opened(name, f"/logs/{name}", cursor(name), 1))


def test_a_stream_keeps_its_reader() -> None:
    """Engines are made when needed, and never more than there are readers."""
    setup = PoolSetup()
    first, second, third = (setup.stream(name) for name in "abc")
    reader = setup.pool.reader(first)
    assert setup.made == 1
    assert setup.pool.reader(first) is reader is setup.pool.get("a")
    setup.pool.reader(second)
    setup.pool.reader(third)
    assert setup.made == 2


def test_who_was_not_there_for_longest_leaves() -> None:
    """The stream whose turn was the longest ago gives up its reader, after a last word."""
    setup = PoolSetup()
    first, second, third = (setup.stream(name) for name in "abc")
    for one in (first, second, first, third):
        setup.pool.reader(one)
    assert setup.left == ["b"]
    assert setup.pool.get("b") is None
    assert [reader.stream for reader in setup.pool.readers()] == [first, third]


def test_a_free_reader_is_used_again() -> None:
    """A stream that is over leaves no last word and an engine."""
    setup = PoolSetup()
    setup.pool.reader(setup.stream("a"))
    setup.pool.release("a")
    setup.pool.release("nobody")
    setup.pool.reader(setup.stream("b"))
    assert (setup.made, setup.left, setup.pool.get("a")) == (1, [], None)


def test_a_stream_that_cannot_be_read_needs_no_reader() -> None:
    """The error is passed on and the engine stays free."""
    setup = PoolSetup()
    stream = setup.stream("a")
    stream.offset = 1
    setup.files.broken.add("a")
    with pytest.raises(SourceError):
        setup.pool.reader(stream)
    setup.files.broken.clear()
    setup.pool.reader(stream)
    assert setup.made == 1


def test_a_reader_that_is_used_elsewhere() -> None:
    """A reader that was taken away is nobody's until it comes back; there never are more than
    readers.
    """
    setup = PoolSetup()
    reader = setup.pool.reader(setup.stream("a"))
    setup.pool.detach("a")
    assert setup.pool.get("a") is None
    setup.pool.reader(setup.stream("b"))
    setup.pool.recycle(reader)
    setup.pool.reader(setup.stream("c"))
    assert setup.made == 2
