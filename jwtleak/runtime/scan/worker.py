"""The worker: runs one task of a scan at a time, in whichever process it was sent to.

Promises: a task's outcome depends on the task alone, so one process and many give the same results.
What could not be read is returned as notices, never passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

import msgspec

from jwtleak.alerts.builder import AlertContext
from jwtleak.alerts.grouping import Every, Grouping
from jwtleak.alerts.wire import WireAlert
from jwtleak.archives.unpack import open_streams
from jwtleak.core.channel import Channels
from jwtleak.core.custom_patterns import UserPatterns
from jwtleak.core.engine import Engine, Owned
from jwtleak.core.fingerprint import HEAD
from jwtleak.core.redaction import redact_text
from jwtleak.core.regions import LOOKAHEAD, LOOKBACK
from jwtleak.core.scanner import Scanner
from jwtleak.errors import SourceError
from jwtleak.runtime.scan.collector import Collector
from jwtleak.sources.interface import (
    ArchiveLimits,
    ByteStream,
    Notice,
    StoredStream,
    open_stored,
    read_head,
)
from jwtleak.types import StreamInfo

# Alerts sent in one message: enough that the cost of a message vanishes, few beside the memory
# bound.
_BATCH = 512
# Bytes read beyond a part: a line or two, so that a token at its very end seldom needs another
# read.
_BEYOND = 4096


class Files(msgspec.Struct, frozen=True, tag=True):
    """Whole files, archives among them, scanned one after another. `size` is their sum in bytes."""

    index: int
    paths: tuple[str, ...]
    size: int


class Range(msgspec.Struct, frozen=True, tag=True):
    """A part of one large plain file: the tokens that begin in [start, stop). `size` is that of the
    file.
    """

    index: int
    path: str
    start: int
    stop: int
    size: int
    mtime_ms: int | None


Task = Files | Range


class Alerts(msgspec.Struct, frozen=True, tag=True):
    """Finished alerts of whole streams, or the sightings in a part."""

    alerts: list[WireAlert]


class Done(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The last message of a task: what it counted.

    `lines` and `line_start` join the parts of a file: newlines in this part, and the offset behind
    the last one (None where the part has none). `untried` counts tokens for which the time for the
    word list ran out. `stopped` is the file that an interrupt left unfinished.
    """

    bytes_read: int
    files: int
    lines: int = 0
    line_start: int | None = None
    notices: tuple[Notice, ...] = ()
    rejections: dict[str, int] = {}
    slow_patterns: int = 0
    untried: int = 0
    stopped: str | None = None


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The task failed inside the program; `reason` names the place."""

    reason: str


Message = Alerts | Done | Failed


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What every task of a scan shares. Workers are forked with it, so it may hold any object."""

    alert_context: AlertContext
    limits: ArchiveLimits
    channels: Channels
    patterns: UserPatterns
    every: bool
    max_token: int


def make_engine(plan: Plan) -> Engine:
    """An engine that finds what `plan` asks for."""
    return Engine(plan.channels, Scanner(plan.max_token), plan.patterns)


