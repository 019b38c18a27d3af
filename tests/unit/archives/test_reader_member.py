"""Members of containers."""

from __future__ import annotations

import io

from jwtleak.archives.reader import Reader, member_name, part_of


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
