"""One member of a tar or zip: its bytes, and what its header says of it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from jwtleak.archives.reader import Part, Readable, Reader

# Names are an attacker's: longer ones than any file system takes (4096 with directories, 255 each) are cut here.
_LONGEST_NAME = 1024


class Member(msgspec.Struct, frozen=True):
    """A member that can be read until its container is asked for the next one.

    `size` is its length in bytes where the header says it, `mtime_ms` its time in Unix milliseconds, `packed` whether
    the container decompresses it.
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
