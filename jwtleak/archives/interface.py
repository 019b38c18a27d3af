"""What a container promises, and the way from the first bytes of a file to its container.

A container holds other files: tar, zip. A codec (`codecs`) compresses one. A container reads
forwards only, gives members lazily and in order, keeps memory constant whatever its bytes claim,
reports what it cannot read through the budget, and never raises for bad bytes.

    head ──> FORMATS: magic? ──no──> plain
                  │ yes
                  v
             load(name) ──> starts(head)? ──no──> next format
                                 │ yes
                                 v
                      members(reader, budget) ──> Member ──> unfolded in turn, or scanned
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Protocol

import msgspec

from jwtleak.archives.budget import Budget
from jwtleak.archives.reader import Reader
from jwtleak.core.lazy_regex import lazy
from jwtleak.types import Context


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One file in a container. It can be read until the container is asked for the next one.

    `size` is its length in bytes where the header states it, `mtime_ms` its time in Unix
    milliseconds. `packed` says that the container decompresses it. `context` is what the container
    knows of the bytes, such as the header that a value was sent in.
    """

    name: str
    reader: Reader
    size: int | None = None
    mtime_ms: int | None = None
    packed: bool = False
    context: Context | None = None


class ArchiveContainer(Protocol):
    """A format that holds other files."""

    name: str
    # Whether members are stored as they are. The whole is then often compressed (`x.tar.gz`), and
    # the compression around it does not count as one more level of archives inside archives.
    stored: bool

    def starts(self, head: bytes) -> bool:
        """Whether a file that begins with `head` (`SNIFF` bytes, fewer if it is shorter) is one."""

    def members(self, reader: Reader, budget: Budget) -> Iterator[Member]:
        """Every member with content, in order. Whoever asks for the next one is done with the last,
        whether it was read to its end or not.
        """


class ContainerFormat(msgspec.Struct, frozen=True):
    """A row of the table: how to suspect a format without loading its module.

    Each file of the format begins with one of `magic`, or matches `pattern` from its first byte
    ("." is any byte). Both may fit other files too: `ArchiveContainer.starts` decides.
    """

    module: str
    magic: tuple[bytes, ...] = ()
    pattern: bytes | None = None


# Name -> format, in the order in which they are tried. A module has `CONTAINER`, which implements
# `ArchiveContainer`. Modules are loaded when a file of theirs is met: most scans meet none, and
# loading all of them would take longer than scanning a small file.
FORMATS = {
    "zip": ContainerFormat("zip", (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"PK00")),
    "cpio": ContainerFormat("cpio", (b"070701", b"070702")),
    "ar": ContainerFormat("ar", (b"!<arch>\n",)),
    # A tar from before POSIX has no magic, only the checksum of its header: octal digits at byte
    # 148, among blanks or before a NUL, or a number in base 256.
    "tar": ContainerFormat("tar", pattern=rb".{148}(?:\s*[0-7]+\s*\0|[\s0-7]{8}|\x80)"),
}

_MAGIC = tuple(magic for row in FORMATS.values() for magic in row.magic)
_SOURCES = {
    name: b"|".join([*map(re.escape, row.magic), row.pattern or b"(?!)"])
    for name, row in FORMATS.items()
}
# Compiled for the first file that may be a container: most scans meet none.
_PATTERNS = {name: lazy(b"(?s:" + source + b")") for name, source in _SOURCES.items()}
_ANY = lazy(b"(?s:" + b"|".join(_SOURCES.values()) + b")")


def load(name: str) -> ArchiveContainer:
    """The container `name`, its module loaded if it was not yet."""
    module = importlib.import_module(f"jwtleak.archives.{FORMATS[name].module}")
    container: ArchiveContainer = module.CONTAINER
    return container


def container_of(head: bytes) -> ArchiveContainer | None:
    """The container that a file beginning with `head` is, or None."""
    # Nearly every file is plain, and costs one match.
    if not _ANY.match(head):
        return None
    # A row may fit by chance, so all of them are tried: a tar can hold a file called "PK\x03\x04".
    for name, pattern in _PATTERNS.items():
        if pattern.match(head) and load(name).starts(head):
            return load(name)
    return None


def may_start(head: bytes) -> bool:
    """Whether `head`, cut anywhere, may be the beginning of a magic number and what follows it."""
    return any(head[: len(magic)] == magic[: len(head)] for magic in _MAGIC)
