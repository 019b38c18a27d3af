"""Look-ahead in bytes that can only be read forwards, and parts of them.

Promises: a large read goes straight into the caller's buffer; bytes that were peeked at or pushed
back come first. Memory is one small buffer for each layer of an archive.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol, TypeAlias

# Holds any header whole, and is what a decoder is fed at once: with 64 KiB gzip is within 3 % of
# its fastest (measured), and a few layers of it cost nothing.
CAPACITY = 64 * 1024

# Names are an attacker's to choose: longer ones than any file system takes (4096 with directories,
# 255 each) are cut here.
_LONGEST_NAME = 1024


class Readable(Protocol):
    """The next lower layer. `broken` says that it ended early and reported so."""

    @property
    def broken(self) -> bool: ...

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill `buffer`; 0 is the end."""


Reopen: TypeAlias = Callable[[int], "Readable | None"]


class Reader:
    """A readable with look-ahead. `offset` is the position of its next byte.

    `reopen`, where the bytes can be read twice, reads them again from an offset.
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
        # Bytes are moved to the front only where the request would not fit behind them, so that a
        # run of short peeks copies each byte once per buffer and not once per peek.
        if (self._start and self._start + wanted > CAPACITY) or self._start == self._stop:
            rest = self._buffer[self._start : self._stop]
            self._buffer[: len(rest)] = rest
            self._start, self._stop = 0, len(rest)
        while self._stop - self._start < wanted:
            # As much as there is room for: a layer below that decompresses is slow in small steps.
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
        """All bytes that are in the buffer already."""
        return bytes(self._view[self._start : self._stop])

    def read(self, most: int = CAPACITY) -> bytes:
        """Between 1 and `most` bytes; empty at the end."""
        # What is in the buffer first, without waiting for more: a pipe may have no more now.
        if self._start == self._stop:
            self._fill(1)
        data = bytes(self._view[self._start : min(self._stop, self._start + most)])
        self._start += len(data)
        self.offset += len(data)
        return data

    def push_back(self, count: int) -> None:
        """Undo the last `count` bytes of the last `read`, before anything else is called."""
        self._start -= count
        self.offset -= count

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`; 0 is the end."""
        count = min(self._stop - self._start, len(buffer))
        if count:
            buffer[:count] = self._view[self._start : self._start + count]
            self._start += count
        else:
            # Our own buffer is empty: the layer below writes into the caller's, without a copy.
            count = self._source.readinto(buffer)
        self.offset += count
        return count

    def skip(self, count: int) -> int:
        """Read over `count` bytes; returns how many there were."""
        # By reading, never by seeking: below may be a decoder, and its budget has to count.
        left = count
        while left and (data := self.read(min(left, CAPACITY))):
            left -= len(data)
        return count - left

    @property
    def repeatable(self) -> bool:
        """Whether `again` can return a reader."""
        return self._reopen is not None

    def again(self, offset: int) -> Reader | None:
        """A second reader of the same bytes from `offset` on, where they can be read twice."""
        source = self._reopen(offset) if self._reopen else None
        if source is None:
            return None
        # The new reader can begin again in its turn: a damage may be approached more than once.
        reader = Reader(source, self._reopen)
        reader.offset = offset
        return reader


class Part:
    """The next `size` bytes of a reader: one member of a container."""

    def __init__(self, reader: Reader, size: int) -> None:
        self._reader = reader
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
            # The container finds `left` when it goes on to the next member, and reports it.
            self.broken = True
        return count


def member_name(raw: bytes) -> str:
    """A name for display: surrogateescape keeps bytes that are not UTF-8."""
    return raw[: 4 * _LONGEST_NAME].decode("utf-8", "surrogateescape")[:_LONGEST_NAME]


def skip_to(reader: Reader, pattern: re.Pattern[bytes], longest: int) -> bool:
    """Skip one byte or more, up to the next match of `pattern`, which is at most `longest` bytes
    long; False, at the end, if there is none.
    """
    reader.skip(1)
    # A window is copied, so it starts small: a hostile file may have damage every hundred bytes.
    wanted = 16 * longest
    while window := reader.peek(wanted):
        if found := pattern.search(window):
            reader.skip(found.start())
            return True
        # A match may begin in the last bytes of a window, unless the file ends with it.
        kept = longest - 1 if len(window) == wanted else 0
        reader.skip(len(window) - kept)
        wanted = min(2 * wanted, CAPACITY)
    return False


def part_of(reader: Reader, size: int) -> tuple[Part, Reader]:
    """The next `size` bytes, and a reader of them that can begin again if `reader` can."""
    part = Part(reader, size)
    origin = reader.offset

    def reopen(offset: int) -> Readable | None:
        # An offset counts from the start of the part; below, from the start of the file.
        again = reader.again(origin + offset)
        return Part(again, size - offset) if again else None

    opener: Callable[[int], Readable | None] | None = reopen if reader.repeatable else None
    return part, Reader(part, opener)
