"""Tar header blocks: ustar, GNU and old ones, and pax records (POSIX.1-2017 pax, "ustar Interchange Format").

Promises: pure functions of bytes; None for what is no header; nothing grows with what a header claims.
"""

from __future__ import annotations

import msgspec

BLOCK = 512

# Types without content, whatever size they state: links, devices, directories, pipes.
_EMPTY = frozenset(b"123456")

# A file as fragmented as this has lost more in its map than in its content; the bound keeps the map under 10 MB.
MAX_SEGMENTS = 65536


class Header(msgspec.Struct, frozen=True):
    """One header block. `size` is that of the content in the archive, in bytes; `mtime` is in Unix seconds."""

    name: bytes
    size: int
    mtime: int
    type: int

    @property
    def has_content(self) -> bool:
        """Whether `size` bytes of content follow."""
        return self.type not in _EMPTY


Segments = list[tuple[int, int]]


def number(field: bytes) -> int | None:
    """A numeric field: octal digits, or base 256 when the first bit is set (GNU). None for anything else."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.split(b"\0", 1)[0].strip()
    if not digits:
        return 0
    if digits.strip(b"01234567"):
        return None
    return int(digits, 8)


def parse_header(block: bytes) -> Header | None:
    """The header in `block`, or None when its checksum or its numbers are not those of one."""
    checksum = number(block[148:156])
    if len(block) < BLOCK or not checksum or checksum != sum(block) - sum(block[148:156]) + 256:
        return None
    size, mtime = number(block[124:136]), number(block[136:148])
    if size is None or mtime is None:
        return None
    name = block[:100].split(b"\0", 1)[0]
    prefix = block[345:500].split(b"\0", 1)[0] if block[257:263] == b"ustar\0" else b""
    return Header(prefix + b"/" + name if prefix else name, size, mtime, block[156])


def pax_records(data: bytes) -> list[tuple[bytes, bytes]]:
    """The records of an extended header, as far as they are well formed."""
    records, at = [], 0
    while at < len(data):
        length, _, _ = data[at : at + 20].partition(b" ")
        if not length.isdigit() or int(length) < len(length) + 3:
            break
        key, equals, value = data[at + len(length) + 1 : at + int(length) - 1].partition(b"=")
        if not equals:
            break
        records.append((key, value))
        at += int(length)
    return records


def pairs(numbers: list[int]) -> Segments:
    """Offsets and lengths, alternating, as segments."""
    return list(zip(numbers[::2], numbers[1::2], strict=False))


def gnu_segments(table: bytes) -> Segments:
    """The segments in an old GNU sparse table: offset and length, 12 bytes each, up to the first empty one."""
    numbers = [number(table[at : at + 12]) or 0 for at in range(0, len(table) // 24 * 24, 12)]
    return [(offset, length) for offset, length in pairs(numbers) if offset or length]
