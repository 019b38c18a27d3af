"""Reading a file that is being written: where its written part ends, and where its holes are.

Promises: NUL bytes at the end that are only reserved (fallocate, a hole, a file filled with zeros
beforehand) are not read before something stands there; a hole of any size costs two system calls,
not its length.
"""

from __future__ import annotations

import errno
import os

_PIECE = 64 * 1024
# Data between holes that is looked at for its last byte. More pieces are an attack on time: the end
# is then the size.
_MAX_EXTENTS = 1024


def data_after(fd: int, offset: int, size: int) -> int:
    """The next offset that is not in a hole; `size` when there is none, `offset` where that cannot
    be told.
    """
    try:
        return os.lseek(fd, offset, os.SEEK_DATA)
    except OSError as error:
        return size if error.errno == errno.ENXIO and offset < size else offset


def _hole_after(fd: int, offset: int, size: int) -> int:
    try:
        return min(os.lseek(fd, offset, os.SEEK_HOLE), size)
    except OSError:
        return size


def _extents(fd: int, start: int, size: int) -> list[tuple[int, int]] | None:
    """Where there is data between `start` and `size`; None for too many pieces."""
    found = []
    while start < size:
        begin = data_after(fd, start, size)
        if begin >= size:
            break
        start = _hole_after(fd, begin, size)
        if start <= begin:
            start = size
        found.append((begin, start))
        if len(found) > _MAX_EXTENTS:
            return None
    return found


def _last_written(fd: int, begin: int, end: int) -> int | None:
    """The end of the last byte in [begin, end) that is not NUL."""
    while end > begin:
        at = max(begin, end - _PIECE)
        if piece := os.pread(fd, end - at, at).rstrip(b"\0"):
            return at + len(piece)
        end = at
    return None


def written_end(fd: int, start: int, size: int) -> int:
    """The end of what is written; all before `start` is known to be. Raises `OSError`."""
    if size <= start:
        return size
    if os.pread(fd, 1, size - 1) != b"\0":
        return size
    extents = _extents(fd, start, size)
    if extents is None:
        return size
    for begin, end in reversed(extents):
        last = _last_written(fd, begin, end)
        if last is not None:
            return last
    return start


def written_on(fd: int, start: int, size: int) -> int:
    """As `written_end`, for a file whose reserved part was seen before: looks only at the place
    that is written next.

    Gives `start` when nothing stands there; what was written further on is then for `written_end`
    to find.
    """
    piece = os.pread(fd, min(_PIECE, max(size - start, 0)), start)
    return start + len(piece.rstrip(b"\0"))
