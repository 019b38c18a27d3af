"""A seat: one engine put before one stream, from its cursor on.

Promises: lines and columns are those of the whole stream, although reading began in its middle; nothing that ended
before the cursor is given again, and what reaches over it is not lost; a hole is stepped over, not read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import stringzilla
from msgspec.structs import replace

from jwtleak.core.engine import Engine, Owned
from jwtleak.core.fingerprint import HEAD
from jwtleak.core.regions import LOOKAHEAD, LOOKBACK
from jwtleak.runtime.scan.stdin import CONTEXT_WAIT, GROWING_WAIT
from jwtleak.runtime.tail.stream import Stream
from jwtleak.types import Finding

# A hole shorter than this is read like any zeros: starting behind it would cost as much.
HOLE = 4 * 1024 * 1024

# What goes on growing, or waits for the rest of a line that a container runtime split, is given after this long.
LONGEST_WAIT = 5.0

_ALWAYS = 1 << 62
_count = stringzilla.count


class Bytes(Protocol):
    """Where a stream's bytes come from: a follower."""

    def read(self, stream: str, offset: int, buffer: memoryview) -> int: ...
    def data_after(self, stream: str, offset: int) -> int: ...


class Watch:
    """When to stop waiting for what an engine holds. Times are those of the clock that is given."""

    def __init__(self) -> None:
        self._pending: str | None = None
        self._held = -1
        self._since = self._grown = 0.0
        self._asked = True

    def grown(self, now: float, pending: str | None, held: int) -> None:
        """Bytes came; since then the engine holds what stands from `held` on."""
        if pending != self._pending or held != self._held:
            self._since = now
        self._pending, self._held, self._grown, self._asked = pending, held, now, pending is None

    def asked(self, now: float, pending: str | None) -> None:
        """What was held is settled or given early: only more bytes are a reason to ask again."""
        self._asked = pending is None or pending == self._pending
        self._pending, self._since = pending, now

    @property
    def due(self) -> float | None:
        """When to ask; None when there is nothing to ask for."""
        if self._asked:
            return None
        if self._pending == "context":
            return min(self._grown + CONTEXT_WAIT, self._since + GROWING_WAIT)
        return min(self._grown + GROWING_WAIT, self._since + LONGEST_WAIT)


class Seat:
    """Reads `stream` with `engine`."""

    def __init__(self, engine: Engine, source: Bytes) -> None:
        self.engine = engine
        self._source = source
        self.stream: Stream | None = None
        self.watch = Watch()

    def sit(self, stream: Stream) -> None:
        """Begin with `stream` at its offset. Raises SourceError where its bytes cannot be read."""
        self.stream = stream
        self.watch = Watch()
        begin = max(0, stream.offset - LOOKBACK - LOOKAHEAD)
        if begin < stream.offset and self._source.data_after(stream.name, begin) > begin:
            begin = stream.offset  # nothing but a hole stands before
        # A JSON serialisation may begin as far before what announces it: it is wanted when it ends behind the offset.
        owned = max(begin, stream.offset - LOOKBACK)
        self._open(stream, begin, owned)
        self._lines = stream.lines
        while stream.read < stream.offset:
            room = self.engine.get_buffer()[: stream.offset - stream.read]
            count = self._source.read(stream.name, stream.read, room)
            if count == 0:  # what stands before is gone
                self._open(stream, stream.offset, stream.offset)
                self._lines = stream.lines
                break
            seen = room[max(0, owned - stream.read) : count]
            self._lines -= _count(seen, b"\n") if len(seen) else 0
            stream.read += count
            self.engine.buffer_updated(count)

    def _open(self, stream: Stream, begin: int, owned: int) -> None:
        head = b""
        if begin:
            room = bytearray(HEAD)
            head = bytes(room[: self._source.read(stream.name, 0, memoryview(room))])
        self._begin = begin
        stream.read = begin
        self.engine.open(offset=begin, owned=Owned(owned, _ALWAYS), head=head, mtime_ms=stream.mtime_ms)

    def take(self, limit: int, on: Callable[[], bool]) -> tuple[int, list[Finding]]:
        """(Bytes read, what they completed): at most about `limit` bytes, for as long as `on` says so."""
        stream, taken = self._stream(), 0
        found: list[Finding] = []
        while taken < limit:
            found += self._over_hole(stream)
            count = self._source.read(stream.name, stream.read, self.engine.get_buffer())
            if count == 0:
                break
            taken += count
            stream.read += count
            found += self._placed(self.engine.buffer_updated(count))
            if not on():
                break
        self._advance(stream)
        return taken, found

    def _over_hole(self, stream: Stream) -> list[Finding]:
        """Step over a hole; gives what ended before it, since zeros end everything."""
        if stream.backlog <= HOLE:
            return []
        data = self._source.data_after(stream.name, stream.read)
        if data - stream.read <= HOLE:
            return []
        found = self._placed(self.engine.close())
        self._advance(stream)
        stream.offset = data
        self._open(stream, data, data)
        self._lines = stream.lines
        return found

    def more(self, count: int) -> list[Finding]:
        """`count` bytes were put into the engine's buffer by somebody else; the stream's offset stays."""
        return self._placed(self.engine.buffer_updated(count))

    def settle(self) -> list[Finding]:
        """After a short silence."""
        found = self._placed(self.engine.settle())
        self._advance(self._stream())
        return found

    def early(self) -> list[Finding]:
        """What there would be if nothing followed; the stream's offset stays."""
        return self._placed(self.engine.early())

    def close(self) -> list[Finding]:
        """Nothing follows."""
        found = self._placed(self.engine.close())
        self._advance(self._stream())
        return found

    def _stream(self) -> Stream:
        assert self.stream is not None
        return self.stream

    def _advance(self, stream: Stream) -> None:
        offset = self.engine.resume_offset
        if offset <= stream.offset:
            return
        lines, start = self.engine.position()
        stream.offset = offset
        stream.lines = self._lines + lines
        if start is not None:
            stream.line_start = start

    def _placed(self, found: list[Finding]) -> list[Finding]:
        """What does not end before the offset, with lines and columns of the whole stream."""
        stream = self._stream()
        return [self._place(one, stream) for one in found if one.offset + one.length > stream.offset]

    def _place(self, one: Finding, stream: Stream) -> Finding:
        column = one.column
        if self._begin and one.offset - column + 1 == self._begin and stream.line_start <= self._begin:
            # No newline was read before it: its line is the one in which reading began.
            column = one.offset - stream.line_start + 1
        if column == one.column and self._lines == 0:
            return one
        return replace(one, line=self._lines + one.line, column=column)