class ScanWorker:
    """Runs tasks one after another with one engine.

    A signal handler may set `stopping`: the worker then returns what it has found and reads no
    further. It still finishes a part of a large file, which takes milliseconds, because the line
    numbers of all later parts depend on it.
    """

    def __init__(self, plan: Plan, *, ahead: bool = False) -> None:
        """`ahead`: another core is idle, so archives may be unpacked ahead of the search."""
        self._plan = plan
        self._ahead = ahead
        self._engine = make_engine(plan)
        self._untried = 0
        self._slow_before = self._untried_before = 0
        self.stopping = False

    def run(self, task: Task) -> Iterator[Message]:
        """Yield the task's alerts in order, then its `Done`."""
        self._begin()
        yield from self._range(task) if isinstance(task, Range) else self._whole(task.paths)

    def run_stream(self, stream: StoredStream) -> Iterator[Message]:
        """The same for one open stream, which is closed at the end."""
        self._begin()
        yield from self._whole((stream,))

    def _begin(self) -> None:
        # The engine and the word list count from the start of the process; a `Done` reports what
        # its own task added.
        self._engine.rejections.clear()
        self._slow_before, self._untried_before = self._engine.slow_patterns, self._untried

    def _whole(self, sources: Iterable[str | StoredStream]) -> Iterator[Message]:
        """Scan files or open streams whole, and every archive member in them."""
        notices: list[Notice] = []
        batch: list[WireAlert] = []
        read = files = 0
        stopped: str | None = None
        for source in sources:
            path = source if isinstance(source, str) else source.info.path
            if self.stopping:
                stopped = stopped or path
                break
            files += 1
            for stream in open_streams(source, self._plan.limits, notice=notices.append):
                counted = Counted(self._read_ahead(stream))
                with closing(counted):
                    for alert in self._stream(counted):
                        batch.append(alert)
                        if len(batch) >= _BATCH:
                            yield Alerts(batch)
                            batch = []
                if counted.error is not None:
                    notices.append(unreadable(stream.info, counted.error, counted.count))
                read += counted.count
                if self.stopping:
                    stopped = path
                    break
        if batch:
            yield Alerts(batch)
        yield self._done(read, files, notices, stopped=stopped)

    def _read_ahead(self, stream: ByteStream) -> ByteStream:
        if not (self._ahead and stream.info.compressed):
            return stream
        # Threads are loaded for archives only: it takes milliseconds.
        from jwtleak.runtime.scan.readahead import ReadAhead

        return ReadAhead(stream)

    def _stream(self, stream: Counted) -> Iterator[WireAlert]:
        engine, records = self._engine, self._collector(stream.info)
        engine.open(
            mtime_ms=stream.info.mtime_ms,
            sighted=records.sighted,
            context=stream.info.context,
        )
        while not self.stopping and (count := stream.readinto(engine.get_buffer())):
            yield from records.add(engine.buffer_updated(count))
        yield from records.add(engine.close())
        yield from records.drain()
        self._untried = max(self._untried, records.untried)

    def _collector(self, info: StreamInfo) -> Collector:
        grouping = Every() if self._plan.every else Grouping()
        return Collector(self._plan.alert_context, self._engine, info, grouping)

    def _range(self, task: Range) -> Iterator[Message]:
        """Scan a part of a file, reading a little before it and on behind it.

            begin         start                    stop      stop + LOOKBACK
              |  context    |        the part        |   rest    |
              |-------------|========================|-----------|-> as far as the last token needs

        Before: the text before a token names its channel, and a token that began earlier must
        be recognised as such, or its tail would be reported as one of this part. Behind: the last
        token may end there.
        """
        begin = max(0, task.start - LOOKBACK - LOOKAHEAD)
        try:
            stream = Counted(open_stored(task.path, start=begin))
            # Ids are made of the first bytes of the file, whichever part a token is in.
            head = read_head(task.path, HEAD) if begin else b""
        except SourceError as error:
            yield self._done(0, 0, [Notice("unreadable", error.path, None, error.reason, 0)])
            return
        records = self._collector(stream.info)
        self._engine.open(
            offset=begin,
            owned=Owned(task.start, task.stop),
            head=head,
            mtime_ms=task.mtime_ms,
            sighted=records.sighted,
            context=stream.info.context,
        )
        # LOOKBACK more than the part: the header of a JSON serialisation may come after its
        # payload, so a token that begins in the part is found as late as that.
        yield from _batches(self._part(stream, records, begin, task.stop + LOOKBACK))
        stream.close()
        notices = []
        if stream.error is not None:
            notices.append(unreadable(stream.info, stream.error, stream.count))
        lines, line_start = self._engine.lines_owned()
        # Bytes beyond the part are counted by the part that owns them.
        read = min(task.stop, begin + stream.count) - task.start
        yield self._done(read, 0, notices, lines, line_start)

    def _part(
        self, stream: Counted, records: Collector, begin: int, stop: int
    ) -> Iterator[WireAlert]:
        """Yield the sightings in `stream`, whose first byte is at offset `begin`, until everything
        before offset `stop` is judged.
        """
        engine = self._engine
        while engine.resume_offset < stop and (
            count := stream.readinto(self._room(begin + stream.count, stop))
        ):
            yield from records.add(engine.buffer_updated(count))
        if engine.resume_offset < stop:
            yield from records.add(engine.close())
        yield from records.drain()
        self._untried = max(self._untried, records.untried)

    def _room(self, position: int, stop: int) -> memoryview:
        """The buffer for the read at `position`, cut so that it ends a little behind `stop`."""
        buffer = self._engine.get_buffer()
        left = stop + _BEYOND - position
        # Not above 0 while a token that reaches far behind `stop` needs more bytes.
        return buffer[:left] if 0 < left < len(buffer) else buffer

    def _done(
        self,
        read: int,
        files: int,
        notices: list[Notice],
        lines: int = 0,
        line_start: int | None = None,
        stopped: str | None = None,
    ) -> Done:
        return Done(
            bytes_read=read,
            files=files,
            lines=lines,
            line_start=line_start,
            notices=tuple(notices),
            rejections=dict(self._engine.rejections),
            slow_patterns=self._engine.slow_patterns - self._slow_before,
            untried=self._untried - self._untried_before,
            stopped=stopped,
        )


def _batches(records: Iterable[WireAlert]) -> Iterator[Alerts]:
    batch: list[WireAlert] = []
    for record in records:
        batch.append(record)
        if len(batch) >= _BATCH:
            yield Alerts(batch)
            batch = []
    if batch:
        yield Alerts(batch)


class Counted:
    """A stream that counts its bytes. At an error it ends rather than raises, and keeps the error:
    what was found before it is reported like the rest.
    """

    def __init__(self, stream: ByteStream) -> None:
        self.info = stream.info
        self.close: Callable[[], None] = stream.close
        self.count = 0
        self.error: SourceError | None = None
        self._readinto = stream.readinto

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`; returns the number of bytes, 0 at the end or at an error."""
        try:
            count = self._readinto(buffer)
        except SourceError as error:
            self.error = error
            return 0
        self.count += count
        return count


def unreadable(info: StreamInfo, error: SourceError, read: int) -> Notice:
    """The notice for a stream that ended with an error after `read` bytes."""
    return Notice("unreadable", info.path or "-", info.member, error.reason, read)


def describe(task: Task) -> str:
    """What a task covers, for people."""
    if isinstance(task, Range):
        return f"{redact_text(task.path)} (bytes {task.start} to {task.stop})"
    more = f" and {len(task.paths) - 1} more" if len(task.paths) > 1 else ""
    return redact_text(task.paths[0]) + more


def run_here(worker: ScanWorker, tasks: Iterator[Task]) -> Iterator[tuple[Task, Message]]:
    """Run tasks in this process; yields what `Pool.run` yields."""
    for task in tasks:
        for message in worker.run(task):
            yield task, message
