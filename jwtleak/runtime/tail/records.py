"""The loop over a record source: poll, detect, commit.

Promises: what holds for files holds for records that can be repeated: an alert is on disk before
the position that covers it moves, and after a crash the same alert has the same id. Records that
cannot be repeated are reported as early, and their stored alerts are delivered after a crash. At
the end of input, or of the program, nothing that was read stays unreported.
Refuses: reordering, and rereading by offset: a source that can do that is a follower (`loop`).
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from itertools import groupby

from msgspec.structs import replace

from jwtleak.core.engine import Engine, Owned
from jwtleak.core.fingerprint import HEAD, Occurrences
from jwtleak.core.regions import LOOKAHEAD, LOOKBACK
from jwtleak.errors import SourceError
from jwtleak.follow.interface import FollowStats, Trouble
from jwtleak.runtime.service.limiter import Limiter
from jwtleak.runtime.tail.backpressure import EVERY
from jwtleak.runtime.tail.output import TICK, LoopFigures, TailOutput
from jwtleak.runtime.tail.readers import PlacedReader, ReaderWatch
from jwtleak.sources.interface import Record, RecordSource
from jwtleak.store.interface import Position
from jwtleak.types import Context, Cursor, Finding, StreamInfo

# Streams that have an engine (784 KiB each). A source has one or a few.
STREAMS = 16
# Positions are remembered at this distance in bytes, so that a flood of tiny records costs no
# memory. More than HEAD: a stream that is resumed behind its start has its identity.
_MARK_BYTES = 4096

_ALWAYS = 1 << 62


class RecordStream:
    """How far one stream of records was read and judged (`readers.StreamState`)."""

    def __init__(self, name: str, info: StreamInfo, resumed: Position | None) -> None:
        self.name = name
        self.info = info
        self.mtime_ms: int | None = None
        self.early: dict[int, str] = {}
        self.read = 0 if resumed is None else resumed.start
        self.offset = 0 if resumed is None else resumed.offset
        self.lines = 0 if resumed is None else resumed.lines
        self.line_start = 0 if resumed is None else resumed.line_start
        self._head = b""
        self._names = Occurrences(b"")
        self._whole_head = False
        if resumed is not None and resumed.start:
            self._names, self._whole_head = Occurrences.resumed(resumed.identity), True
        self._marks: deque[tuple[int, bytes]] = deque()  # (offset, position of a record)
        # What the source knows of the bytes from an offset on.
        self._known: deque[tuple[int, Context | None, int | None]] = deque()

    def add(self, record: Record) -> None:
        """Note what comes with a record whose bytes are read next."""
        # Ids depend on the first bytes of the stream, also after its engine went to another one.
        if not self._whole_head:
            self._head += record.data[: HEAD - len(self._head)]
            self._names = Occurrences(self._head)
            self._whole_head = len(self._head) == HEAD
        if not self._marks or self.read - self._marks[-1][0] >= _MARK_BYTES:
            self._marks.append((self.read, record.position))
        # Most sources know nothing of their bytes: then this stays empty.
        known = (record.context, record.logged_at)
        if known != (self._known[-1][1:] if self._known else (None, None)):
            self._known.append((self.read, *known))

    def name_of(self, finding: Finding) -> str:
        """The id of an occurrence: the one that `scan` gives the same bytes."""
        return self._names.name(finding.offset, finding.length, finding.sha256)

    def known_at(self, offset: int) -> tuple[Context | None, int | None]:
        """What the source knows of the record at `offset`."""
        found: tuple[Context | None, int | None] = (None, None)
        for start, context, logged_at in self._known:
            if start > offset:
                break
            found = (context, logged_at)
        return found

    def position(self, source: str) -> Position | None:
        """From where the source has to repeat records; None if it cannot."""
        # A token behind the offset may hang on text before it, as far back as a reader of files
        # goes (`StreamReader.start`).
        floor = self.offset - LOOKBACK - LOOKAHEAD
        while len(self._marks) > 1 and self._marks[1][0] <= floor:
            self._marks.popleft()
        while len(self._known) > 1 and self._known[1][0] <= self.offset:
            self._known.popleft()
        if not self.repeatable:
            return None
        start, position = self._marks[0]
        return Position(
            source=source,
            stream=self.name,
            position=position,
            identity=self._names.identity if start else b"",
            start=start,
            offset=self.offset,
            lines=self.lines,
            line_start=self.line_start,
        )

    @property
    def repeatable(self) -> bool:
        """Whether the source can repeat the stream."""
        return bool(self._marks and self._marks[0][1])


class RecordReader(PlacedReader):
    """An engine to which records are fed."""

    def __init__(self, engine: Engine, stream: RecordStream) -> None:
        super().__init__(engine)
        self.stream = stream
        self._begin = stream.read
        # As in `StreamReader.start`: the engine owns what may end behind the offset.
        self._owned = max(stream.read, stream.offset - LOOKBACK)
        self._lines = stream.lines
        engine.open(offset=stream.read, owned=Owned(self._owned, _ALWAYS))

    def feed(self, data: bytes) -> list[Finding]:
        """The findings that the bytes complete."""
        stream = self.stream
        # The engine counts the newlines that it owns, and `lines` has those before the offset.
        counted = data[max(0, self._owned - stream.read) : max(0, stream.offset - stream.read)]
        self._lines -= counted.count(b"\n")
        stream.read += len(data)
        found = self._placed(stream, self.engine.feed(data))
        self._advance(stream)
        return found

    def settle(self) -> list[Finding]:
        """Findings that waited only for the rest of their line."""
        found = self._placed(self.stream, self.engine.settle())
        self._advance(self.stream)
        return found

    def early(self) -> list[Finding]:
        """Findings if nothing followed. The stream's offset does not move."""
        return self._placed(self.stream, self.engine.close(tentative=True))

    def close(self) -> list[Finding]:
        """The last findings: nothing follows."""
        found = self._placed(self.stream, self.engine.close())
        self._advance(self.stream)
        return found


