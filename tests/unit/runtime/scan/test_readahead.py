"""Reading ahead in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from jwtleak.core.engine import READ_SIZE
from jwtleak.errors import SourceError
from jwtleak.runtime.scan import readahead
from jwtleak.runtime.scan.readahead import ReadAhead
from jwtleak.types import StreamInfo


class Numbers:
    """A stream of reads of different lengths, each full of its number; `at_end` gives its last
    result, or raises.
    """

    info = StreamInfo("file", "a.gz", compressed=True)

    def __init__(self, count: int, at_end: Callable[[], int] = lambda: 0) -> None:
        self.number = 0
        self.count = count
        self.at_end = at_end
        self.threads: set[int] = set()
        self.closed = False

    def readinto(self, buffer: memoryview) -> int:
        """The next."""
        self.threads.add(threading.get_ident())
        if self.number == self.count:
            return self.at_end()
        self.number += 1
        length = 1 + self.number * 1009 % len(buffer)
        buffer[:length] = bytes([self.number % 256]) * length
        return length

    def close(self) -> None:
        """Remember it."""
        self.closed = True


def read(stream: ReadAhead | Numbers) -> list[bytes]:
    """Every read of `stream`."""
    buffer = memoryview(bytearray(READ_SIZE))
    parts = []
    while count := stream.readinto(buffer):
        parts.append(bytes(buffer[:count]))
    return parts


@pytest.mark.parametrize("long", [0, 3000, 1 << 40])
def test_the_same_bytes(monkeypatch: pytest.MonkeyPatch, long: int) -> None:
    """What is read ahead is what the stream gives, and after its end nothing more."""
    monkeypatch.setattr(readahead, "_LONG", long)
    stream = ReadAhead(Numbers(40))
    assert read(stream) == read(Numbers(40))
    assert read(stream) == []
    stream.close()


def test_a_short_stream_has_no_thread() -> None:
    """A thread begins only behind the first megabytes."""
    numbers = Numbers(3)
    stream = ReadAhead(numbers)
    read(stream)
    stream.close()
    assert numbers.threads == {threading.get_ident()}
    assert numbers.closed


@pytest.mark.parametrize("error", [SourceError("a.gz", "input/output error"), MemoryError()])
def test_errors_come_out_where_they_would(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """An exception of the stream comes out of `readinto`, behind the bytes before it."""

    def fail() -> int:
        raise error

    monkeypatch.setattr(readahead, "_LONG", 0)
    stream = ReadAhead(Numbers(5, fail))
    buffer = memoryview(bytearray(READ_SIZE))
    for _ in range(5):
        assert stream.readinto(buffer)
    with pytest.raises(type(error)):
        stream.readinto(buffer)
    assert stream.readinto(buffer) == 0
    stream.close()


def test_closing_early_ends_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that stops leaves no thread behind, and closes what it read."""
    monkeypatch.setattr(readahead, "_LONG", 0)
    numbers = Numbers(10_000)
    before = threading.active_count()
    stream = ReadAhead(numbers)
    stream.readinto(memoryview(bytearray(READ_SIZE)))
    stream.close()
    stream.close()
    assert (threading.active_count(), numbers.closed) == (before, True)
    assert numbers.number <= 4
