"""The bytes of streams, and the cursors that say how far they are judged.

Promises: bytes are given only when those before them are still the ones that were read: a file that
was cut and has grown again between a look and a read is not taken for its own continuation.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from jwtleak.errors import reason_of
from jwtleak.follow import sparse
from jwtleak.follow.fingerprint import ANCHOR, digest
from jwtleak.follow.inspect import Inspector
from jwtleak.follow.lifecycle import make_cursor
from jwtleak.follow.registry import Registry
from jwtleak.follow.stream import FollowedStream
from jwtleak.types import Cursor


class Reading:
    """Reads from the files of a book."""

    def __init__(
        self, book: Registry, known: Inspector, clock: Callable[[], float], wake: Callable[[], None]
    ) -> None:
        self._book = book
        self._known = known
        self._clock = clock
        self._wake = wake

    def read(self, name: str, offset: int, buffer: memoryview) -> int:
        """See `interface.Following.read`."""
        stream = self._book.streams.get(name)
        if stream is None:
            return 0
        count = 0
        try:
            if self._open(stream):
                count = (
                    self._packed(stream, offset, buffer)
                    if stream.packed
                    else self._plain(stream, offset, buffer)
                )
        except OSError as error:
            self._book.trouble("unreadable", stream.path, reason_of(error))
        self._book.descriptors.use(stream)
        if count:
            stream.uncommitted = True
        elif offset < stream.end:
            # The caller was told of bytes that cannot be had here: it is to be told again when they
            # can.
            stream.stalled = True
        return count

    def _open(self, stream: FollowedStream) -> bool:
        """Whether there is an open file to read from."""
        if stream.fd >= 0:
            return True
        if not stream.named or stream.state == "finished":
            return False
        # What becomes of it when it is another file now is for the next look to tell.
        return self._known.opened(stream, self._clock())

    def _packed(self, stream: FollowedStream, offset: int, buffer: memoryview) -> int:
        packed = stream.packed
        if packed is None:
            return 0
        count = packed.read(offset, buffer)
        if offset + count > stream.read_to:
            self._advance(
                stream, offset + count, packed.exactly(max(0, offset + count - ANCHOR), ANCHOR)
            )
        if count and offset + count >= packed.position:
            # More is unpacked when this was read; the caller need not wait for it.
            self._book.schedule.put(stream.name, self._clock())
            self._wake()
        return count

    def _plain(self, stream: FollowedStream, offset: int, buffer: memoryview) -> int:
        room = stream.end - offset
        if room <= 0:
            return 0
        count = os.preadv(stream.fd, [buffer[:room]], offset)
        end = offset + count
        if not count or not self._continues(stream):
            self._book.schedule.put(stream.name, self._clock())
            return 0
        if end > stream.read_to:
            length = min(ANCHOR, end)
            own = bytes(buffer[max(0, count - length) : count])
            missing = length - len(own)
            before = os.pread(stream.fd, missing, end - length) if missing else b""
            self._advance(stream, end, before + own)
        return count

    def _continues(self, stream: FollowedStream) -> bool:
        """Whether what was just read stands behind what was read before: asked after it, so that it
        was so then.
        """
        head, anchor = self._known.matches(stream)
        return anchor == "same" if stream.anchor_length else head in ("same", "none")

    def _advance(self, stream: FollowedStream, offset: int, before: bytes) -> None:
        stream.read_to = offset
        stream.anchor_length, stream.anchor = len(before), digest(before)

    def data_after(self, name: str, offset: int) -> int:
        """See `interface.Following.data_after`."""
        stream = self._book.streams.get(name)
        if (
            stream is None
            or offset >= stream.end
            or not self._open(stream)
            or stream.packed is not None
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
        # It was cut since the last look: that is no hole.
        self._book.schedule.put(name, self._clock())
        return offset

    def cursor(
        self,
        name: str,
        offset: int,
        told: int,
        lines: int,
        line_start: int,
        provisional: str | None,
    ) -> Cursor:
        """See `interface.Following.cursor`."""
        stream = self._book.streams[name]
        stream.stored = make_cursor(
            stream, offset=offset, told=told, lines=lines, line_start=line_start, alert=provisional
        )
        return stream.stored

    def committed(self, name: str, offset: int) -> None:
        """See `interface.Following.committed`."""
        stream = self._book.streams.get(name)
        if stream is not None:
            stream.uncommitted = False
