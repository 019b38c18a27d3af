"""Zip archives (jar, war, office files), read forwards by their local headers.

Promises: every member is given in the order it is stored, so that a zip that is cut off, or packed
in another archive, gives all it has; members cannot overlap, so no member is decoded twice; memory
is that of one decoder. The central directory is passed over: what only it lists has no bytes, and
what it does not list is still read.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing

import msgspec

from jwtleak.archives.budget import Budget
from jwtleak.archives.codecs import BZIP2, DEFLATE, XZ, ZSTD, Codec, zip_lzma
from jwtleak.archives.decompress import Decoded
from jwtleak.archives.reader import CAPACITY, Member, Part, Readable, Reader, member_name, part_of

# Zip headers (PKWARE APPNOTE.TXT 6.3.10): local file headers, data descriptors, and the lengths of
# all other records.
#
# Promises: pure functions of bytes; None for what is cut off or is no such header.

LOCAL, DESCRIPTOR = b"PK\x03\x04", b"PK\x07\x08"
# What a zip that was to be split over disks begins with, ahead of its first member (section 8.5.3).
SPLIT = (b"PK\x07\x08", b"PK00")
LOCAL_SIZE = 30
# A descriptor with 64-bit sizes, and the signature of what follows it.
DESCRIPTOR_SIZE = 28

# Records other than members (sections 4.3.11 to 4.3.16): fixed length, then where lengths of what
# follows are stated.
_RECORDS: dict[bytes, tuple[int, str, int]] = {
    b"PK\x01\x02": (46, "<3H", 28),  # central directory: name, extra, comment
    b"PK\x05\x05": (6, "<H", 4),  # digital signature
    b"PK\x05\x06": (22, "<H", 20),  # end of central directory: comment
    b"PK\x06\x06": (12, "<Q", 4),  # zip64 end of central directory
    b"PK\x06\x07": (20, "<", 0),  # zip64 locator
    b"PK\x06\x08": (8, "<L", 4),  # archive extra data
}
END = b"PK\x05\x06"
SIGNATURES = (LOCAL, *_RECORDS)

_WHOLE = 0xFFFFFFFF


class LocalHeader(msgspec.Struct, frozen=True):
    """A local file header. Sizes are in bytes; `compressed` is None when only the data itself tells
    where it ends.
    """

    flags: int
    method: int
    mtime_ms: int
    crc: int | None
    compressed: int | None
    size: int | None
    name_length: int
    extra_length: int

    @property
    def length(self) -> int:
        """Bytes up to the data."""
        return LOCAL_SIZE + self.name_length + self.extra_length

    @property
    def encrypted(self) -> bool:
        """Whether a password is needed (bit 0)."""
        return bool(self.flags & 1)

    @property
    def described(self) -> bool:
        """Whether a data descriptor follows the data (bit 3)."""
        return bool(self.flags & 8)


def looks_like_zip(head: bytes) -> bool:
    """Whether a zip begins here: with a member whose header makes sense, or with its end, being
    empty.
    """
    head = head[4:] if head[:4] in SPLIT else head
    local = parse_local(head)
    if local is None:
        return head.startswith(END)
    # Versions end at 6.3 (section 4.4.3), methods at 99, and no name is longer than a path.
    return head[4] <= 63 and local.method <= 99 and 0 < local.name_length <= 4096


def _milliseconds(date: int, time: int) -> int:
    """A DOS date and time, which has no zone, read as UTC."""
    import calendar

    parts = (
        1980 + (date >> 9),
        date >> 5 & 15,
        date & 31,
        time >> 11,
        time >> 5 & 63,
        (time & 31) * 2,
    )
    return calendar.timegm(parts) * 1000 if 1 <= parts[1] <= 12 and parts[2] else 0


def parse_local(head: bytes) -> LocalHeader | None:
    """The local header at the start of `head`, which goes on with name and extra field."""
    if len(head) < LOCAL_SIZE or not head.startswith(LOCAL):
        return None
    _, _, flags, method, time, date, crc, compressed, size, name, extra = struct.unpack_from(
        "<4s5H3L2H", head
    )
    known: tuple[int | None, int | None] = (compressed, size)
    if _WHOLE in known:
        known = _zip64(head[LOCAL_SIZE + name : LOCAL_SIZE + name + extra], compressed, size)
    if flags & 8 and not known[0]:
        known = (None, None)
    return LocalHeader(
        flags, method, _milliseconds(date, time), None if flags & 8 else crc, *known, name, extra
    )


def _zip64(extra: bytes, compressed: int, size: int) -> tuple[int | None, int | None]:
    """Compressed and plain size from the zip64 extra field (section 4.5.3), which holds those that
    are 0xFFFFFFFF.
    """
    at = 0
    while at + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, at)
        if tag == 1:
            field = extra[at + 4 : at + 4 + length]
            values = iter(struct.unpack_from(f"<{len(field) // 8}Q", field))
            whole = next(values, None) if size == _WHOLE else size
            return (next(values, None) if compressed == _WHOLE else compressed), whole
        at += 4 + length
    return None, None


def parse_descriptor(head: bytes, compressed: int) -> tuple[int, int] | None:
    """Length and checksum of the data descriptor at the start of `head`: with or without signature,
    32 or 64 bits.

    Which of the four it is shows by the compressed size that it repeats (section 4.3.9), and by
    what follows.
    """
    signed = 4 if head.startswith(DESCRIPTOR) else 0
    for at in dict.fromkeys((signed, 0)):
        for width in (4, 8):
            sizes = head[at + 4 : at + 4 + 2 * width]
            end = at + 4 + 2 * width
            same = len(sizes) == 2 * width and int.from_bytes(sizes[:width], "little") == compressed
            if same and head[end : end + 2] in (b"PK", b""):
                return end, int.from_bytes(head[at : at + 4], "little")
    return None


def record_length(head: bytes) -> int | None:
    """The length of the record at the start of `head` (46 bytes of it), or None if it is none, or a
    member.
    """
    record = _RECORDS.get(head[:4])
    if record is None or len(head) < record[0]:
        return None
    fixed, layout, at = record
    lengths: tuple[int, ...] = struct.unpack_from(layout, head, at)
    return fixed + sum(lengths)


_STORED, _LZMA = 0, 14
_CODECS = {8: DEFLATE, 12: BZIP2, 93: ZSTD, 95: XZ}


class _Checked:
    """A member's bytes on their way, with their number and checksum."""

    def __init__(self, source: Readable) -> None:
        from isal import (
            isal_zlib,
        )  # loaded only for a zip: sniffing asks this module about every file

        self._crc32 = isal_zlib.crc32
        self._source = source
        self.crc = 0
        self.ended = False

    @property
    def broken(self) -> bool:
        """Whether the layer below ended early."""
        return self._source.broken

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`; 0 is the end."""
        count = self._source.readinto(buffer)
        self.crc = self._crc32(buffer[:count], self.crc)
        self.ended = self.ended or not count
        return count

    def drain(self) -> None:
        """Read to the end."""
        room = memoryview(bytearray(CAPACITY))
        while self.readinto(room):
            pass


class _Undelimited:
    """Stored data of unknown length: up to the descriptor that states the length it has until
    there.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._count = 0
        self._sure = 0  # bytes ahead that are known to be content

    @property
    def broken(self) -> bool:
        """Whether the layer below ended early."""
        return self._reader.broken

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`; 0 is the end."""
        if not self._sure:
            self._sure = self._look()
        if not self._sure:
            return 0
        count = self._reader.readinto(buffer[: self._sure])
        self._count += count
        self._sure -= count
        return count

    def _look(self) -> int:
        """How far the content goes at least; 0 at its end."""
        window = self._reader.peek(CAPACITY // 2)
        at = window.find(DESCRIPTOR)
        # At the end a descriptor is here whole; elsewhere one that begins in the last bytes is
        # judged when it is.
        last = len(window) - (DESCRIPTOR_SIZE if len(window) == CAPACITY // 2 else 0)
        while 0 <= at < last:
            length = self._count + at
            told = int.from_bytes(window[at + 8 : at + 12], "little") == length & 0xFFFFFFFF
            if told and parse_descriptor(window[at : at + DESCRIPTOR_SIZE], length):
                return at
            at = window.find(DESCRIPTOR, at + 1)
        return last


class Zip:
    """The members of a zip that begins at the reader's place. `member` is the name of the zip
    itself, if it has one.
    """

    def __init__(self, reader: Reader, budget: Budget, member: str | None) -> None:
        self._reader = reader
        self._budget = budget
        self._member = member
        self._ended = False  # or what is missing was told

    def members(self) -> Iterator[Member]:
        """Every member; each is to be read before the next is asked for."""
        if self._reader.peek(4) in SPLIT:
            self._reader.skip(4)
        while not self._budget.stopped and (head := self._reader.peek(46)):
            header = parse_local(head)
            if header:
                whole = self._reader.peek(min(header.length, CAPACITY))
                yield from self._one(parse_local(whole) or header, whole)
            elif length := record_length(head):
                self._ended = self._ended or head.startswith(END)
                self._reader.skip(length)
            else:
                if head[:4] in SIGNATURES:
                    break  # a record that is cut off
                self._search()
        if not self._ended and not self._reader.broken:
            self._budget.tell("truncated", self._member, "the zip ends without its directory")

    def _one(self, header: LocalHeader, whole: bytes) -> Iterator[Member]:
        name = member_name(whole[LOCAL_SIZE : LOCAL_SIZE + header.name_length])
        label = f"{self._member}!{name}" if self._member else name
        self._reader.skip(header.length)
        start = self._reader.offset
        part, reader = None, self._reader
        if header.compressed is not None:
            part, reader = part_of(self._reader, header.compressed)
        checked = None
        if not part or part.left:
            checked = yield from self._content(header, name, label, reader)
        if part:
            self._pass(part, label, checked, bool(reader.ahead()))
        elif checked is None or checked.broken:
            self._search(quiet=True)
            return
        self._finish(header, label, checked, self._reader.offset - start)

    def _content(
        self, header: LocalHeader, name: str, label: str, reader: Reader
    ) -> Generator[Member, None, _Checked | None]:
        """Give the member, decompressed, and read what the caller left of it if only that shows
        where it ends.
        """
        codec = (
            zip_lzma(None if header.flags & 2 else header.size) if header.method == _LZMA else None
        )
        codec = codec or _CODECS.get(header.method)
        if header.encrypted:
            self._budget.tell("encrypted", label, "needs a password")
        elif not codec and header.method != _STORED:
            self._budget.tell("unsupported", label, f"compressed with zip method {header.method}")
        else:
            with ExitStack() as held:
                checked = _Checked(self._source(header, codec, reader, label, held))
                # Only bytes that stand in the file as they are can be read again from any place.
                repeat = (
                    reader.again
                    if reader.repeatable and header.compressed is not None and not codec
                    else None
                )
                yield Member(
                    name, Reader(checked, repeat), header.size, header.mtime_ms, codec is not None
                )
                if header.compressed is None:
                    checked.drain()
            return checked
        return None

    def _source(
        self, header: LocalHeader, codec: Codec | None, reader: Reader, label: str, held: ExitStack
    ) -> Readable:
        if codec:
            return held.enter_context(
                closing(Decoded(reader, codec, self._budget, label, single=True))
            )
        return _Undelimited(reader) if header.compressed is None else reader

    def _pass(self, part: Part, label: str, checked: _Checked | None, unread: bool) -> None:
        """Go over what is left of a member of known length, and say what is wrong with it."""
        left = part.left
        missing = left - self._reader.skip(left)
        if missing:
            self._ended = True
            if not self._reader.broken:
                self._budget.tell("truncated", label, "the zip ends inside this member")
        elif (left or unread) and checked and checked.ended and not checked.broken:
            self._budget.damage(label, "something else after the compressed data")

    def _finish(
        self, header: LocalHeader, label: str, checked: _Checked | None, compressed: int
    ) -> None:
        """Pass over the descriptor, and compare the checksum."""
        crc = header.crc
        if header.described and (
            found := parse_descriptor(self._reader.peek(DESCRIPTOR_SIZE), compressed)
        ):
            self._reader.skip(found[0])
            crc = found[1]
        if checked and checked.ended and not checked.broken and crc not in (None, checked.crc):
            self._budget.damage(label, "the checksum is wrong")

    def _search(self, *, quiet: bool = False) -> None:
        """Go on at the next thing that looks like zip; `quiet` when what comes before it was told
        already.
        """
        if not quiet:
            self._budget.damage(self._member, "the zip is damaged")
        while window := self._reader.peek(CAPACITY):
            places = [at for at in map(window.find, SIGNATURES) if at >= 0]
            self._reader.skip(min(places) if places else max(1, len(window) - 3))
            if places:
                return
        self._ended = self._ended or quiet
