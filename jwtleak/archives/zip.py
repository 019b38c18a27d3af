"""Zip archives (jar, war, office files), read forwards by their local headers (PKWARE APPNOTE.TXT
6.3.10).

    local header 30 | name | extra | data | descriptor?      for each member
    central directory | end                                  passed over

Promises: every member in the order it is stored, so that a zip that is cut off, or packed in
another archive, gives all it has; members cannot overlap, so no member is decoded twice; memory is
that of one decoder. An entry that only the central directory lists has no bytes, and a member that
it does not list is still read.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing

import msgspec

from jwtleak.archives.budget import Budget
from jwtleak.archives.codecs import BZIP2, DEFLATE, XZ, ZSTD, zip_lzma
from jwtleak.archives.decompress import Decoded
from jwtleak.archives.interface import Member
from jwtleak.archives.reader import CAPACITY, Part, Readable, Reader, member_name, part_of

LOCAL, DESCRIPTOR = b"PK\x03\x04", b"PK\x07\x08"
# A zip that was meant to be split over disks begins with one of these, ahead of its first member
# (section 8.5.3).
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
    """A local file header. Sizes are in bytes; `compressed` is None when only the data itself shows
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
    sizes: tuple[int | None, int | None] = (compressed, size)
    if _WHOLE in sizes:
        sizes = _zip64(head[LOCAL_SIZE + name : LOCAL_SIZE + name + extra], compressed, size)
    if flags & 8 and not sizes[0]:
        # Written to a pipe: the sizes were not known yet and follow the data.
        sizes = (None, None)
    return LocalHeader(
        flags, method, _milliseconds(date, time), None if flags & 8 else crc, *sizes, name, extra
    )


