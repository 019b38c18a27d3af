"""What happens to a stream: opened, resumed, grown, truncated, left, ended.

Promises: each change is one step together with its events; the registry's indexes follow. A method
that raises `OSError` has changed nothing. Refuses: decisions, which `decide` makes and `inspect`,
`rotations` and `discovery` ask for.
"""

from __future__ import annotations

import os
import time
from typing import Literal

from jwtleak.errors import reason_of
from jwtleak.follow.fingerprint import ANCHOR, head_length
from jwtleak.follow.interface import Ended, Grown, Opened
from jwtleak.follow.open_file import OpenedFile
from jwtleak.follow.registry import Registry, fresh_name
from jwtleak.follow.sparse import written_end, written_on
from jwtleak.follow.stream import FollowedStream
from jwtleak.types import Cursor

# A file that changed so long ago cannot change within the same tick of its file system's clock. The
# slowest clock is FAT's, with two seconds.
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
    reported: int,
    lines: int,
    line_start: int,
    alert: str | None = None,
) -> Cursor:
    """Return the cursor of a stream as it is now."""
    # Head and anchor are as of now, not as of `offset`: they describe the file as far as it was
    # read, which is what the next run compares before it reads on from `offset`.
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
        reported=reported,
        read=stream.read_to,
        lines=lines,
        line_start=line_start,
        # The size of a compressed file says nothing about what is left to read.
        size=0 if stream.compressed is not None or stream.state == "finished" else stream.end,
        mtime_ns=stream.mtime_ns,
        # Until its file is met, nothing is known that the stored state does not say.
        state=stream.stored.state
        if stream.state == "sought"
        else _STATES.get(stream.state, "followed"),
        provisional=alert,
    )


def from_cursor(cursor: Cursor) -> FollowedStream:
    """Return the stream of an earlier run."""
    # Size and the time of inode change stay 0: they are compared with `stat` only once the file was
    # met. `end` is what was seen to exist, so that the bytes between it and `read_to` count as lost
    # when the file is never found.
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


def read_back(stream: FollowedStream, offset: int) -> bytes:
    """Return the bytes before `offset`, for an anchor. Raises `OSError`."""
    length = min(ANCHOR, offset)
    if stream.compressed is not None:
        return stream.compressed.exactly(offset - length, length)
    return os.pread(stream.fd, length, offset - length)


def _real(path: str) -> str:
    """Return where a link leads, empty for a path that is none.

    A link among its directories does not matter: events come by the path itself.
    """
    return os.path.realpath(path) if os.path.islink(path) else ""


