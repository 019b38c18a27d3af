"""Looking ahead in bytes that can only be read forwards.

Promises: a large read goes straight through to the caller's buffer; what was looked at or given
back comes first. Memory is one small buffer per layer of an archive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

import msgspec

# Holds every header that is looked at whole, and is what a decoder is fed at once: with 64 KiB gzip
# is within 3 % of its fastest (measured), and a few layers of it cost nothing.
CAPACITY = 64 * 1024


class Readable(Protocol):
    """The next lower layer. `broken` says that it ended early and that somebody was told."""

    @property
    def broken(self) -> bool: ...

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`; 0 is the end."""


Reopen: TypeAlias = Callable[[int], "Readable | None"]


class Reader:
    """A readable with look-ahead. `reopen`, if it can be had, gives the same bytes again from an
    offset.
    """

    def __init__(self, source: Readable, reopen: Reopen | None = None) -> None:
        self._source = source
        self._reopen = reopen
        self._buffer = bytearray(CAPACITY)
        self._view = memoryview(self._buffer)
        self._start = self._stop = 0
        self.offset = 0

    @property
    def broken(self) -> bool:
        """Whether the layer below ended early."""
        return self._source.broken

    def _fill(self, wanted: int) -> None:
        if (self._start and self._start + wanted > CAPACITY) or self._start == self._stop:
            held = self._buffer[self._start : self._stop]
            self._buffer[: len(held)] = held
            self._start, self._stop = 0, len(held)
        while self._stop - self._start < wanted:
            count = self._source.readinto(self._view[self._stop :])
            if not count:
                return
            self._stop += count

    def peek(self, wanted: int) -> bytes:
        """The next `wanted` bytes (at most `CAPACITY`), fewer only at the end, without using them
        up.
        """
        if self._stop - self._start < wanted:
            self._fill(wanted)
        return bytes(self._view[self._start : min(self._stop, self._start + wanted)])

    def ahead(self) -> bytes:
        """All that has been looked at already."""
        return bytes(self._view[self._start : self._stop])

    def read(self, most: int = CAPACITY) -> bytes:
        """Between 1 and `most` bytes; empty at the end."""
        if self._start == self._stop:
            self._fill(1)
        data = bytes(self._view[self._start : min(self._stop, self._start + most)])
        self._start += len(data)
        self.offset += len(data)
        return data

    def give_back(self, count: int) -> None:
        """Undo the end of the last `read`, before anything else is called."""
        self._start -= count
        self.offset -= count

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`, past our own when that is empty; 0 is the end."""
        count = min(self._stop - self._start, len(buffer))
        if count:
            buffer[:count] = self._view[self._start : self._start + count]
            self._start += count
        else:
            count = self._source.readinto(buffer)
        self.offset += count
        return count

    def skip(self, count: int) -> int:
        """Read over `count` bytes; gives how many there were."""
        left = count
        while left and (data := self.read(min(left, CAPACITY))):
            left -= len(data)
        return count - left

    @property
    def repeatable(self) -> bool:
        """Whether `again` gives anything."""
        return self._reopen is not None

    def again(self, offset: int) -> Reader | None:
        """A second reader of the same bytes from `offset` on, where the source can give them twice."""
        source = self._reopen(offset) if self._reopen else None
        if source is None:
            return None
        reader = Reader(source, self._reopen)
        reader.offset = offset
        return reader


class Part:
    """The next `size` bytes of a reader: one member of a container."""

    def __init__(self, reader: Reader, size: int) -> None:
        self._reader = reader
        self._origin = reader.offset
        self.left = size
        self.broken = False

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`; 0 is the end of the part, or of the reader if that comes first (`left` is
        not 0 then).
        """
        if not self.left:
            return 0
        count = self._reader.readinto(buffer[: self.left] if len(buffer) > self.left else buffer)
        self.left -= count
        if not count:
            self.broken = True  # the container sees what is left, and tells
        return count


# One member of a tar or zip: its bytes, and what its header says of it.

# Names are an attacker's: longer ones than any file system takes (4096 with directories, 255 each)
# are cut here.
_LONGEST_NAME = 1024


class Member(msgspec.Struct, frozen=True):
    """A member that can be read until its container is asked for the next one.

    `size` is its length in bytes where the header says it, `mtime_ms` its time in Unix
    milliseconds, `packed` whether the container decompresses it.
    """

    name: str
    reader: Reader
    size: int | None
    mtime_ms: int | None
    packed: bool


def member_name(raw: bytes) -> str:
    """A name for display: surrogateescape keeps bytes that are not UTF-8."""
    return raw[: 4 * _LONGEST_NAME].decode("utf-8", "surrogateescape")[:_LONGEST_NAME]


def part_of(reader: Reader, size: int) -> tuple[Part, Reader]:
    """The next `size` bytes, and a reader of them that can be begun again if `reader` can."""
    part = Part(reader, size)
    origin = reader.offset

    def reopen(offset: int) -> Readable | None:
        again = reader.again(origin + offset)
        return Part(again, size - offset) if again else None

    opener: Callable[[int], Readable | None] | None = reopen if reader.repeatable else None
    return part, Reader(part, opener)
