"""Tar archives, read forwards only: ustar, GNU, pax (POSIX.1-2017 pax, "ustar Interchange Format"),
and those from before POSIX.

    header 512 | content, padded to 512 | header 512 | content | ... | zeros 1024
    "L" "x" headers hold the long name and the records of the header behind them

Promises: every member with content, in order; sparse ones with their holes as zeros, so that
offsets are those of the file itself. After a damage it goes on at the next header. Memory is one
header and its extensions, whatever a header claims.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from jwtleak.archives.budget import Budget
from jwtleak.archives.interface import Member
from jwtleak.archives.reader import CAPACITY, Reader, member_name, part_of

BLOCK = 512
_ZEROS = bytes(BLOCK)

# Types without content, whatever size they state: links, devices, directories, pipes.
_EMPTY = frozenset(b"123456")

# A file as fragmented as this has lost more in its map than in its content; the bound keeps the map
# under 10 MB.
MAX_SEGMENTS = 65536

# Extended headers hold names, times and access rules; a sparse map of MAX_SEGMENTS is below this
# too.
_MAX_EXTENSION = 2 << 20

# Offset and length of each piece of a sparse file that has content.
Segments: TypeAlias = list[tuple[int, int]]


class TarHeader(msgspec.Struct, frozen=True):
    """One header block. `size` is that of the content in the archive, in bytes; `mtime` is in Unix
    seconds.
    """

    name: bytes
    size: int
    mtime: int
    type: int

    @property
    def has_content(self) -> bool:
        """Whether `size` bytes of content follow."""
        return self.type not in _EMPTY


def number(field: bytes) -> int | None:
    """A numeric field: octal digits, or base 256 when the first bit is set (GNU). None for anything
    else.
    """
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    # Old tools fill with blanks and end with one, or with a NUL, or leave a field empty.
    digits = field.split(b"\0", 1)[0].strip()
    if not digits:
        return 0
    if digits.strip(b"01234567"):
        return None
    return int(digits, 8)


def parse_header(block: bytes) -> TarHeader | None:
    """The header in `block`, or None when its checksum or its numbers are not those of one."""
    checksum = number(block[148:156])
    # The checksum is computed with its own field as eight blanks, 256 in sum.
    if len(block) < BLOCK or not checksum or checksum != sum(block) - sum(block[148:156]) + 256:
        return None
    size, mtime = number(block[124:136]), number(block[136:148])
    if size is None or mtime is None:
        return None
    name = block[:100].split(b"\0", 1)[0]
    # GNU's magic ends in a blank; there the field of the prefix holds times and the sparse map.
    prefix = block[345:500].split(b"\0", 1)[0] if block[257:263] == b"ustar\0" else b""
    return TarHeader(prefix + b"/" + name if prefix else name, size, mtime, block[156])


def pax_records(data: bytes) -> list[tuple[bytes, bytes]]:
    """The records of an extended header, as far as they are well formed."""
    records, at = [], 0
    while at < len(data):
        length, _, _ = data[at : at + 20].partition(b" ")
        # A length counts its own digits, a blank, "=" and a line feed: less would never advance.
        if not length.isdigit() or int(length) < len(length) + 3:
            break
        key, equals, value = data[at + len(length) + 1 : at + int(length) - 1].partition(b"=")
        if not equals:
            # A wrong length: where the next record begins is unknown.
            break
        records.append((key, value))
        at += int(length)
    return records


def pairs(numbers: list[int]) -> Segments:
    """Offsets and lengths, alternating, as segments."""
    return list(zip(numbers[::2], numbers[1::2], strict=False))


def gnu_segments(table: bytes) -> Segments:
    """The segments in an old GNU sparse table: offset and length, 12 bytes each, without the empty
    entries that fill it.
    """
    numbers = [number(table[at : at + 12]) or 0 for at in range(0, len(table) // 24 * 24, 12)]
    return [(offset, length) for offset, length in pairs(numbers) if offset or length]


class _Extension:
    """What the headers before a member's own say about it."""

    def __init__(self) -> None:
        self.name: bytes | None = None
        self.size: int | None = None
        self.real_size: int | None = None
        self.segments: list[int] | None = None
        self.map_inside = False

    def add_pax(self, data: bytes) -> None:
        """Apply the records of a pax header (GNU.sparse: formats 0.0, 0.1 and 1.0)."""
        for key, value in pax_records(data):
            # A sparse file's `path` is a made-up name; GNU.sparse.name holds the real one.
            if (key == b"path" and self.name is None) or key == b"GNU.sparse.name":
                self.name = value
            elif key == b"size":
                self.size = _decimal(value)
            elif key in (b"GNU.sparse.size", b"GNU.sparse.realsize"):
                self.real_size = _decimal(value)
            elif key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes", b"GNU.sparse.map"):
                # Format 0.0 repeats a pair of records for each segment, 0.1 lists all in one.
                self.segments = (self.segments or []) + [
                    _decimal(part) for part in value.split(b",")
                ]
            elif key == b"GNU.sparse.major":
                self.map_inside = value == b"1"


def _decimal(value: bytes) -> int:
    return int(value) if value.isdigit() and len(value) < 20 else 0