class Lifecycle:
    """Changes the streams of a registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def open(
        self,
        file: OpenedFile,
        path: str,
        now: float,
        *,
        start: int,
        matched: bool,
        follows: str | None,
    ) -> FollowedStream:
        """Start a stream for a new file, from `start` on. Raises `OSError`.

        `matched`: the path matches a target; without it the file is a rotated generation, read to
        its end. The file is the caller's to close.
        """
        # `make_cursor` asks for the state of the stored cursor, so there has to be one.
        blank = Cursor(stream=fresh_name(), path=path, device=file.key[0], inode=file.key[1])
        stream = FollowedStream(name=blank.stream, path=path, stored=blank)
        self._attach(stream, file, path, now)
        # A file that was idle for long is polled as one from the start: at the first poll there may
        # be fifty thousand of them.
        idle = None if stream.confirm else now - (time.time() - file.found.st_mtime)
        stream.attach("followed" if matched else "leaving", now, changed_at=idle)
        if stream.compressed is not None and start:
            # `from = "end"`: offsets count decompressed bytes, so its end is unknown. Skip it all.
            stream.finish()
            start = 0
        elif start:
            # The size was read before the written end was known: reserved NUL bytes are no content
            # to be skipped, since data will replace them.
            start = min(start, stream.end)
            try:
                stream.advance(start, read_back(stream, start))
            except OSError:
                # Bound already: left so, every later poll would call the file another path of a
                # stream that nobody polls.
                self._registry.drop(stream)
                raise
        stream.store(make_cursor(stream, offset=start, reported=start, lines=0, line_start=start))
        # After all that can fail: a stream that is registered gets an `Opened`, always.
        self._registry.add(stream)
        self._emit_opened(stream, follows)
        if stream.state == "finished":
            self._emit_finished(stream, stream.stored)
        return stream

    def _attach(self, stream: FollowedStream, file: OpenedFile, path: str, now: float) -> None:
        """Read the stream from this file from now on. Raises `OSError`."""
        found = file.found
        # All that can fail comes first.
        end = written_end(file.fd, min(stream.read_to, found.st_size), found.st_size)
        registry = self._registry
        registry.bind(stream, file.key, file.generation)
        # `detach` empties the file, so its decompressor is fetched before.
        compressed = file.compressed
        registry.open_files.keep(stream, file.detach(), compressed)
        # Emits `Moved` where the caller knows the stream, before the `Grown` that may follow: its
        # alerts must name the path where the bytes are.
        registry.name(stream, path)
        stream.observe(found)
        # How far it can be read: of a compressed file, as far as its head was decompressed.
        if compressed is not None:
            stream.set_end(compressed.position, reserved=False)
        else:
            stream.set_end(end, reserved=end < found.st_size)
        stream.set_confirm(time.time() - found.st_mtime < _RECENT)
        length = head_length(len(file.head) if compressed is not None else min(end, len(file.head)))
        # A longer head only: a copy that is shorter must not make the stream's head shorter, or the
        # next candidate could match with less evidence.
        if length > stream.head_length:
            stream.learn_head(file.head[:length])
        # Also without a new head: the index does not have a stream of an earlier run yet.
        registry.index_head(stream)
        registry.poll_soon(stream, now)
        registry.link(stream, _real(path))

    def _emit_opened(
        self, stream: FollowedStream, follows: str | None = None, *, kept: bool = False
    ) -> None:
        stream.open()
        compressed = stream.compressed is not None
        self._registry.emit(
            Opened(stream.name, stream.path, stream.stored, stream.end, follows, compressed, kept)
        )

    def resume(
        self, stream: FollowedStream, file: OpenedFile, path: str, now: float, *, matched: bool
    ) -> None:
        """Continue a stream in this file. Raises `OSError`; the file is the caller's to close."""
        before = stream.end
        # `_attach` overwrites the time of change that this compares.
        finished = stream.stored.state == "finished" and stream.mtime_ns == file.found.st_mtime_ns
        self._attach(stream, file, path, now)
        if stream.compressed is None and stream.end < before:
            # A copy that was made before the last bytes were written: copytruncate's window.
            stream.lose_bytes(before - max(stream.end, stream.read_to))
        # It was read whole in an earlier run, and is remembered for as long as it is there. Not for
        # a rotated file that no target matches: that one ends, as every file that leaves.
        if matched and finished:
            stream.finish()
            return
        # Quiet time starts again: whoever renamed or copied it may still write to it.
        stream.attach("followed" if matched else "leaving", now)
        # A stream of this run was opened already. One of an earlier run was not, even though the
        # caller has its cursor.
        if stream.opened:
            self._emit_grown(stream)
        else:
            self._emit_opened(stream)

    def resume_unopened(
        self, stream: FollowedStream, found: os.stat_result, path: str, now: float
    ) -> None:
        """Continue a stream whose file is as its cursor says, without opening the file."""
        registry = self._registry
        registry.bind(stream, (found.st_dev, found.st_ino), stream.generation)
        registry.name(stream, path)
        registry.poll_soon(stream, now)
        registry.link(stream, _real(path))
        # The time of change stays the cursor's, which is equal; head and anchor are not compared
        # until the file changes. The generation stays too: it costs an open to read it.
        stream.observe_metadata(found)
        registry.index_head(stream)
        stream.recognize()
        if stream.state == "followed":
            self._emit_opened(stream, kept=path == stream.stored.path)

    def update(
        self, stream: FollowedStream, found: os.stat_result, now: float, *, thorough: bool
    ) -> None:
        """Record what an inspection of the stream's own file found. Raises `OSError`.

        `thorough`: look for written bytes in all of a reserved part, not only where it begins.
        """
        # Everything before `end` is known to be written, so only what comes after it is searched.
        fd, size, start = stream.fd, found.st_size, min(stream.end, found.st_size)
        end = written_on(fd, start, size) if stream.reserved and not thorough else start
        # Nothing where data is expected next. A preallocated file can be filled from elsewhere, and
        # a file without a reserved part has its new bytes here.
        if end == start:
            end = written_end(fd, start, size)
        # The head grows with what was read, not with what is written: a copy of the file need not
        # hold more than that, and must still be recognized by its head.
        known = min(stream.read_to or end, end)
        if head_length(stream.read_to or end) > stream.head_length:
            self._learn_head(stream, known)
        # It shrank, but not below what was read (`decide.judge` would call that truncated): bytes
        # that were reported are gone unread, as when an editor removes the last line.
        if end < stream.end:
            stream.lose_bytes(stream.end - max(end, stream.read_to))
        # Not the inode's time: a chmod or a new link is no reason to poll it every second.
        if (size, found.st_mtime_ns) != (stream.size, stream.mtime_ns):
            stream.change(now)
        # It grows, so it is a log after all, and not something that is rewritten in place.
        if end > stream.end:
            stream.count_rewrites(0)
        stream.observe(found)
        stream.set_end(end, reserved=end < size)
        self._emit_grown(stream)

    def _learn_head(self, stream: FollowedStream, end: int) -> None:
        head = os.pread(stream.fd, head_length(end), 0)
        # The file may have shrunk since its size was read: hash no more than was there.
        length = head_length(min(end, len(head)))
        if length > stream.head_length:
            stream.learn_head(head[:length])
            self._registry.index_head(stream)

    def _emit_grown(self, stream: FollowedStream) -> None:
        # A stalled stream: the caller got 0 bytes for something reported, and waits for news.
        if stream.end > stream.reported_size or stream.stalled:
            self._registry.emit(Grown(stream.name, stream.end))
        stream.report()

    def unpack(self, stream: FollowedStream) -> None:
        """Decompress one more step of a stream whose decompressed bytes were all read."""
        compressed = stream.compressed
        if compressed is not None and not compressed.ended:
            # One byte decompresses one step, 256 KiB. All at once would hold up the poll, and would
            # need the memory of whatever the file claims to contain.
            compressed.exactly(stream.read_to, 1)
            stream.set_end(max(stream.end, compressed.position), reserved=stream.reserved)
            self._emit_grown(stream)

    def follow_again(self, stream: FollowedStream, path: str) -> None:
        """Follow a file that left its path and has a followed one again."""
        self._registry.name(stream, path)
        stream.follow_again()

    def rotated_to(self, stream: FollowedStream, path: str) -> None:
        """Record that a file that left its path was found beside it: rotated, not removed."""
        stream.set_reason("rotated")
        self._registry.name(stream, path)

    def truncate(self, stream: FollowedStream, now: float) -> FollowedStream | None:
        """Make the file's present content a stream of its own, since the old content is gone.

        Returns the new stream, or None where the file cannot be opened now and has to be discovered
        again.
        """
        # A file that is leaving has no path by which its new content is followed.
        registry, path, matched = self._registry, stream.path, stream.state == "followed"
        # Opened again below instead of kept: by now the path may lead to another file, and the new
        # stream must belong to whatever is there.
        registry.open_files.release(stream)
        # The index finds the stream by the key that `truncate` clears.
        registry.unbind(stream)
        stream.truncate(now)
        registry.orphan(stream)
        if not matched:
            return None
        try:
            file = OpenedFile(path, registry.trouble)
        except OSError as error:
            registry.trouble("unreadable", path, reason_of(error))
            return None
        try:
            fresh = self.open(file, path, now, start=0, matched=True, follows=stream.name)
        except OSError as error:
            registry.trouble("unreadable", path, reason_of(error))
            return None
        finally:
            file.close()
        # Carried over from stream to stream, since each rewrite makes a new one.
        fresh.count_rewrites(stream.rewrites + 1)
        return fresh

    def leave(self, stream: FollowedStream, now: float, *, gone: bool) -> None:
        """Read the file to its end, since it does not have the stream's path any more."""
        self._registry.unname(stream)
        stream.leave(now, "removed" if gone else "rotated")
        # Without an open file there is nothing to read from, and a finished file need not be read.
        if stream.state != "leaving" or stream.fd < 0:
            self.orphan(stream)

    def orphan(self, stream: FollowedStream) -> None:
        """Close the stream's file for good; its rest may be found in a copy."""
        self._registry.open_files.release(stream)
        self._registry.orphan(stream)

    def pass_on(self, stream: FollowedStream, now: float) -> None:
        """Let a compressed form that waits continue a stream that was read to its end."""
        stream.pass_on(now)
        self._registry.queue_rest_search(stream, stream.path)
        self.orphan(stream)

    def miss(self, stream: FollowedStream, now: float) -> None:
        """Make a stream an orphan whose file is not where its cursor says."""
        # Something is at the path: logs are replaced by renaming them, so it counts as rotated.
        stream.miss(now, "rotated" if os.path.lexists(stream.path) else "removed")
        stream.lose()
        self._registry.poll_at(stream, now)

    def end(self, stream: FollowedStream) -> None:
        """End a stream, and count what was not read."""
        # `end` of a compressed file counts what is decompressed, which was all read if it ends.
        unread = 0 if stream.compressed is not None else max(0, stream.end - stream.read_to)
        # A finished file was counted when it was finished.
        lost = 0 if stream.stored.state == "finished" else stream.lost + unread
        if not stream.opened:
            # Its file was not met in this run, or was finished long ago. The contract wants an
            # `Opened` before each `Ended`, with nothing to read.
            stream.reopen_at(stream.stored.offset)
            self._emit_opened(stream)
        self._registry.end(stream, Ended(stream.name, stream.reason, lost))

    def finish(self, stream: FollowedStream) -> None:
        """Remember a followed compressed file as read whole."""
        self._registry.open_files.release(stream)
        stream.finish()
        last, end = stream.stored, stream.read_to
        cursor = make_cursor(
            stream, offset=end, reported=end, lines=last.lines, line_start=last.line_start
        )
        self._emit_finished(stream, cursor)

    def _emit_finished(self, stream: FollowedStream, cursor: Cursor) -> None:
        stream.remember(cursor)
        self._registry.emit(Ended(stream.name, "finished", stream.lost, cursor))
