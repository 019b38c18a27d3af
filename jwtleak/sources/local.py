"""The storage of local files: regular files, whole or a range of bytes.

Promises: nothing but regular files is ever read, even if a path turns into a pipe between listing
and opening; a file that shrinks while it is read simply ends; errors of the system become
`SourceError`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing

import msgspec
import stringzilla

from jwtleak.errors import SourceError, reason_of
from jwtleak.sources.globs import GlobFilter
from jwtleak.sources.interface import SNIFF, Entry, Notify
from jwtleak.sources.walk import walk
from jwtleak.types import StreamInfo

# Below this the kernel's own read-ahead has the whole file at the first read, and the advice is
# only one more call.
_ADVISE = 1 << 20

# O_NONBLOCK: opening a pipe that replaced the file must not hang. O_NOATIME: a reader should leave
# no trace, but only the owner may ask for it, so a refusal turns it off for the whole process.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_noatime = getattr(os, "O_NOATIME", 0)


def _open(path: str) -> int:
    global _noatime
    if _noatime:
        try:
            return os.open(path, _FLAGS | _noatime)
        except PermissionError:
            # If this fails too, the file itself is forbidden and the flag says nothing.
            fd = os.open(path, _FLAGS)
            _noatime = 0
            return fd
    return os.open(path, _FLAGS)


class FileStream:
    """The bytes [start, end) of a regular file; to its end when `end` is None.

    Raises `SourceError` when the path cannot be opened or is not a regular file.
    """

    def __init__(self, path: str, start: int = 0, end: int | None = None) -> None:
        self._position = start
        self._end = end
        try:
            self._fd = _open(path)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise SourceError(path, reason_of(error)) from None
        try:
            # Of the descriptor, not of the path: that may lead to another file by now.
            found = os.fstat(self._fd)
            self.info = StreamInfo(
                "file", path, None, found.st_size, found.st_mtime_ns // 1_000_000
            )
            if start:
                os.lseek(self._fd, start, os.SEEK_SET)
            if found.st_size > _ADVISE and hasattr(os, "posix_fadvise"):
                os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        except OSError as error:
            self.close()
            raise SourceError(path, reason_of(error)) from None
        if not stat.S_ISREG(found.st_mode):
            self.close()
            raise SourceError(path, "not a regular file")

    @property
    def position(self) -> int:
        """The file offset of the next byte."""
        return self._position

    def peek(self) -> bytes:
        """The next bytes, up to `SNIFF`, without moving on."""
        try:
            # `pread` leaves the position alone, so that nothing has to be put back.
            return os.pread(self._fd, SNIFF, self._position)
        except OSError as error:
            raise SourceError(self._path, reason_of(error)) from None

    def rewind(self, offset: int = 0) -> None:
        """Go on from another file offset."""
        try:
            self._position = os.lseek(self._fd, offset, os.SEEK_SET)
        except OSError as error:
            raise SourceError(self._path, reason_of(error)) from None

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`; 0 is the end."""
        if self._end is not None and self._end - self._position < len(buffer):
            buffer = buffer[: max(0, self._end - self._position)]
        try:
            # `readv` fills the caller's buffer; `os.read` would make bytes of its own.
            count = os.readv(self._fd, [buffer])
        except OSError as error:
            raise SourceError(self._path, reason_of(error)) from None
        self._position += count
        return count

    def reopen(self, offset: int) -> FileStream:
        """A second stream of the file that is at the same path now. Raises `SourceError`."""
        return FileStream(self._path, offset)

    def status(self) -> os.stat_result:
        """The open file's `fstat`."""
        return os.fstat(self._fd)

    def close(self) -> None:
        """Close the file."""
        # First forgotten, then closed: the number may be another file's as soon as it is free.
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    @property
    def _path(self) -> str:
        return self.info.path or ""


class Identity(msgspec.Struct, frozen=True):
    """What a file is recognised by, whatever its name is then. `head` is a digest of its
    beginning.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int
    head: bytes


def identify(path: str, count: int) -> Identity:
    """The identity of the file at `path` now, by its first `count` bytes. Raises `SourceError`."""
    with closing(FileStream(path, end=count)) as stream:
        head = bytearray(count)
        length = stream.readinto(memoryview(head))
        # Of the open descriptor: head and size are those of one file, whatever the path becomes.
        found = stream.status()
    return Identity(
        found.st_dev,
        found.st_ino,
        found.st_size,
        found.st_mtime_ns,
        stringzilla.sha256(bytes(head[:length])),
    )


class LocalFiles:
    """Local files as a storage. URLs are paths."""

    def list(self, urls: Sequence[str], choose: GlobFilter, notice: Notify) -> Iterator[Entry]:
        """Every regular file at or below `urls` once; see `walk`."""
        return walk(urls, choose, notice=notice)

    def open(self, url: str, start: int = 0, end: int | None = None) -> FileStream:
        """The bytes [start, end) of the file at the path `url`. Raises `SourceError`."""
        return FileStream(url, start, end)


STORAGE = LocalFiles()
