"""Reading standard input."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from jwtleak.errors import SourceError
from jwtleak.sources.stdin import StdinStream


@pytest.fixture
def pipe() -> Iterator[tuple[StdinStream, int]]:
    """A stream and the descriptor to write to it."""
    reader, writer = os.pipe()
    yield StdinStream(reader), writer
    os.close(reader)


def test_bytes_as_they_arrive(pipe: tuple[StdinStream, int]):
    """A read gives what is there, and 0 once the writer is gone."""
    stream, writer = pipe
    room = memoryview(bytearray(100))
    os.write(writer, b"abc")
    assert (stream.readinto(room), bytes(room[:3])) == (3, b"abc")
    os.close(writer)
    assert stream.readinto(room) == 0
    assert stream.readinto(room) == 0


def test_wait(pipe: tuple[StdinStream, int]):
    """Waiting says whether a read would return: not on silence, but on bytes, on what was peeked,
    and at the end.
    """
    stream, writer = pipe
    assert not stream.wait(0)
    os.write(writer, b"abc")
    assert stream.wait(0)
    assert stream.peek() == b"abc"
    assert stream.wait(0)
    assert stream.readinto(memoryview(bytearray(2))) == 2
    assert stream.readinto(memoryview(bytearray(2))) == 1
    assert not stream.wait(0)
    os.close(writer)
    assert stream.wait(0)
    assert stream.readinto(memoryview(bytearray(2))) == 0
    assert stream.wait(0)


def test_non_blocking_descriptor(pipe: tuple[StdinStream, int], monkeypatch: pytest.MonkeyPatch):
    """A descriptor that somebody made non-blocking is waited for."""
    stream, writer = pipe
    os.set_blocking(stream._fd, False)
    monkeypatch.setattr(StdinStream, "wait", lambda _self, _timeout: os.write(writer, b"late") > 0)
    room = memoryview(bytearray(10))
    assert stream.readinto(room) == 4
    os.close(writer)


def test_peek_more(pipe: tuple[StdinStream, int]):
    """More of the beginning can be waited for: what arrives is added, silence and the end add
    nothing.
    """
    stream, writer = pipe
    os.write(writer, b"ab")
    assert stream.peek() == b"ab"
    assert stream.peek_more(0) == b"ab"
    os.write(writer, b"cd")
    assert stream.peek_more(0) == b"abcd"
    os.close(writer)
    assert stream.peek_more(0) == b"abcd"
    assert stream.peek_more(60) == b"abcd"
    room = memoryview(bytearray(10))
    assert (stream.readinto(room), stream.readinto(room)) == (4, 0)


def test_closed_descriptor():
    """A descriptor that is not open is a `SourceError`."""
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    with pytest.raises(SourceError):
        StdinStream(reader).readinto(memoryview(bytearray(10)))


def test_regular_file_is_always_ready(tmp_path):
    """A file as standard input never waits."""
    (tmp_path / "x").write_bytes(b"x")
    fd = os.open(tmp_path / "x", os.O_RDONLY)
    stream = StdinStream(fd)
    assert stream.wait(0)
    assert stream.readinto(memoryview(bytearray(10))) == 1
    stream.close()
    os.close(fd)
