"""Looking ahead."""

from __future__ import annotations

import io
import re

from hypothesis import given
from hypothesis import strategies as st

from jwtleak.archives.reader import CAPACITY, Part, Reader, member_name, part_of, skip_to


class Drip:
    """A readable that gives at most `step` bytes at a time."""

    broken = False

    def __init__(self, data: bytes, step: int = 1 << 20) -> None:
        self._file, self._step = io.BytesIO(data), step

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`."""
        return self._file.readinto(buffer[: self._step])


_OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["peek", "read", "back", "into", "skip"]), st.integers(1, 300))
)


@given(data=st.binary(max_size=2000), step=st.integers(1, 700), operations=_OPERATIONS)
def test_any_operations_give_the_bytes_in_order(data, step, operations):
    """However a reader is used, it is always at the byte that its offset says."""
    reader, at = Reader(Drip(data, step)), 0
    for name, count in operations:
        if name == "peek":
            assert reader.peek(count) == data[at : at + count]
        elif name in ("read", "back"):
            got = reader.read(count)
            assert data[at : at + len(got)] == got
            assert bool(got) == (at < len(data))
            back = len(got) // 2 if name == "back" else 0
            reader.push_back(back)
            at += len(got) - back
        elif name == "into":
            room = memoryview(bytearray(count))
            got_count = reader.readinto(room)
            assert bytes(room[:got_count]) == data[at : at + got_count]
            at += got_count
        else:
            at += reader.skip(count)
        assert reader.offset == at


def test_peek_of_a_whole_buffer_after_reading():
    """A full buffer can be looked at from any place."""
    data = bytes(range(256)) * 1024
    reader = Reader(Drip(data))
    reader.read(1000)
    assert reader.peek(CAPACITY) == data[1000 : 1000 + CAPACITY]
    assert reader.ahead() == data[1000 : 1000 + CAPACITY]


def test_again():
    """A reader whose source can be read again repeats the same bytes from any offset, more than
    once.
    """
    reader = Reader(Drip(b"0123456789"), lambda offset: Drip(b"0123456789"[offset:]))
    reader.read()
    second = reader.again(4)
    assert second is not None
    assert second.read() == b"456789"
    assert second.offset == 10
    third = second.again(8)
    assert third is not None
    assert third.read() == b"89"
    assert Reader(Drip(b"")).again(0) is None


def test_part():
    """A part ends at its size, and says so when the reader ends before."""
    reader = Reader(Drip(b"0123456789"))
    part = Part(reader, 4)
    assert Reader(part).read() == b"0123"
    assert (part.left, part.broken) == (0, False)
    short = Part(reader, 99)
    assert Reader(short).skip(99) == 6
    assert (short.left, short.broken) == (93, True)


@given(
    before=st.integers(0, 3000),
    step=st.integers(1, 700),
    after=st.binary(max_size=40).map(lambda b: b.replace(b"<", b"")),
)
def test_skip_to(before, step, after):
    """The next match is found wherever it is and however the bytes come, and the end if there is
    none.
    """
    data = b"x" + b"." * before + b"<tag>" + after
    reader = Reader(Drip(data, step))
    assert skip_to(reader, re.compile(b"<tag>"), 5)
    assert (reader.offset, reader.read(5)[:1]) == (before + 1, b"<")
    assert not skip_to(reader, re.compile(b"<tag>"), 5)
    assert reader.read() == b""


class _Bytes:
    broken = False

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`."""
        return self._file.readinto(buffer)


def test_names():
    """Names are text whatever their bytes, and bounded."""
    assert member_name("ü.log".encode()) == "ü.log"
    assert member_name(b"\xff") == "\udcff"
    assert len(member_name(b"x" * 10_000)) == 1024


def test_part_can_be_read_again():
    """A part of bytes that can be had again can be begun anywhere, and ends where it ended."""
    data = bytes(range(100))
    reader = Reader(_Bytes(data), lambda offset: _Bytes(data[offset:]))
    reader.skip(10)
    _, first = part_of(reader, 20)
    assert first.read() == data[10:30]
    again = first.again(5)
    assert again is not None
    assert (again.offset, again.read()) == (5, data[15:30])


def test_part_of_bytes_that_come_once():
    """A part of bytes that cannot be had again cannot either."""
    assert not part_of(Reader(_Bytes(b"abc")), 2)[1].repeatable
