"""Ar archives: Debian packages (deb(5)) and static libraries, with the long names of GNU and BSD.

    "!<arch>\\n" | header 60 | content, padded to 2 | header 60 | content | ...

    deb:   debian-binary | control.tar.gz | data.tar.xz         unfolded in their turn
    GNU:   "//" holds the long names; "/34" is the name at byte 34 of it
    BSD:   "#1/20" has its name in the first 20 bytes of the content

Promises: every member with content, in order. After a damage it goes on at the next header. Memory
is one header and the names of "//", up to a bound. An archive has no end mark, so one that is cut
between two members looks whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from jwtleak.archives.budget import Budget
from jwtleak.archives.interface import Member
from jwtleak.archives.reader import CAPACITY, Reader, member_name, part_of, skip_to

_MAGIC = b"!<arch>\n"
_HEADER = 60

# name 16, mtime 12, uid 6, gid 6, mode 8, size 10, then two bytes that end each header. Numbers are
# decimal (the mode octal), filled up with blanks; some tools leave all but the size blank.
_FIELDS = re.compile(
    rb"(?s)(?P<name>.{16})(?P<mtime>[-0-9 ]{12})[-0-9 ]{20}(?=[0-9 ]{10}`\n)(?P<size>[0-9]+) *`\n"
)

# Long names of GNU. The names of all objects of the largest libraries are some hundred kilobytes.
MAX_NAMES = 2 << 20

# A name of BSD in front of the content. A longer one is cut, and the content begins behind it all
# the same.
_MAX_NAME = 4096


class ArHeader(msgspec.Struct, frozen=True, kw_only=True):
    """One header. `size` is in bytes and counts a BSD name; `mtime` is in Unix seconds."""

    name: bytes
    mtime: int
    size: int


def parse_header(head: bytes) -> ArHeader | None:
    """The header at the start of `head`, or None if there is none."""
    found = _FIELDS.match(head)
    if found is None:
        return None
    name, mtime = found["name"].rstrip(b" "), found["mtime"].strip()
    return ArHeader(name=name, mtime=int(mtime) if mtime.isdigit() else 0, size=int(found["size"]))


class _ArMembers:
    """The members of one ar."""

    def __init__(self, reader: Reader, budget: Budget) -> None:
        self._reader = reader
        self._budget = budget
        self._names = b""
        self._damaged = False

    def run(self) -> Iterator[Member]:
        self._reader.skip(len(_MAGIC))
        while not self._budget.stopped and (head := self._reader.peek(_HEADER)):
            header = parse_header(head)
            if header is None:
                self._recover(head)
                continue
            self._reader.skip(_HEADER)
            if header.name == b"//":
                self._read_names(header.size)
            else:
                yield from self._member(header)
            # Content of odd size has one more byte behind it. Some writers forget it, and at the
            # end of the file many do.
            if header.size % 2 and parse_header(self._reader.peek(_HEADER)) is None:
                self._reader.skip(1)

    def _recover(self, head: bytes) -> None:
        """Report bytes that are no header, and go on at the next one."""
        if len(head) < _HEADER:
            self._reader.skip(len(head))
            if head.strip(b"\n\0") and not self._reader.broken:
                self._budget.report("truncated", "the ar ends inside a header")
            return
        if not self._damaged:
            # One notice: each header may be followed by damage.
            self._budget.report_damage("the ar is damaged")
            self._damaged = True
        skip_to(self._reader, _FIELDS, _HEADER)

    def _member(self, header: ArHeader) -> Iterator[Member]:
        size, raw = header.size, self._name_of(header)
        if header.name.startswith(b"#1/") and header.name[3:].isdigit():
            length = min(int(header.name[3:]), size)
            raw = self._reader.peek(min(length, _MAX_NAME)).rstrip(b"\0")
            # What is missing of the name is missing of the member, which reports it.
            size -= self._reader.skip(length)
        name = member_name(raw)
        part, reader = part_of(self._reader, size)
        if size:
            yield Member(name=name, reader=reader, size=size, mtime_ms=header.mtime * 1000)
        left = part.left
        missing = left - self._reader.skip(left)
        if missing and not self._reader.broken and not self._budget.stopped:
            self._budget.inside(name).report(
                "truncated", "the ar ends inside this member", size - missing
            )

    def _name_of(self, header: ArHeader) -> bytes:
        """The name in the header, or the one that it points to."""
        digits = header.name[1:]
        if header.name.startswith(b"/") and digits.isdigit() and int(digits) < len(self._names):
            # Names of "//" end in "/\n"; System V has a NUL there.
            at = int(digits)
            return re.split(rb"/?[\n\0]", self._names[at : at + _MAX_NAME], maxsplit=1)[0]
        # GNU ends a name in "/", so that it can have blanks at its end. "/" alone is the index of
        # symbols, "/SYM64/" that of large archives. Both are members like any other.
        return header.name.removesuffix(b"/") or header.name

    def _read_names(self, size: int) -> None:
        if size > MAX_NAMES:
            # The members are read all the same, under the numbers that point into the table.
            self._budget.report_damage("the table of names in the ar is too large")
            self._reader.skip(size)
            return
        names = bytearray()
        while len(names) < size and (more := self._reader.read(min(size - len(names), CAPACITY))):
            names += more
        self._names = bytes(names)
        if len(names) < size and not self._reader.broken:
            self._budget.report("truncated", "the ar ends inside its table of names", len(names))


class Ar:
    """Ar as a container."""

    name = "ar"
    stored = True

    def starts(self, head: bytes) -> bool:
        """Whether an archive begins here: its magic, then a header or nothing."""
        after = head.removeprefix(_MAGIC)
        return after != head and (not after or parse_header(after) is not None)

    def members(self, reader: Reader, budget: Budget) -> Iterator[Member]:
        """Every member with content, in order."""
        return _ArMembers(reader, budget).run()


CONTAINER = Ar()