class Sparse:
    """The content of a sparse file: segments from the archive, zeros between them."""

    def __init__(self, reader: Reader, segments: Segments, size: int, budget: Budget) -> None:
        self._reader = reader
        self._segments = iter([*segments[:MAX_SEGMENTS], (size, 0)])
        self._hole = self._data = self._offset = 0
        self._budget = budget

    @property
    def broken(self) -> bool:
        """Whether the archive ended early."""
        return self._reader.broken

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`; 0 is the end."""
        while not self._hole and not self._data:
            following = next(self._segments, None)
            if following is None:
                return 0
            # A map that runs backwards has no hole there, rather than a negative one.
            self._hole, self._data = max(0, following[0] - self._offset), following[1]
            self._offset += self._hole + self._data
        if not self._hole:
            # An archive that ends inside a segment ends the member: no zeros for what is missing.
            count = self._reader.readinto(buffer[: self._data])
            self._data = self._data - count if count else 0
            return count
        count = min(self._hole, len(buffer), CAPACITY)
        # A header of 512 bytes can claim a hole of gigabytes: zeros count as unpacked bytes.
        if not self._budget.spend(count):
            return 0
        buffer[:count] = bytes(count)
        self._hole -= count
        return count


class _TarMembers:
    """The members of one tar."""

    def __init__(self, reader: Reader, budget: Budget) -> None:
        self._reader = reader
        self._budget = budget
        self._extension = _Extension()
        self._ended = self._lost = False

    def run(self) -> Iterator[Member]:
        while not self._budget.stopped and (block := self._reader.peek(BLOCK)):
            header = parse_header(block)
            if header:
                self._reader.skip(BLOCK)
                # Damage behind a sound header is another stretch, with a notice of its own.
                self._lost = False
                if chr(header.type) in "LKxgX":
                    self._extend(header)
                else:
                    yield from self._member(header, block)
            elif len(block) < BLOCK and block.strip(b"\0"):
                break  # a header that is cut off
            else:
                self._pass_block(block)
        if not self._ended and not self._reader.broken:
            self._budget.report("truncated", "the tar ends without its end mark")

    def _pass_block(self, block: bytes) -> None:
        """Skip a block that is no header: zeros, or damage."""
        if block == _ZEROS[: len(block)]:
            # The end, but reading goes on: concatenated tars are read by `tar -i` too.
            self._ended = True
        elif not self._lost:
            # One notice for a whole stretch of damage.
            self._lost = True
            self._budget.report_damage("the tar is damaged")
        self._reader.skip(BLOCK)

    def _member(self, header: TarHeader, block: bytes) -> Iterator[Member]:
        # Extended headers are about one member: this one uses them up.
        extension, self._extension = self._extension, _Extension()
        size = header.size if extension.size is None else extension.size
        size = size if header.has_content else 0
        sparse = header.type == ord("S")
        segments = self._gnu_sparse(block) if sparse else None
        name = member_name(extension.name or header.name)
        part, reader = part_of(self._reader, size)
        if size or segments:
            length = size
            if extension.map_inside:
                segments = _map_inside(reader)
            elif extension.segments:
                segments = pairs(extension.segments)
            if segments is not None:
                length = (number(block[483:495]) if sparse else extension.real_size) or 0
                # Offsets in the file are not those in the archive: it cannot be read again.
                reader = Reader(Sparse(reader, segments, length, self._budget.inside(name)))
            yield Member(name=name, reader=reader, size=length, mtime_ms=header.mtime * 1000)
        # The caller may have closed the member early, or a sparse map may cover less than it.
        left = part.left
        missing = left - self._reader.skip(left)
        self._reader.skip(-size % BLOCK)
        if missing and not self._reader.broken and not self._budget.stopped:
            self._ended = True
            self._budget.inside(name).report(
                "truncated", "the tar ends inside this member", size - missing
            )

    def _extend(self, header: TarHeader) -> None:
        """A header whose content is about the next one: long names and pax records."""
        if header.size > _MAX_EXTENSION:
            self._budget.report_damage("an extended tar header is too large")
            self._reader.skip(header.size + -header.size % BLOCK)
            return
        data = bytearray()
        while len(data) < header.size and (
            more := self._reader.read(min(header.size - len(data), CAPACITY))
        ):
            data += more
        self._reader.skip(-header.size % BLOCK)
        kind = chr(header.type)
        if kind == "L":
            self._extension.name = bytes(data).rstrip(b"\0")
        elif kind in "xX":
            self._extension.add_pax(bytes(data))
        # "K" is the long target of a link, "g" holds defaults for all members: neither names bytes.

    def _gnu_sparse(self, block: bytes) -> Segments:
        """The old GNU map: four segments in the header, 21 in each block behind it while a flag
        says so.
        """
        segments, more = gnu_segments(block[386:482]), block[482]
        # The flag is an attacker's: without the bound a file of flags would fill memory.
        while more and len(segments) < MAX_SEGMENTS:
            block = self._reader.peek(BLOCK)
            self._reader.skip(BLOCK)
            segments += gnu_segments(block[:504])
            more = block[504] if len(block) == BLOCK else 0
        return segments


def _map_inside(reader: Reader) -> Segments:
    """The pax 1.0 map: decimal lines at the start of the content, the first their number, padded to
    a block.
    """
    text, wanted, lines = bytearray(), 1, 0
    while lines < wanted and len(text) < _MAX_EXTENSION and (block := reader.peek(BLOCK)):
        reader.skip(BLOCK)
        text += block
        # The number of segments may claim anything: the bound on the text limits it.
        if not lines:
            wanted = 2 * _decimal(bytes(text.partition(b"\n")[0])) + 1
        lines += block.count(b"\n")
    return pairs([_decimal(line) for line in bytes(text).split(b"\n")[1:wanted]])


class Tar:
    """Tar as a container."""

    name = "tar"
    stored = True

    def starts(self, head: bytes) -> bool:
        """Whether a header with a name begins here: a checksum alone can fit by chance."""
        header = parse_header(head[:BLOCK])
        return header is not None and bool(header.name)

    def members(self, reader: Reader, budget: Budget) -> Iterator[Member]:
        """Every member with content, in order."""
        return _TarMembers(reader, budget).run()


CONTAINER = Tar()