class RecordMarks:
    """Positions of the streams of `source`, which is stored under `name` (`checkpoint.Marks`)."""

    def __init__(self, source: RecordSource, name: str) -> None:
        self._source = source
        self._name = name

    def mark(self, stream: RecordStream) -> Position | None:
        """Where the source resumes."""
        return stream.position(self._name)

    def committed(self, stream: RecordStream, mark: Cursor | Position | None) -> None:
        """The source may now drop what is before the position."""
        if isinstance(mark, Position):
            self._source.commit({stream.name: mark.position})


class RecordLoop:
    """`run` until `stop`, or until the source has ended. `positions` are the stored ones."""

    def __init__(
        self,
        source: RecordSource,
        positions: Iterable[Position],
        output: TailOutput[RecordStream],
        make_engine: Callable[[], Engine],
        limiter: Limiter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._source = source
        self._resumed = {position.stream: position for position in positions}
        self.output = output
        self._make_engine = make_engine
        self._limiter = limiter
        self._sleep = sleep
        self._steady = output.clocks.steady
        self.streams: dict[str, RecordStream] = {}
        self._readers: OrderedDict[str, RecordReader] = OrderedDict()  # the least recent first
        self._stopping = False
        self.throttled = 0.0  # seconds for which the rate limit held up reading
        self.ended = False

    def begin(self) -> None:
        """Check that the state can be written before anything is read."""
        self.output.commit()

    def stop(self) -> None:
        """End after the present step. Safe in a signal handler."""
        self._stopping = True
        self._source.wake()

    def go_on(self) -> None:
        """Undo `stop`: the next `run` goes on."""
        self._stopping = False

    def run(self) -> None:
        """Go on until `stop`, or until the source has ended."""
        while not (self._stopping or self.ended):
            self.step()
        self.output.commit()

    def catch_up(self, _: float) -> None:
        """The same: only the source knows what is there now, and when it ends."""
        self.run()

    def finish(self) -> None:
        """Report what the engines hold: the program ends. Records that can be repeated are not
        touched: the next start goes on with them.
        """
        if self.ended:
            return
        for stream in self.streams.values():
            if not stream.repeatable:
                self._end(stream)
        self.output.commit()

    def step(self) -> None:
        """Wait for records and judge them."""
        # Before the wait: repeats and the heartbeat come also while nothing is read.
        self.output.every_second(self.figures)
        wait = self.output.patience(TICK, (reader.watch.due for reader in self._readers.values()))
        limit = self._limiter.wait()
        if self.output.paused():
            # What is not read stays where it is: a full pipe makes its writer wait.
            self._sleep(min(wait, EVERY))
        elif limit > 0:
            pause = min(wait, limit, EVERY)
            self._sleep(pause)
            self.throttled += pause
        else:
            self._poll(wait)
        self._ask()
        self.output.commit_if_due()

    def figures(self) -> LoopFigures:
        """The loop in numbers. How much a source still has is not known."""
        count = max(1, len(self.streams))
        return LoopFigures(
            0,
            count,
            FollowStats(followed=count),
            self.output.rollup.suppressed,
            self.output.emitter.kept_back,
            self.throttled,
        )

    def _poll(self, wait: float) -> None:
        try:
            records = self._source.poll(wait)
        except SourceError as error:
            self.output.observer.trouble(Trouble("unreadable", error.path, error.reason))
            self.ended = True
        else:
            for record in records:
                self._read(record)
            self.ended = self._source.ended
        if self.ended:
            for stream in self.streams.values():
                self._end(stream)

    def _read(self, record: Record) -> None:
        stream = self._stream(record.stream)
        # The reader first: it begins at `read`, which is where this record begins.
        reader = self._reader(stream)
        stream.add(record)
        found = reader.feed(record.data)
        reader.watch.grown(self._steady(), reader.engine.pending, stream.offset)
        self._found(stream, found)
        self._limiter.spend(len(record.data))
        self.output.observer.read(len(record.data))
        self.output.checkpoint.judged(stream)

    def _stream(self, name: str) -> RecordStream:
        stream = self.streams.get(name)
        if stream is None:
            resumed = self._resumed.pop(name, None)
            stream = self.streams[name] = RecordStream(name, self._source.info(name), resumed)
            if resumed is not None:
                # Alerts that were sent before their token had ended are behind the offset.
                stream.early = self.output.rollup.early(name, stream.offset)
        return stream

    def _reader(self, stream: RecordStream) -> RecordReader:
        reader = self._readers.get(stream.name)
        if reader is None:
            if len(self._readers) >= STREAMS:
                # Nothing can be read again by offset, so what the engine holds is reported for
                # good. A source with so many streams has whole messages, of which nothing is held.
                _, idle = self._readers.popitem(last=False)
                self._found(idle.stream, idle.close())
                self.output.checkpoint.judged(idle.stream)
            reader = self._readers[stream.name] = RecordReader(self._make_engine(), stream)
        self._readers.move_to_end(stream.name)
        return reader

    def _ask(self) -> None:
        """Ask engines that waited long enough for more bytes."""
        now = self._steady()
        for reader in self._readers.values():
            due = reader.watch.due
            if due is None or now < due:
                continue
            if reader.engine.pending == "context":
                self._found(reader.stream, reader.settle())
            else:
                self._found(reader.stream, reader.early(), early=True)
            self.output.checkpoint.judged(reader.stream)
            reader.watch.asked(self._steady(), reader.engine.pending)

    def _end(self, stream: RecordStream) -> None:
        """No record follows now. A file may grow, and be read on by another run; a pipe is over."""
        reader = self._readers.get(stream.name)
        if stream.repeatable:
            if reader is not None:
                # Not `close`: the offset has to stay before a token that the next run may complete.
                self._found(stream, reader.early(), early=True)
                reader.watch = ReaderWatch()
            self.output.emit(self.output.rollup.sum_up(stream.name))
            self.output.checkpoint.judged(stream)
            return
        if reader is not None:
            self._found(stream, reader.close())
        self.output.emit(self.output.rollup.end(stream.name))
        self.output.checkpoint.forget(stream.name)

    def _found(self, stream: RecordStream, found: list[Finding], *, early: bool = False) -> None:
        """Report findings, each with what the source knows of the record in which it begins."""
        if not found:  # ids of early alerts behind the offset are still to be dropped
            self.output.found(stream, stream.name_of, found, early=early)
        for known, group in groupby(found, key=lambda finding: stream.known_at(finding.offset)):
            context, logged_at = known
            if context != stream.info.context:
                stream.info = replace(stream.info, context=context)
            findings = list(group)
            if logged_at is not None:
                findings = [replace(finding, logged_at=logged_at) for finding in findings]
            self.output.found(stream, stream.name_of, findings, early=early)
