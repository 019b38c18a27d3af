"""The changes that a stream goes through: opened, resumed, grown, truncated, left, ended.

Promises: each change is made here, in one step with what is told of it, after `decide` has said
which it is.
"""

from __future__ import annotations

import os
import time
from typing import Literal

from jwtleak.errors import reason_of
from jwtleak.follow.fingerprint import ANCHOR, digest, head_length
from jwtleak.follow.interface import Ended, Grown, Moved, Opened
from jwtleak.follow.open_file import OpenedFile
from jwtleak.follow.registry import Registry, fresh_name
from jwtleak.follow.sparse import written_end, written_on
from jwtleak.follow.stream import FollowedStream
from jwtleak.types import Cursor

# A file that changed so long ago cannot change within the same tick of its file system's clock:
# FAT's is the slowest.
_RECENT = 3.0

_STATES: dict[str, Literal["rotated", "finished"]] = {
    "leaving": "rotated",
    "orphan": "rotated",
    "finished": "finished",
}


def make_cursor(
    stream: FollowedStream,
    *,
    offset: int,
    told: int,
    lines: int,
    line_start: int,
    alert: str | None = None,
) -> Cursor:
    """The cursor of a stream as it is now."""
    return Cursor(
        stream=stream.name,
        path=stream.path,
        device=stream.device,
        inode=stream.inode,
        generation=stream.generation,
        head_length=stream.head_length,
        head=stream.head,
        anchor_length=stream.anchor_length,
        anchor=stream.anchor,
        offset=offset,
        reported=told,
        read=stream.read_to,
        lines=lines,
        line_start=line_start,
        # Of a compressed file the size says nothing about what is left.
        size=0 if stream.packed is not None or stream.state == "finished" else stream.end,
        mtime_ns=stream.mtime_ns,
        state=stream.stored.state
        if stream.state == "sought"
        else _STATES.get(stream.state, "followed"),
        provisional=alert,
    )


def from_cursor(cursor: Cursor) -> FollowedStream:
    """A stream that was followed before the program was started again."""
    return FollowedStream(
        name=cursor.stream,
        path=cursor.path,
        stored=cursor,
        device=cursor.device,
        inode=cursor.inode,
        generation=cursor.generation,
        mtime_ns=cursor.mtime_ns,
        end=max(cursor.size, cursor.offset),
        head_length=cursor.head_length,
        head=cursor.head,
        read_to=cursor.read,
        anchor_length=cursor.anchor_length,
        anchor=cursor.anchor,
    )


def read_back(fd: int, stream: FollowedStream, offset: int) -> bytes:
    """The bytes before `offset`, for an anchor."""
    length = min(ANCHOR, offset)
    if stream.packed is not None:
        return stream.packed.exactly(offset - length, length)
    return os.pread(fd, length, offset - length)


def _real(path: str) -> str:
    """Where a link leads, empty for what is none. A link among its directories does not matter:
    events come by its path.
    """
    return os.path.realpath(path) if os.path.islink(path) else ""


