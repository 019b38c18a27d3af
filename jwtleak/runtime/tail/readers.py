"""Readers: one engine reads one stream from its cursor on, and a pool shares few engines among many
streams.

Promises: lines and columns count from the start of the stream, even if reading began in its middle;
a token that ended before the cursor is not reported again, one that crosses it is not lost; a hole
is skipped, not read. Memory is that of READERS engines, however many streams there are.
Refuses: deciding whose turn it is (`turns`), storing anything (`checkpoint`).
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
from jwtleak.types import Cursor, Finding, StreamInfo

# A shorter hole is read like any zeros: opening the engine behind it would cost as much.
HOLE = 4 * 1024 * 1024

# A token that keeps growing, or that waits for the rest of a record, is reported after this many
# seconds as if nothing followed.
LONGEST_WAIT = 5.0

# An engine's buffer is 784 KiB. A host has a few busy logs at a time; each further log costs
# rereading 224 KiB when its turn comes.
READERS = 16

_ALWAYS = 1 << 62
_count = stringzilla.count


class Bytes(Protocol):
    """Where the bytes of streams come from: a follower."""

    def read(self, stream: str, offset: int, buffer: memoryview) -> int: ...
    def data_after(self, stream: str, offset: int) -> int: ...


class StreamState(Protocol):
    """How far a stream was read and judged: what readers and alerts need of any stream.

    Everything before `offset` is judged, everything before `read` is in the engine. `lines` are the
    newlines before `offset`, `line_start` is the offset behind the last of them. `early` maps the
    offset of a token to the id of the alert that was sent before the token had ended.
    """

    name: str
    offset: int
    read: int
    lines: int
    line_start: int
    mtime_ms: int | None
    early: dict[int, str]

    @property
    def info(self) -> StreamInfo: ...


class TailStream:
    """A followed file. `offset` is where reading would resume after a crash.

    Bytes before `reported` are read again only when more bytes follow, since every token in them
    has its alert. Fifty thousand of these are in memory at once: keep them small.
    """

    __slots__ = (
        "compressed", "cursor", "early", "home", "line_start", "lines", "mtime_ms", "name",
        "offset", "path", "read", "reported", "size",
    )  # fmt: skip

    def __init__(self, opened: Opened) -> None:
        self.name = opened.stream
        self.path = self.home = opened.path  # `home` is the path at which it appeared
        self.size = opened.size
        self.compressed = opened.compressed
        self.cursor = opened.cursor  # the stored one, or the one that the follower made
        self.mtime_ms = opened.cursor.mtime_ns // 1_000_000 or None
        self.offset = opened.cursor.offset
        self.reported = self.read = max(opened.cursor.reported, self.offset)
        self.lines = opened.cursor.lines
        self.line_start = opened.cursor.line_start
        self.early: dict[int, str] = {}

    @property
    def info(self) -> StreamInfo:
        """What alerts say of the stream."""
        return StreamInfo("file", self.path)

    @property
    def backlog(self) -> int:
        """Bytes that can be read and were not."""
        return max(0, self.size - self.read)

    def reread(self) -> None:
        """Read the end that is not judged once more, although nothing was appended."""
        self.read = self.offset

    def stored(self, cursor: Cursor) -> None:
        """`cursor` is on disk."""
        self.cursor = cursor
        self.mtime_ms = cursor.mtime_ns // 1_000_000 or None


class ReaderWatch:
    """When to stop waiting for bytes that end a token. Times are seconds of the caller's clock."""

    def __init__(self) -> None:
        self._pending: str | None = None
        self._held = -1
        self._since = self._grown = 0.0
        self._asked = True

    def grown(self, now: float, pending: str | None, held: int) -> None:
        """Bytes came. The engine now holds back what begins at `held`, for the reason `pending`."""
        if pending != self._pending or held != self._held:
            self._since = now
        self._pending, self._held, self._grown, self._asked = pending, held, now, pending is None

    def asked(self, now: float, pending: str | None) -> None:
        """The engine was asked. Only more bytes are a reason to ask again for the same thing."""
        self._asked = pending is None or pending == self._pending
        self._pending, self._since = pending, now

    @property
    def due(self) -> float | None:
        """When to ask the engine; None if there is nothing to ask for."""
        if self._asked:
            return None
        # Each wait is bounded from two sides: by silence, and by the time since the engine began to
        # hold this token. Otherwise a busy stream could delay an alert for ever.
        if self._pending == "context":
            return min(self._grown + CONTEXT_WAIT, self._since + GROWING_WAIT)
        return min(self._grown + GROWING_WAIT, self._since + LONGEST_WAIT)


