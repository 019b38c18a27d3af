"""Bytes in memory read like a file."""

from __future__ import annotations

from jwtleak.sources.interface import SNIFF
from jwtleak.sources.memory import MemoryStream
from jwtleak.types import StreamInfo


def read(stream: MemoryStream, size: int) -> bytes:
    """The next bytes, at most `size`."""
    buffer = bytearray(size)
    return bytes(buffer[: stream.readinto(memoryview(buffer))])


def test_reading() -> None:
    """In pieces of any size, to the end; looking ahead does not move on."""
    data = bytes(range(256)) * 4
    stream = MemoryStream(data)
    assert stream.peek() == data[:SNIFF]
    assert read(stream, 1000) == data[:1000]
    assert stream.peek() == data[1000:]
    assert (read(stream, 1000), read(stream, 1000)) == (data[1000:], b"")
    stream.rewind(5)
    stream.close()
    assert read(stream, 3) == data[5:8]


def test_reopening() -> None:
    """A second stream has a position of its own."""
    stream = MemoryStream(b"abcdef", "x")
    again = stream.reopen(2)
    assert (read(stream, 2), read(again, 2), read(stream, 2)) == (b"ab", b"cd", b"cd")
    assert again.info == stream.info


def test_info() -> None:
    """With a name it is a file of that name, without one it is as if it came through a pipe."""
    assert MemoryStream(b"abc", "x.log").info == StreamInfo("file", "x.log", None, 3)
    assert MemoryStream(b"").info == StreamInfo("stdin", None, None, 0)
