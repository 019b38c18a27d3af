"""Reads the bytes of streams, and makes their cursors.

Promises: bytes count only while the bytes before them are still the ones that were read: a file
that was truncated and has grown again between a poll and a read does not continue the stream.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from jwtleak.errors import reason_of
from jwtleak.follow import sparse
from jwtleak.follow.compressed import CompressedFile
from jwtleak.follow.fingerprint import ANCHOR
from jwtleak.follow.inspect import Inspector
from jwtleak.follow.lifecycle import make_cursor
from jwtleak.follow.registry import Registry
from jwtleak.follow.stream import FollowedStream
from jwtleak.types import Cursor


class Reading:
    """Reads from the files of a registry. The methods are those of `interface.Following`."""

    def __init__(
        self,
        registry: Registry,
        inspector: Inspector,
        clock: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._inspector = inspector
        self._clock = clock
        self._wake = wake

    def read(self, name: str, offset: int, buffer: memoryview) -> int:
        """Read the bytes at `offset`; return how many."""
        stream = self._registry.get(name)
        if stream is None:
            return 0
        count = 0
        try:
            if self._open(stream):
                if stream.compressed is not None:
                    count = self._decompress(stream, stream.compressed, offset, buffer)
                else:
                    count = self._read(stream, offset, buffer)
        except OSError as error:
            self._registry.trouble("unreadable", stream.path, reason_of(error))
        # Used even if nothing came: the least recently used are those that nobody reads.
        self._registry.open_files.use(stream)
        if count:
            stream.mark_uncommitted()
        elif offset < stream.end:
            # The caller knows of these bytes and stops asking for them after a 0. A stalled stream
            # gets another `Grown` once they can be read, although its size is the same.
            stream.stall()
        return count

    def _open(self, stream: FollowedStream) -> bool:
        if stream.fd >= 0:
            return True
        # Without a path there is nothing to open; a finished file has nothing left to read.
        if not stream.named or stream.state == "finished":
            return False
        # When the path leads to another file now, the stream loses it here, between two polls; the
        # queues of the registry keep that for the next one.
        return self._inspector.ensure_open(stream, self._clock())

    def _decompress(
        self, stream: FollowedStream, compressed: CompressedFile, offset: int, buffer: memoryview
    ) -> int:
        count = compressed.read(offset, buffer)
        end = offset + count
        # An engine may read behind the furthest offset; the anchor belongs to the furthest.
        if end > stream.read_to:
            stream.advance(end, compressed.exactly(max(0, end - ANCHOR), ANCHOR))
        if count and end >= compressed.position:
            # The next poll decompresses more; the caller need not wait for its time.
            self._registry.poll_at(stream, self._clock())
            self._wake()
        return count

    def _read(self, stream: FollowedStream, offset: int, buffer: memoryview) -> int:
        # No further than the last poll saw: what comes after may be reserved NUL bytes, which have
        # to wait for the data that replaces them.
        room = stream.end - offset
        if room <= 0:
            return 0
        count = os.preadv(stream.fd, [buffer[:room]], offset)
        end = offset + count
        # Compared after the read: what is the same now was the same when the bytes were read. A
        # comparison before it would leave a gap in which the file can be truncated and filled.
        if not count or not self._continues(stream):
            self._registry.poll_at(stream, self._clock())
            return 0
        if end > stream.read_to:
            length = min(ANCHOR, end)
            tail = bytes(buffer[max(0, count - length) : count])
            # A short read: part of the new anchor lies before it, and is still the one compared.
            missing = length - len(tail)
            before = os.pread(stream.fd, missing, end - length) if missing else b""
            stream.advance(end, before + tail)
        return count

    def _continues(self, stream: FollowedStream) -> bool:
        """Return whether the file still holds what was read of it."""
        head, anchor = self._inspector.matches(stream)
        return anchor == "same" if stream.anchor_length else head in ("same", "none")

    def data_after(self, name: str, offset: int) -> int:
        """Return the next offset outside a hole."""
        stream = self._registry.get(name)
        if (
            stream is None
            or offset >= stream.end
            or not self._open(stream)
            or stream.compressed is not None
        ):
            return offset
        try:
            after = min(sparse.data_after(stream.fd, offset, stream.end), stream.end)
            if after == offset or (
                os.fstat(stream.fd).st_size >= stream.end and self._continues(stream)
            ):
                return after
        except OSError:
            return offset
        # It was truncated since the last poll: the missing bytes are no hole, and must not be
        # skipped as one.
        self._registry.poll_at(stream, self._clock())
        return offset

    def cursor(
        self,
        name: str,
        *,
        offset: int,
        reported: int,
        lines: int,
        line_start: int,
        provisional: str | None,
    ) -> Cursor:
        """Return the cursor to store. Raises `KeyError` for a stream that ended."""
        stream = self._registry.get(name)
        if stream is None:
            raise KeyError(name)
        cursor = make_cursor(
            stream,
            offset=offset,
            reported=reported,
            lines=lines,
            line_start=line_start,
            alert=provisional,
        )
        stream.store(cursor)
        return cursor

    def committed(self, name: str, offset: int) -> None:
        """Record that the results of everything read are stored."""
        stream = self._registry.get(name)
        if stream is not None:
            stream.commit()
