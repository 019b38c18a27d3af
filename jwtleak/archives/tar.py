"""Tar archives, read forwards only.

Promises: every member with content is given, in order; sparse ones with their holes as zeros, so
that offsets are those of the file itself. After a damage it goes on at the next header. Memory is
one header and its extensions.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from jwtleak.archives.budget import Budget
from jwtleak.archives.reader import CAPACITY, Member, Reader, member_name, part_of

# Tar header blocks: ustar, GNU and old ones, and pax records (POSIX.1-2017 pax, "ustar Interchange
# Format").
#
# Promises: pure functions of bytes; None for what is no header; nothing grows with what a header
# claims.

BLOCK = 512

# Types without content, whatever size they state: links, devices, directories, pipes.
_EMPTY = frozenset(b"123456")

# A file as fragmented as this has lost more in its map than in its content; the bound keeps the map
# under 10 MB.
MAX_SEGMENTS = 65536


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


Segments = list[tuple[int, int]]


def number(field: bytes) -> int | None:
    """A numeric field: octal digits, or base 256 when the first bit is set (GNU). None for anything
    else.
    """
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.split(b"\0", 1)[0].strip()
    if not digits:
        return 0
    if digits.strip(b"01234567"):
        return None
    return int(digits, 8)


def parse_header(block: bytes) -> TarHeader | None:
    """The header in `block`, or None when its checksum or its numbers are not those of one."""
    checksum = number(block[148:156])
    if len(block) < BLOCK or not checksum or checksum != sum(block) - sum(block[148:156]) + 256:
        return None
    size, mtime = number(block[124:136]), number(block[136:148])
    if size is None or mtime is None:
        return None
    name = block[:100].split(b"\0", 1)[0]
    prefix = block[345:500].split(b"\0", 1)[0] if block[257:263] == b"ustar\0" else b""
    return TarHeader(prefix + b"/" + name if prefix else name, size, mtime, block[156])


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
    """The segments in an old GNU sparse table: offset and length, 12 bytes each, up to the first
    empty one.
    """
    numbers = [number(table[at : at + 12]) or 0 for at in range(0, len(table) // 24 * 24, 12)]
    return [(offset, length) for offset, length in pairs(numbers) if offset or length]


# Extended headers hold names, times and access rules; a sparse map of MAX_SEGMENTS is below this
# too.
_MAX_EXTENSION = 2 << 20

_ZEROS = bytes(BLOCK)


class _Extension:
    """What the headers before a member's own say about it."""

    def __init__(self) -> None:
        self.name: bytes | None = None
        self.size: int | None = None
        self.real_size: int | None = None
        self.segments: list[int] | None = None
        self.map_inside = False

    def take_pax(self, data: bytes) -> None:
        """Take up the records of a pax header (GNU.sparse: formats 0.0, 0.1 and 1.0)."""
        for key, value in pax_records(data):
            if (key == b"path" and self.name is None) or key == b"GNU.sparse.name":
                self.name = value
            elif key == b"size":
                self.size = _decimal(value)
            elif key in (b"GNU.sparse.size", b"GNU.sparse.realsize"):
                self.real_size = _decimal(value)
            elif key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes", b"GNU.sparse.map"):
                self.segments = (self.segments or []) + [
                    _decimal(part) for part in value.split(b",")
                ]
            elif key == b"GNU.sparse.major":
                self.map_inside = value == b"1"


def _decimal(value: bytes) -> int:
    return int(value) if value.isdigit() and len(value) < 20 else 0


class Sparse:
    """The content of a sparse file: segments from the archive, zeros between them."""

    def __init__(
        self, reader: Reader, segments: Segments, size: int, budget: Budget, member: str
    ) -> None:
        self._reader = reader
        self._segments = iter([*segments[:MAX_SEGMENTS], (size, 0)])
        self._hole = self._data = self._offset = 0
        self._budget = budget
        self._member = member

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
            self._hole, self._data = max(0, following[0] - self._offset), following[1]
            self._offset += self._hole + self._data
        if not self._hole:
            count = self._reader.readinto(buffer[: self._data])
            self._data = self._data - count if count else 0
            return count
        count = min(self._hole, len(buffer), CAPACITY)
        if not self._budget.spend(count, self._member):
            return 0
        buffer[:count] = bytes(count)
        self._hole -= count
        return count