class PlacedReader:
    """An engine on a stream, with lines and columns of the whole stream."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.watch = ReaderWatch()
        self._begin = 0  # offset of the first byte that the engine saw
        self._lines = 0  # newlines of the stream before the part that the engine counts

    def _advance(self, stream: StreamState) -> None:
        """Move the stream's offset to the first byte that is not judged."""
        offset = self.engine.resume_offset
        # While the bytes before a stored offset are read again, the engine is behind it.
        if offset <= stream.offset:
            return
        lines, start = self.engine.position()
        stream.offset = offset
        stream.lines = self._lines + lines
        if start is not None:
            stream.line_start = start

    def _placed(self, stream: StreamState, found: list[Finding]) -> list[Finding]:
        """Findings that do not end before the offset, with their lines and columns."""
        return [
            self._place(finding, stream)
            for finding in found
            if finding.offset + finding.length > stream.offset
        ]

    def _place(self, finding: Finding, stream: StreamState) -> Finding:
        column = finding.column
        if (
            self._begin
            and finding.offset - column + 1 == self._begin
            and stream.line_start <= self._begin
        ):
            # The engine saw no newline before the token: its line began before the engine did.
            column = finding.offset - stream.line_start + 1
        if column == finding.column and self._lines == 0:
            return finding
        return replace(finding, line=self._lines + finding.line, column=column)


class StreamReader(PlacedReader):
    """Reads a followed file through `source`."""

    def __init__(self, engine: Engine, source: Bytes) -> None:
        super().__init__(engine)
        self._source = source
        self.stream: TailStream | None = None

    def start(self, stream: TailStream) -> None:
        """Begin with `stream` at its offset. Raises SourceError if its bytes cannot be read."""
        self.stream = stream
        self.watch = ReaderWatch()
        # A token behind the offset may hang on text before it: its channel, a wrapped region, the
        # line of a container record. The engine sees that text again.
        begin = max(0, stream.offset - LOOKBACK - LOOKAHEAD)
        if begin < stream.offset and self._source.data_after(stream.name, begin) > begin:
            begin = stream.offset  # a hole precedes the offset: zeros are no context
        # A JSON serialisation may begin this far before the member that gives it away. It is
        # reported if it ends behind the offset, so the engine has to own its beginning.
        owned = max(begin, stream.offset - LOOKBACK)
        self._open(stream, begin, owned)
        self._lines = stream.lines
        while stream.read < stream.offset:
            room = self.engine.get_buffer()[: stream.offset - stream.read]
            count = self._source.read(stream.name, stream.read, room)
            if count == 0:
                # The bytes before the offset are gone: the file was cut between the poll and now.
                self._open(stream, stream.offset, stream.offset)
                self._lines = stream.lines
                break
            # The engine counts the newlines that it owns, and `stream.lines` has them already.
            seen = room[max(0, owned - stream.read) : count]
            self._lines -= _count(seen, b"\n") if len(seen) else 0
            stream.read += count
            self.engine.buffer_updated(count)

    def _open(self, stream: TailStream, begin: int, owned: int) -> None:
        head = b""
        if begin:
            # Ids of occurrences depend on the first bytes of the stream, wherever reading begins.
            room = bytearray(HEAD)
            head = bytes(room[: self._source.read(stream.name, 0, memoryview(room))])
        self._begin = begin
        stream.read = begin
        self.engine.open(
            offset=begin, owned=Owned(owned, _ALWAYS), head=head, mtime_ms=stream.mtime_ms
        )

    def read(self, limit: int, on: Callable[[], bool]) -> tuple[int, list[Finding]]:
        """Read at most about `limit` bytes, while `on()` is true. (Bytes read, findings)."""
        stream, total = self._stream(), 0
        found: list[Finding] = []
        while total < limit:
            found += self._skip_hole(stream)
            count = self._source.read(stream.name, stream.read, self.engine.get_buffer())
            if count == 0:
                break
            total += count
            stream.read += count
            found += self._placed(stream, self.engine.buffer_updated(count))
            # Asked after the read, so that each turn makes progress.
            if not on():
                break
        self._advance(stream)
        return total, found

    def _skip_hole(self, stream: TailStream) -> list[Finding]:
        """Skip a hole and return the findings that ended before it, since zeros end any token."""
        if stream.backlog <= HOLE:
            return []
        data = self._source.data_after(stream.name, stream.read)
        if data - stream.read <= HOLE:
            return []
        found = self._placed(stream, self.engine.close())
        self._advance(stream)
        stream.offset = data
        self._open(stream, data, data)
        self._lines = stream.lines
        return found

    def buffer_updated(self, count: int) -> list[Finding]:
        """The caller put `count` bytes of another stream into the engine's buffer; this stream's
        offset does not move.
        """
        return self._placed(self._stream(), self.engine.buffer_updated(count))

    def settle(self) -> list[Finding]:
        """Findings that waited only for the rest of their line."""
        found = self._placed(self._stream(), self.engine.settle())
        self._advance(self._stream())
        return found

    def early(self) -> list[Finding]:
        """Findings if nothing followed. The stream's offset does not move."""
        return self._placed(self._stream(), self.engine.close(tentative=True))

    def close(self) -> list[Finding]:
        """The last findings: nothing follows."""
        found = self._placed(self._stream(), self.engine.close())
        self._advance(self._stream())
        return found

    def _stream(self) -> TailStream:
        assert self.stream is not None
        return self.stream


