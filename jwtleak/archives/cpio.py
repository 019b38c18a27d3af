"""Cpio archives in the "new ASCII" format, newc and crc (cpio(5), Linux initramfs buffer format).

    header 110 | name, NUL, padded to 4 | content, padded to 4 | header ... | header "TRAILER!!!"

Promises: every member with content, in order. Of a file with several names the content comes once,
under the name that carries it: newc writes it with the last one. After a damage it goes on at the
next header. Memory is one header, whatever it claims. The older binary and octal formats are not
read: what they hold is scanned as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import stringzilla

from jwtleak.archives.budget import Budget
from jwtleak.archives.interface import Member
from jwtleak.archives.reader import Readable, Reader, member_name, part_of, skip_to

_NEWC, _CRC = b"070701", b"070702"
_HEADER = 110
_TRAILER = b"TRAILER!!!"

# Thirteen fields of eight hexadecimal digits follow the magic. `int` would accept signs, blanks and
# underscores too.
_FIELDS = re.compile(rb"07070[12][0-9A-Fa-f]{104}")

# The kernel's own bound on a path (PATH_MAX), NUL included. A longer name is damage: skipping it
# would let a header hide all that follows.
MAX_NAME = 4096


class CpioHeader(msgspec.Struct, frozen=True, kw_only=True):
    """One header. Sizes are in bytes, `mtime` is in Unix seconds; `name_size` counts a NUL at the
    end. `check` is the sum of all bytes of the content, where the format has one.
    """

    size: int
    mtime: int
    name_size: int
    check: int | None

    @property
    def length(self) -> int:
        """Bytes up to the content."""
        return _padded(_HEADER + self.name_size)


def parse_header(head: bytes) -> CpioHeader | None:
    """The header at the start of `head`, or None if there is none."""
    if not _FIELDS.match(head):
        return None
    # ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    fields = [int(head[at : at + 8], 16) for at in range(6, _HEADER, 8)]
    if not 0 < fields[11] <= MAX_NAME:
        return None
    check = fields[12] if head.startswith(_CRC) else None
    return CpioHeader(size=fields[6], mtime=fields[5], name_size=fields[11], check=check)


def _padded(size: int) -> int:
    return size + -size % 4


class _Summed:
    """A member's bytes, and the sum of them once all were read."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self.sum = 0
        self.ended = False

    @property
    def broken(self) -> bool:
        """Whether the layer below ended early."""
        return self._source.broken

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`; 0 is the end."""
        count = self._source.readinto(buffer)
        self.sum = self.sum + stringzilla.bytesum(buffer[:count]) & 0xFFFFFFFF
        self.ended = self.ended or not count
        return count


class _CpioMembers:
    """The members of one cpio."""

    def __init__(self, reader: Reader, budget: Budget) -> None:
        self._reader = reader
        self._budget = budget
        self._ended = False  # or what is missing was reported
        self._damaged = False

    def run(self) -> Iterator[Member]:
        while not self._budget.stopped and (head := self._reader.peek(_HEADER)):
            header = parse_header(head)
            if header is not None:
                yield from self._member(header)
            elif len(head) < _HEADER and head.startswith(_NEWC[: min(5, len(head))]):
                self._ended = False
                break  # a header that is cut off
            elif not self._skip_padding():
                self._recover()
        if not self._ended and not self._reader.broken:
            self._budget.report("truncated", "the cpio ends without its trailer")

    def _recover(self) -> None:
        """Report bytes that are no header, and go on at the next one."""
        if not self._damaged:
            # Behind its trailer an initramfs may go on with a second archive, a compressed one. It
            # is not read, and that is said. One notice: each header may be followed by damage.
            after = "something else after the cpio" if self._ended else "the cpio is damaged"
            self._budget.report_damage(after)
            self._damaged = True
        # Without another header the trailer may be what was damaged: no second notice for it.
        self._ended = not skip_to(self._reader, _FIELDS, _HEADER)

    def _member(self, header: CpioHeader) -> Iterator[Member]:
        raw = self._reader.peek(header.length)[_HEADER : _HEADER + header.name_size]
        raw = raw.split(b"\0", 1)[0]
        self._reader.skip(header.length)
        # Concatenated archives have a trailer each: only the last one is the end.
        self._ended = raw == _TRAILER
        if not header.size:
            return
        name = member_name(raw)
        part, reader = part_of(self._reader, header.size)
        summed = None
        if header.check is not None:
            summed = _Summed(reader)
            content = Reader(summed, reader.again if reader.repeatable else None)
        else:
            content = reader
        yield Member(name=name, reader=content, size=header.size, mtime_ms=header.mtime * 1000)
        left = part.left
        missing = left - self._reader.skip(left)
        self._reader.skip(-header.size % 4)
        if missing:
            self._ended = True
            if not self._reader.broken and not self._budget.stopped:
                self._budget.inside(name).report(
                    "truncated", "the cpio ends inside this member", header.size - missing
                )
        elif summed and summed.ended and not left and summed.sum != header.check:
            # Whoever closed the member early does not know its sum.
            self._budget.inside(name).report_damage("the checksum is wrong")

    def _skip_padding(self) -> bool:
        """Skip zeros, which fill the last block behind the trailer; False if there are none."""
        start = self._reader.offset
        while self._reader.peek(1) == b"\0":
            # A block at a time: what is read too much is copied and pushed back.
            self._reader.push_back(len(self._reader.read(512).lstrip(b"\0")))
        return self._reader.offset > start


class Cpio:
    """Cpio as a container."""

    name = "cpio"
    stored = True

    def starts(self, head: bytes) -> bool:
        """Whether a header begins here."""
        return parse_header(head) is not None

    def members(self, reader: Reader, budget: Budget) -> Iterator[Member]:
        """Every member with content, in order."""
        return _CpioMembers(reader, budget).run()


CONTAINER = Cpio()