class Tar:
    """The members of a tar that begins at the reader's place. `member` is the name of the tar
    itself, if it has one.
    """

    def __init__(self, reader: Reader, budget: Budget, member: str | None) -> None:
        self._reader = reader
        self._budget = budget
        self._member = member
        self._extension = _Extension()
        self._ended = self._lost = False

    def members(self) -> Iterator[Member]:
        """Every member with content; each is to be read before the next is asked for."""
        while not self._budget.stopped and (block := self._reader.peek(BLOCK)):
            header = parse_header(block)
            if header:
                self._reader.skip(BLOCK)
                self._lost = False
                yield from self._one(header, block)
            elif len(block) < BLOCK and block.strip(b"\0"):
                break
            else:
                self._between(block)
        if not self._ended and not self._reader.broken:
            self._budget.tell("truncated", self._member, "the tar ends without its end mark")

    def _between(self, block: bytes) -> None:
        """A block of zeros ends the archive, though another may follow; anything else is damage up
        to a header.
        """
        if block == _ZEROS[: len(block)]:
            self._ended = True
        elif not self._lost:
            self._lost = True
            self._budget.damage(self._member, "the tar is damaged")
        self._reader.skip(BLOCK)

    def _one(self, header: TarHeader, block: bytes) -> Iterator[Member]:
        kind = chr(header.type)
        if kind in "LKxgX":
            self._extend(kind, header)
            return
        extension, self._extension = self._extension, _Extension()
        size = header.size if extension.size is None else extension.size
        size = size if header.has_content else 0
        segments = self._gnu_sparse(block) if kind == "S" else None
        name = member_name(extension.name or header.name)
        part, reader = part_of(self._reader, size)
        if size or segments:
            real_size = number(block[483:495]) if kind == "S" else extension.real_size
            yield self._member_of(name, reader, header, size, extension, segments, real_size)
        self._pass(name, size, part.left)

    def _member_of(
        self, name: str, reader: Reader, header: TarHeader, size: int, extension: _Extension, segments: Segments | None,
        real_size: int | None,
    ) -> Member:  # fmt: skip
        if extension.map_inside:
            segments = _map_inside(reader)
        elif extension.segments:
            segments = pairs(extension.segments)
        if segments is not None:
            size = real_size or 0
            reader = Reader(Sparse(reader, segments, size, self._budget, name))
        return Member(name, reader, size, header.mtime * 1000, packed=False)

    def _pass(self, name: str, size: int, left: int) -> None:
        """Go to the next header, over what was not read and the padding."""
        missing = left - self._reader.skip(left)
        self._reader.skip(-size % BLOCK)
        if missing and not self._reader.broken and not self._budget.stopped:
            self._ended = True
            joined = f"{self._member}!{name}" if self._member else name
            self._budget.tell(
                "truncated", joined, "the tar ends inside this member", size - missing
            )

    def _extend(self, kind: str, header: TarHeader) -> None:
        """A header whose content is about the next one: long names and pax records."""
        if header.size > _MAX_EXTENSION:
            self._budget.damage(self._member, "an extended tar header is too large")
            self._reader.skip(header.size + -header.size % BLOCK)
            return
        data = bytearray()
        while len(data) < header.size and (
            more := self._reader.read(min(header.size - len(data), CAPACITY))
        ):
            data += more
        self._reader.skip(-header.size % BLOCK)
        if kind == "L":
            self._extension.name = bytes(data).rstrip(b"\0")
        elif kind in "xX":
            self._extension.take_pax(bytes(data))

    def _gnu_sparse(self, block: bytes) -> Segments:
        """The old GNU map: four segments in the header, 21 in each block behind it while a flag
        says so.
        """
        segments, more = gnu_segments(block[386:482]), block[482]
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
        if not lines:
            wanted = 2 * _decimal(bytes(text.partition(b"\n")[0])) + 1
        lines += block.count(b"\n")
    return pairs([_decimal(line) for line in bytes(text).split(b"\n")[1:wanted]])
