"""Zip headers (PKWARE APPNOTE.TXT 6.3.10): local file headers, data descriptors, and the lengths of all other records.

Promises: pure functions of bytes; None for what is cut off or is no such header.
"""

from __future__ import annotations

import struct

import msgspec

LOCAL, DESCRIPTOR = b"PK\x03\x04", b"PK\x07\x08"
# What a zip that was to be split over disks begins with, ahead of its first member (section 8.5.3).
SPLIT = (b"PK\x07\x08", b"PK00")
LOCAL_SIZE = 30
# A descriptor with 64-bit sizes, and the signature of what follows it.
DESCRIPTOR_SIZE = 28

# Records other than members (sections 4.3.11 to 4.3.16): fixed length, then where lengths of what follows are stated.
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


class Local(msgspec.Struct, frozen=True):
    """A local file header. Sizes are in bytes; `compressed` is None when only the data itself tells where it ends."""

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
    """Whether a zip begins here: with a member whose header makes sense, or with its end, being empty."""
    head = head[4:] if head[:4] in SPLIT else head
    local = parse_local(head)
    if local is None:
        return head.startswith(END)
    # Versions end at 6.3 (section 4.4.3), methods at 99, and no name is longer than a path.
    return head[4] <= 63 and local.method <= 99 and 0 < local.name_length <= 4096


def _milliseconds(date: int, time: int) -> int:
    """A DOS date and time, which has no zone, read as UTC."""
    import calendar

    parts = (1980 + (date >> 9), date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, (time & 31) * 2)
    return calendar.timegm(parts) * 1000 if 1 <= parts[1] <= 12 and parts[2] else 0


def parse_local(head: bytes) -> Local | None:
    """The local header at the start of `head`, which goes on with name and extra field."""
    if len(head) < LOCAL_SIZE or not head.startswith(LOCAL):
        return None
    _, _, flags, method, time, date, crc, compressed, size, name, extra = struct.unpack_from("<4s5H3L2H", head)
    known: tuple[int | None, int | None] = (compressed, size)
    if _WHOLE in known:
        known = _zip64(head[LOCAL_SIZE + name : LOCAL_SIZE + name + extra], compressed, size)
    if flags & 8 and not known[0]:
        known = (None, None)
    return Local(flags, method, _milliseconds(date, time), None if flags & 8 else crc, *known, name, extra)


def _zip64(extra: bytes, compressed: int, size: int) -> tuple[int | None, int | None]:
    """Compressed and plain size from the zip64 extra field (section 4.5.3), which holds those that are 0xFFFFFFFF."""
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
    """Length and checksum of the data descriptor at the start of `head`: with or without signature, 32 or 64 bits.

    Which of the four it is shows by the compressed size that it repeats (section 4.3.9), and by what follows.
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
    """The length of the record at the start of `head` (46 bytes of it), or None if it is none, or a member."""
    record = _RECORDS.get(head[:4])
    if record is None or len(head) < record[0]:
        return None
    fixed, layout, at = record
    lengths: tuple[int, ...] = struct.unpack_from(layout, head, at)
    return fixed + sum(lengths)