class Lifecycle:
    """What happens to the streams of a book."""

    def __init__(self, book: Registry) -> None:
        self._book = book

    def open(
        self,
        handle: OpenedFile,
        path: str,
        now: float,
        *,
        start: int,
        taken: bool,
        follows: str | None,
    ) -> FollowedStream:
        """A stream that was never met. Raises `OSError`; the handle stays the caller's to close."""
        blank = Cursor(stream=fresh_name(), path=path, device=handle.key[0], inode=handle.key[1])
        stream = FollowedStream(
            name=blank.stream, path=path, stored=blank, state="followed" if taken else "leaving"
        )
        self._attach(stream, handle, path, now)
        stream.left_at = stream.changed_at = now
        if not stream.confirm:  # it has been idle for long, and is looked at as such
            stream.changed_at = now - (time.time() - handle.found.st_mtime)
        if stream.packed is not None and start:
            stream.state, start = "finished", 0
        elif start:
            stream.read_to = start = min(start, stream.end)
            before = read_back(stream.fd, stream, start)
            stream.anchor_length, stream.anchor = len(before), digest(before)
        stream.stored = make_cursor(stream, offset=start, told=start, lines=0, line_start=start)
        self._book.add(stream)
        self._tell_opened(stream, follows)
        if stream.state == "finished":
            self._tell_finished(stream)
        return stream

    def _attach(self, stream: FollowedStream, handle: OpenedFile, path: str, now: float) -> None:
        """The stream is read from this file. Raises `OSError`, with nothing changed."""
        found = handle.found
        end = written_end(handle.fd, min(stream.read_to, found.st_size), found.st_size)
        book = self._book
        book.bind(stream, handle.key, handle.generation)
        stream.packed = None
        packed = handle.packed
        book.descriptors.keep(stream, handle.give())
        stream.packed = packed
        book.unname(stream)
        stream.path, moved = path, stream.path != path
        if moved and stream.opened:
            book.tell(Moved(stream.name, path))
        book.by_path[path] = stream
        stream.named = True
        stream.size, stream.mtime_ns, stream.ctime_ns = (
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
        )
        stream.end = packed.position if packed is not None else end
        stream.reserved = packed is None and end < found.st_size
        stream.confirm = time.time() - found.st_mtime < _RECENT
        self._learn_head(stream, handle.head)
        book.soon(stream, now)
        book.link(stream, _real(path))

    def _learn_head(self, stream: FollowedStream, head: bytes) -> None:
        length = head_length(len(head) if stream.packed is not None else min(stream.end, len(head)))
        if length > stream.head_length:
            stream.head_length, stream.head = length, digest(head[:length])
        self._book.know_head(stream)

    def _tell_opened(
        self, stream: FollowedStream, follows: str | None = None, *, kept: bool = False
    ) -> None:
        stream.told, stream.opened = stream.end, True
        packed = stream.packed is not None
        self._book.tell(
            Opened(stream.name, stream.path, stream.stored, stream.end, follows, packed, kept)
        )

    def resume(
        self, stream: FollowedStream, handle: OpenedFile, path: str, now: float, *, taken: bool
    ) -> None:
        """A stream goes on in this file. Raises `OSError`, with nothing changed."""
        before = stream.end
        finished = stream.stored.state == "finished" and stream.mtime_ns == handle.found.st_mtime_ns
        self._attach(stream, handle, path, now)
        if stream.packed is None and stream.end < before:
            stream.lost += before - max(stream.end, stream.read_to)
        if taken and finished:
            stream.state = "finished"
            return
        stream.state = "followed" if taken else "leaving"
        stream.left_at = stream.changed_at = now
        if stream.opened:
            self._tell_grown(stream)
        else:
            self._tell_opened(stream)

    def resume_unopened(
        self, stream: FollowedStream, found: os.stat_result, path: str, now: float
    ) -> None:
        """A stream's file is what it was when its cursor was stored: nothing to compare."""
        book = self._book
        book.bind(stream, (found.st_dev, found.st_ino), stream.generation)
        stream.path = path
        book.by_path[path] = stream
        stream.named = True
        book.soon(stream, now)
        book.link(stream, _real(path))
        stream.size, stream.ctime_ns = found.st_size, found.st_ctime_ns
        book.know_head(stream)
        if stream.stored.state == "finished":
            stream.state = "finished"
            return
        stream.state = "followed"
        self._tell_opened(stream, kept=path == stream.stored.path)

    def update(
        self, stream: FollowedStream, found: os.stat_result, now: float, *, thorough: bool
    ) -> None:
        """The same file, perhaps with more in it. Raises `OSError`, with nothing changed."""
        fd, size, start = stream.fd, found.st_size, min(stream.end, found.st_size)
        end = written_on(fd, start, size) if stream.reserved and not thorough else start
        if end == start:
            end = written_end(fd, start, size)
        # Of what was read only: a copy that is made of it need not hold more.
        if head_length(stream.read_to or end) > stream.head_length:
            self._learn_head_of(stream, min(stream.read_to or end, end))
        if end < stream.end:
            stream.lost += stream.end - max(end, stream.read_to)
        changed = (size, found.st_mtime_ns) != (stream.size, stream.mtime_ns)
        if changed:
            stream.changed_at, stream.confirm = now, True
        if end > stream.end:
            stream.rewrites = 0
        stream.size, stream.mtime_ns, stream.ctime_ns = size, found.st_mtime_ns, found.st_ctime_ns
        stream.end, stream.reserved = end, end < size
        self._tell_grown(stream)

    def _learn_head_of(self, stream: FollowedStream, end: int) -> None:
        head = os.pread(stream.fd, head_length(end), 0)
        length = head_length(min(end, len(head)))
        if length > stream.head_length:
            stream.head_length, stream.head = length, digest(head[:length])
            self._book.know_head(stream)

    def _tell_grown(self, stream: FollowedStream) -> None:
        if stream.end > stream.told or stream.stalled:
            self._book.tell(Grown(stream.name, stream.end))
        stream.told, stream.stalled = stream.end, False

    def unpack(self, stream: FollowedStream) -> None:
        """Unpack on where everything unpacked was read."""
        if stream.packed is not None and not stream.packed.ended:
            stream.packed.exactly(stream.read_to, 1)
            stream.end = max(stream.end, stream.packed.position)
            self._tell_grown(stream)

    def follow_again(self, stream: FollowedStream, path: str) -> None:
        """A file that left its name has one again that is asked for."""
        self._book.name(stream, path)
        if stream.state == "leaving":
            stream.state = "followed"

    def truncate(self, stream: FollowedStream, now: float) -> FollowedStream | None:
        """The file's old content is gone; what it holds now is a stream of its own, whose handle
        this opens.

        Gives the new stream; None when the file cannot be opened just now: it arrives again.
        """
        book, path, taken = self._book, stream.path, stream.state == "followed"
        book.descriptors.release(stream)
        book.unbind(stream)
        stream.left_at, stream.reason = now, "truncated"
        stream.device = stream.inode = 0  # the file is not to be met again
        book.orphan(stream)
        if not taken:
            return None
        try:
            handle = OpenedFile(path, book.trouble)
        except OSError as error:
            book.trouble("unreadable", path, reason_of(error))
            return None
        try:
            fresh = self.open(handle, path, now, start=0, taken=True, follows=stream.name)
        except OSError as error:
            book.trouble("unreadable", path, reason_of(error))
            return None
        finally:
            handle.close()
        fresh.rewrites = stream.rewrites + 1
        return fresh

    def leave(self, stream: FollowedStream, now: float, *, gone: bool) -> None:
        """The file has not the stream's name any more."""
        book = self._book
        book.unname(stream)
        if stream.state != "leaving":
            stream.left_at, stream.reason = now, "removed" if gone else "rotated"
        if stream.fd >= 0 and stream.state != "finished":
            stream.state = "leaving"
        else:
            book.descriptors.release(stream)
            book.orphan(stream)

    def end(self, stream: FollowedStream) -> None:
        """The stream is over."""
        lost = stream.lost + (
            0 if stream.packed is not None else max(0, stream.end - stream.read_to)
        )
        if stream.stored.state == "finished":
            lost = 0
        if not stream.opened:
            # Its file was not met in this run, or it was finished long ago: nothing is to be read.
            stream.end = stream.stored.offset
            self._tell_opened(stream)
        self._book.end(stream, Ended(stream.name, stream.reason, lost))

    def finish(self, stream: FollowedStream) -> None:
        """A compressed file that is followed was read whole."""
        self._book.descriptors.release(stream)
        stream.state = "finished"
        last, end = stream.stored, stream.read_to
        stream.stored = make_cursor(
            stream, offset=end, told=end, lines=last.lines, line_start=last.line_start
        )
        self._tell_finished(stream)

    def _tell_finished(self, stream: FollowedStream) -> None:
        stream.opened = False
        self._book.tell(Ended(stream.name, "finished", stream.lost, stream.stored))