class ReaderPool:
    """At most `capacity` readers. A stream that is read turn after turn keeps its reader.

    `evict` is called with a reader before it is withdrawn from its stream: what its engine holds
    back is then only in the file, so this is the last chance to report it.
    """

    def __init__(
        self,
        make: Callable[[], Engine],
        source: Bytes,
        evict: Callable[[StreamReader], None],
        capacity: int = READERS,
    ) -> None:
        self._make = make
        self._source = source
        self._evict = evict
        self._capacity = capacity
        self._busy: OrderedDict[str, StreamReader] = OrderedDict()  # the least recent first
        self._idle: list[StreamReader] = []

    def reader(self, stream: TailStream) -> StreamReader:
        """The reader of `stream`, started now if it had none. Raises SourceError."""
        reader = self._busy.get(stream.name)
        if reader is not None:
            self._busy.move_to_end(stream.name)
            return reader
        reader = self._free_reader()
        try:
            reader.start(stream)
        except BaseException:
            self._idle.append(reader)
            raise
        self._busy[stream.name] = reader
        return reader

    def _free_reader(self) -> StreamReader:
        if self._idle:
            return self._idle.pop()
        if len(self._busy) < self._capacity:
            return StreamReader(self._make(), self._source)
        name, reader = next(iter(self._busy.items()))
        # Before the removal: `evict` asks for the reader of the stream.
        self._evict(reader)
        del self._busy[name]
        return reader

    def get(self, name: str) -> StreamReader | None:
        """The reader that the stream has now."""
        return self._busy.get(name)

    def release(self, name: str) -> None:
        """The stream needs no reader any more."""
        reader = self._busy.pop(name, None)
        if reader is not None:
            reader.stream = None
            self._idle.append(reader)

    def detach(self, name: str) -> None:
        """Another owner uses the stream's reader until `recycle`."""
        del self._busy[name]

    def recycle(self, reader: StreamReader) -> None:
        """A detached reader is free again."""
        reader.stream = None
        # While it was detached the pool may have made another one in its place.
        if len(self._idle) + len(self._busy) < self._capacity:
            self._idle.append(reader)

    def readers(self) -> list[StreamReader]:
        """All readers that are on a stream."""
        return list(self._busy.values())