def _zip64(extra: bytes, compressed: int, size: int) -> tuple[int | None, int | None]:
    """Compressed and plain size from the zip64 extra field (section 4.5.3), which holds those that
    are 0xFFFFFFFF.
    """
    at = 0
    while at + 4 <= len(extra):
        # Other fields (times, owners) may come before it; each states its length.
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

    Nothing marks which of the four it is (section 4.3.9).
    """
    # The compressed size that it repeats decides, together with what follows. A checksum may look
    # like the signature, so both readings are tried.
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
    """A member's bytes, and their checksum once all were read."""

    def __init__(self, source: Readable) -> None:
        from isal import isal_zlib

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
    """Stored data of unknown length: up to a descriptor that states the length read until there."""

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
            self._sure = self._content_ahead()
        if not self._sure:
            return 0
        count = self._reader.readinto(buffer[: self._sure])
        self._count += count
        self._sure -= count
        return count

    def _content_ahead(self) -> int:
        """How far the content goes at least; 0 at its end."""
        window = self._reader.peek(CAPACITY // 2)
        at = window.find(DESCRIPTOR)
        # A descriptor that begins in the last bytes is judged once it is in the window whole. In
        # the last window of a file there is nothing more to wait for.
        last = len(window) - (DESCRIPTOR_SIZE if len(window) == CAPACITY // 2 else 0)
        while 0 <= at < last:
            # The content may hold signatures, of a zip inside this one for instance; only the
            # descriptor of this member states the length that was read.
            length = self._count + at
            stated = int.from_bytes(window[at + 8 : at + 12], "little")
            if stated == length & 0xFFFFFFFF and parse_descriptor(
                window[at : at + DESCRIPTOR_SIZE], length
            ):
                return at
            at = window.find(DESCRIPTOR, at + 1)
        return last


class _ZipMembers:
    """The members of one zip."""

    def __init__(self, reader: Reader, budget: Budget) -> None:
        self._reader = reader
        self._budget = budget
        self._ended = False  # or what is missing was reported

    def run(self) -> Iterator[Member]:
        if self._reader.peek(4) in SPLIT:
            self._reader.skip(4)
        while not self._budget.stopped and (head := self._reader.peek(46)):
            header = parse_local(head)
            if header:
                # Parsed again with name and extra field: 64-bit sizes are in the latter.
                whole = self._reader.peek(min(header.length, CAPACITY))
                yield from self._member(parse_local(whole) or header, whole)
            elif length := record_length(head):
                # The end record is the end mark, but reading goes on: zips may be concatenated.
                self._ended = self._ended or head.startswith(END)
                self._reader.skip(length)
            else:
                if head[:4] in SIGNATURES:
                    break  # a record that is cut off
                self._budget.report_damage("the zip is damaged")
                self._search()
        if not self._ended and not self._reader.broken:
            self._budget.report("truncated", "the zip ends without its directory")

    def _member(self, header: LocalHeader, whole: bytes) -> Iterator[Member]:
        name = member_name(whole[LOCAL_SIZE : LOCAL_SIZE + header.name_length])
        budget = self._budget.inside(name)
        self._reader.skip(header.length)
        start = self._reader.offset
        part, reader = None, self._reader
        if header.compressed is not None:
            part, reader = part_of(self._reader, header.compressed)
        checked = None
        if not part or part.left:
            checked = yield from self._content(header, name, budget, reader)
        if part:
            self._pass(part, budget, checked, bool(reader.ahead()))
        elif checked is None or checked.broken:
            # Where this member ends is unknown, and that it could not be read is reported.
            if not self._search():
                self._ended = True
            return
        crc = header.crc
        if header.described:
            compressed = self._reader.offset - start
            found = parse_descriptor(self._reader.peek(DESCRIPTOR_SIZE), compressed)
            if found:
                self._reader.skip(found[0])
                crc = found[1]
        # Only whoever read all of it knows the checksum: a caller may have closed it early.
        if checked and checked.ended and not checked.broken and crc not in (None, checked.crc):
            budget.report_damage("the checksum is wrong")

    def _content(
        self, header: LocalHeader, name: str, budget: Budget, reader: Reader
    ) -> Generator[Member, None, _Checked | None]:
        """Give the member, decompressed; then read what the caller left of it, if only that shows
        where it ends.
        """
        codec = _CODECS.get(header.method)
        if header.method == _LZMA:
            codec = zip_lzma(None if header.flags & 2 else header.size)
        # Reported and not scanned raw: encrypted bytes hold nothing that could be found.
        if header.encrypted:
            budget.report("encrypted", "needs a password")
            return None
        if not codec and header.method != _STORED:
            budget.report("unsupported", f"compressed with zip method {header.method}")
            return None
        with ExitStack() as stack:
            source: Readable = reader
            if codec:
                source = stack.enter_context(closing(Decoded(reader, codec, budget, single=True)))
            elif header.compressed is None:
                source = _Undelimited(reader)
            checked = _Checked(source)
            # Only bytes that are in the file as they are can be read again from any place.
            stored = header.compressed is not None and not codec
            repeat = reader.again if reader.repeatable and stored else None
            yield Member(
                name=name,
                reader=Reader(checked, repeat),
                size=header.size,
                mtime_ms=header.mtime_ms,
                packed=codec is not None,
            )
            if header.compressed is None:
                # The caller may have closed it early, and only its end shows where the next begins.
                checked.drain()
        return checked

    def _pass(self, part: Part, budget: Budget, checked: _Checked | None, unread: bool) -> None:
        """Skip the rest of a member of known length, and report what is wrong with it."""
        left = part.left
        missing = left - self._reader.skip(left)
        if missing:
            self._ended = True
            if not self._reader.broken:
                budget.report("truncated", "the zip ends inside this member")
        elif (left or unread) and checked and checked.ended and not checked.broken:
            # The compressed data ended before the member did: the bytes between could hide
            # anything, and nobody else would read them.
            budget.report_damage("something else after the compressed data")

    def _search(self) -> bool:
        """Go on at the next thing that looks like zip; False when there is none."""
        while window := self._reader.peek(CAPACITY):
            places = [at for at in map(window.find, SIGNATURES) if at >= 0]
            # The last three bytes may be the beginning of a signature.
            self._reader.skip(min(places) if places else max(1, len(window) - 3))
            if places:
                return True
        return False


class Zip:
    """Zip as a container."""

    name = "zip"
    stored = False

    def starts(self, head: bytes) -> bool:
        """Whether a zip begins here: with a member whose header makes sense, or with its end, being
        empty.
        """
        head = head[4:] if head[:4] in SPLIT else head
        local = parse_local(head)
        if local is None:
            return head.startswith(END)
        # Versions end at 6.3 (section 4.4.3), methods at 99, and no name is longer than a path.
        return head[4] <= 63 and local.method <= 99 and 0 < local.name_length <= 4096

    def members(self, reader: Reader, budget: Budget) -> Iterator[Member]:
        """Every member, in order."""
        return _ZipMembers(reader, budget).run()


CONTAINER = Zip()
