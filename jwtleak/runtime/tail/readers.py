"""A seat: one engine put before one stream, from its cursor on.

Promises: lines and columns are those of the whole stream, although reading began in its middle;
nothing that ended before the cursor is given again, and what reaches over it is not lost; a hole is
stepped over, not read.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import stringzilla
from msgspec.structs import replace

from jwtleak.core.engine import Engine, Owned
from jwtleak.core.fingerprint import HEAD
from jwtleak.core.regions import LOOKAHEAD, LOOKBACK
from jwtleak.follow.interface import Opened
from jwtleak.runtime.scan.stdin import CONTEXT_WAIT, GROWING_WAIT
from jwtleak.types import Cursor, Finding

# What the loop knows of one stream.
#
# Promises: `offset` is what a crash would go back to, as far as the loop has judged; `read` is how
# far bytes were taken; what stands before `told` is read again only when more comes, since all that
# it holds was given. A record is small: fifty thousand of them are in memory at once.


class TailStream:
    """One stream. `early` holds, by offset, the ids of alerts that were given before their token
    had ended.
    """

    __slots__ = (
        "cursor", "early", "home", "line_start", "lines", "mtime_ms", "name", "offset", "packed", "path", "read",
        "size", "told",
    )  # fmt: skip

    def __init__(self, opened: Opened) -> None:
        self.name = opened.stream
        self.path = self.home = opened.path  # `home` is the path at which it appeared
        self.size = opened.size
        self.packed = opened.compressed
        self.cursor = opened.cursor  # as last stored, or as given
        self.mtime_ms = opened.cursor.mtime_ns // 1_000_000 or None
        self.offset = opened.cursor.offset
        self.told = self.read = max(opened.cursor.reported, self.offset)
        self.lines = opened.cursor.lines
        self.line_start = opened.cursor.line_start
        self.early: dict[int, str] = {}

    @property
    def backlog(self) -> int:
        """Bytes that are there and were not taken yet."""
        return max(0, self.size - self.read)

    def again(self) -> None:
        """Read once more what is held at the end, although nothing came."""
        self.read = self.offset

    def stored(self, cursor: Cursor) -> None:
        """`cursor` is on disk."""
        self.cursor = cursor
        self.mtime_ms = cursor.mtime_ns // 1_000_000 or None


# A hole shorter than this is read like any zeros: starting behind it would cost as much.
HOLE = 4 * 1024 * 1024

# What goes on growing, or waits for the rest of a line that a container runtime split, is given
# after this long.
LONGEST_WAIT = 5.0

_ALWAYS = 1 << 62
_count = stringzilla.count


class Bytes(Protocol):
    """Where a stream's bytes come from: a follower."""

    def read(self, stream: str, offset: int, buffer: memoryview) -> int: ...
    def data_after(self, stream: str, offset: int) -> int: ...


class ReaderWatch:
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


class StreamReader:
    """Reads `stream` with `engine`."""

    def __init__(self, engine: Engine, source: Bytes) -> None:
        self.engine = engine
        self._source = source
        self.stream: TailStream | None = None
        self.watch = ReaderWatch()

    def sit(self, stream: TailStream) -> None:
        """Begin with `stream` at its offset. Raises SourceError where its bytes cannot be read."""
        self.stream = stream
        self.watch = ReaderWatch()
        begin = max(0, stream.offset - LOOKBACK - LOOKAHEAD)
        if begin < stream.offset and self._source.data_after(stream.name, begin) > begin:
            begin = stream.offset  # nothing but a hole stands before
        # A JSON serialisation may begin as far before what announces it: it is wanted when it ends
        # behind the offset.
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

    def _open(self, stream: TailStream, begin: int, owned: int) -> None:
        head = b""
        if begin:
            room = bytearray(HEAD)
            head = bytes(room[: self._source.read(stream.name, 0, memoryview(room))])
        self._begin = begin
        stream.read = begin
        self.engine.open(
            offset=begin, owned=Owned(owned, _ALWAYS), head=head, mtime_ms=stream.mtime_ms
        )

    def take(self, limit: int, on: Callable[[], bool]) -> tuple[int, list[Finding]]:
        """(Bytes read, what they completed): at most about `limit` bytes, for as long as `on` says
        so.
        """
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

    def _over_hole(self, stream: TailStream) -> list[Finding]:
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
        """`count` bytes were put into the engine's buffer by somebody else; the stream's offset
        stays.
        """
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

    def _stream(self) -> TailStream:
        assert self.stream is not None
        return self.stream

    def _advance(self, stream: TailStream) -> None:
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
        return [
            self._place(one, stream) for one in found if one.offset + one.length > stream.offset
        ]

    def _place(self, one: Finding, stream: TailStream) -> Finding:
        column = one.column
        if (
            self._begin
            and one.offset - column + 1 == self._begin
            and stream.line_start <= self._begin
        ):
            # No newline was read before it: its line is the one in which reading began.
            column = one.offset - stream.line_start + 1
        if column == one.column and self._lines == 0:
            return one
        return replace(one, line=self._lines + one.line, column=column)


# The desk: a few engines, and which stream each one is on.
#
# Promises: a stream that is read turn after turn keeps its engine; memory is that of SEATS engines,
# however many streams there are. A stream that has to give up its engine is given a last word
# first, since what its engine holds is then only in the file.

# An engine's buffer is 784 KiB. A host has a few busy logs at a time; each further one costs
# reading 224 KiB again.
SEATS = 16


class ReaderPool:
    """Seats for streams. `leave` is called with a seat that must be given up, while it still has
    its stream.
    """

    def __init__(
        self,
        make: Callable[[], Engine],
        source: Bytes,
        leave: Callable[[StreamReader], None],
        capacity: int = SEATS,
    ) -> None:
        self._make = make
        self._source = source
        self._leave = leave
        self._capacity = capacity
        self._taken: OrderedDict[str, StreamReader] = OrderedDict()
        self._free: list[StreamReader] = []

    def seat(self, stream: TailStream) -> StreamReader:
        """The seat of `stream`, a new one where it has none. Raises SourceError where it cannot be
        read.
        """
        seat = self._taken.get(stream.name)
        if seat is not None:
            self._taken.move_to_end(stream.name)
            return seat
        seat = self._another()
        try:
            seat.sit(stream)
        except BaseException:
            self._free.append(seat)
            raise
        self._taken[stream.name] = seat
        return seat

    def _another(self) -> StreamReader:
        if self._free:
            return self._free.pop()
        if len(self._taken) < self._capacity:
            return StreamReader(self._make(), self._source)
        name, seat = next(iter(self._taken.items()))
        self._leave(seat)
        del self._taken[name]
        return seat

    def of(self, name: str) -> StreamReader | None:
        """The seat that the stream has."""
        return self._taken.get(name)

    def free(self, name: str) -> None:
        """The stream needs its seat no more."""
        seat = self._taken.pop(name, None)
        if seat is not None:
            seat.stream = None
            self._free.append(seat)

    def take_away(self, name: str) -> None:
        """The stream's seat is used elsewhere; it will be given back."""
        del self._taken[name]

    def give_back(self, seat: StreamReader) -> None:
        """A seat that was taken away is free again."""
        seat.stream = None
        if len(self._free) + len(self._taken) < self._capacity:
            self._free.append(seat)

    def seats(self) -> list[StreamReader]:
        """All that are taken."""
        return list(self._taken.values())
