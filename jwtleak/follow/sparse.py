"""Where the written part of a growing file ends, and where its holes are.

Promises: NUL bytes at the end that are only reserved (fallocate, a hole, a file filled with zeros
in advance) are not read before data replaces them. A hole costs two system calls, whatever its
size.

    data | hole | data | NUL NUL NUL NUL ... NUL
                       ^ written end           ^ size
"""

from __future__ import annotations

import errno
import os

_PIECE = 64 * 1024
# Extents that are searched for the last written byte. More of them are an attack on time: then the
# size counts as the end.
_MAX_EXTENTS = 1024


def data_after(fd: int, offset: int, size: int) -> int:
    """Return the next offset outside a hole.

    `size` when only a hole follows; `offset` itself where holes cannot be detected.
    """
    try:
        return os.lseek(fd, offset, os.SEEK_DATA)
    except OSError as error:
        # ENXIO: no data after `offset`. Anything else (EINVAL on old file systems) means that holes
        # are unknown: then all of it counts as data, and is read as NUL bytes.
        return size if error.errno == errno.ENXIO and offset < size else offset


def _hole_after(fd: int, offset: int, size: int) -> int:
    try:
        return min(os.lseek(fd, offset, os.SEEK_HOLE), size)
    except OSError:
        return size


def _extents(fd: int, start: int, size: int) -> list[tuple[int, int]] | None:
    """Return the extents of data between `start` and `size`; None when there are too many."""
    found = []
    while start < size:
        begin = data_after(fd, start, size)
        if begin >= size:
            break
        start = _hole_after(fd, begin, size)
        # A file that is truncated meanwhile can give the same offset twice: do not loop.
        if start <= begin:
            start = size
        found.append((begin, start))
        if len(found) > _MAX_EXTENTS:
            return None
    return found


def _last_written(fd: int, begin: int, end: int) -> int | None:
    """Return the offset behind the last byte in [begin, end) that is not NUL."""
    while end > begin:
        # Backwards: the last byte is what is asked for, and is mostly in the last piece.
        at = max(begin, end - _PIECE)
        if piece := os.pread(fd, end - at, at).rstrip(b"\0"):
            return at + len(piece)
        end = at
    return None


def written_end(fd: int, start: int, size: int) -> int:
    """Return where the written part ends; it reaches `start` at least. Raises `OSError`."""
    if size <= start:
        return size
    # Almost every log ends in a newline: one byte decides.
    if os.pread(fd, 1, size - 1) != b"\0":
        return size
    extents = _extents(fd, start, size)
    # To read NUL bytes too early is harmless; to search for ever is not.
    if extents is None:
        return size
    # fallocate's reserved extents count as data in some file systems, so they are searched too.
    for begin, end in reversed(extents):
        last = _last_written(fd, begin, end)
        if last is not None:
            return last
    return start


def written_on(fd: int, start: int, size: int) -> int:
    """As `written_end`, for a file with a known reserved part: reads only what is written next.

    Returns `start` when nothing was written there; `written_end` finds what was written further on.
    """
    piece = os.pread(fd, min(_PIECE, max(size - start, 0)), start)
    return start + len(piece.rstrip(b"\0"))
