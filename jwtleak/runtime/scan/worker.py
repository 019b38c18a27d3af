"""Work: one task of a scan, done by whichever process gets it.

Promises: a task's outcome depends on the task alone, so results are the same with one process and
with many. What could not be read comes back as notices, never as silence.
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
from jwtleak.sources.interface import ArchiveLimits, ByteStream, Notice
from jwtleak.sources.local import FileStream, read_head
from jwtleak.types import StreamInfo

# Alerts sent in one message: large enough to make the message's own cost vanish, small beside the
# memory bound.
_BATCH = 512
# Bytes behind a part that are read with it: a line or two, so that what stands at its very end is
# seldom held for more.
_BEYOND = 4096


class Files(msgspec.Struct, frozen=True, tag=True):
    """Whole files, archives among them, scanned one after another."""

    index: int
    paths: tuple[str, ...]
    size: int


class Range(msgspec.Struct, frozen=True, tag=True):
    """A part of one large plain file: tokens that begin in [start, stop)."""

    index: int
    path: str
    start: int
    stop: int
    size: int
    mtime_ms: int | None


Task = Files | Range


class Alerts(msgspec.Struct, frozen=True, tag=True):
    """Finished alerts (of whole streams), or the sightings of a part."""

    alerts: list[WireAlert]


class Done(msgspec.Struct, frozen=True, tag=True):
    """The task is done. `lines` and `line_start` let the parts of a file be put together: newlines
    in this part, and the offset behind the last one (None where the part has none). `untried`
    counts tokens for which the time for the word list ran out. `stopped` names the file at which an
    interrupt came.
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
    """The task could not be done: `reason` says where the program failed."""

    reason: str


Message = Alerts | Done | Failed


class Plan(msgspec.Struct, frozen=True):
    """What every task of a scan shares."""

    setting: AlertContext
    limits: ArchiveLimits
    channels: Channels
    patterns: UserPatterns
    every: bool
    max_token: int


def make_engine(plan: Plan) -> Engine:
    """An engine with what `plan` asks for."""
    return Engine(plan.channels, Scanner(plan.max_token), plan.patterns)


class ScanWorker:
    """Does tasks one after another with one engine. Set `stopping` from a signal handler: the
    worker then gives what it has found and reads no further. A part of a large file is finished
    first, which takes milliseconds: the lines of the parts behind it depend on it.
    """

    def __init__(self, plan: Plan, *, ahead: bool = False) -> None:
        """`ahead`: another core is idle, so archives may be unpacked ahead of the search."""
        self._plan = plan
        self._ahead = ahead
        self._engine = make_engine(plan)
        self._untried = 0
        self.stopping = False

    def run(self, task: Task) -> Iterator[Message]:
        """The task's alerts in order, then its `Done`."""
        self._engine.rejections.clear()
        self._slow_before, self._untried_before = self._engine.slow_patterns, self._untried
        yield from self._range(task) if isinstance(task, Range) else self._files(task)

    def _files(self, task: Files) -> Iterator[Message]:
        notices: list[Notice] = []
        batch: list[WireAlert] = []
        read = files = 0
        stopped: str | None = None
        for path in task.paths:
            if self.stopping:
                stopped = stopped or path
                break
            files += 1
            for stream in open_streams(path, self._plan.limits, notice=notices.append):
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
        from jwtleak.runtime.scan.readahead import ReadAhead  # threads are loaded for archives only

        return ReadAhead(stream)

    def _stream(self, stream: Counted) -> Iterator[WireAlert]:
        engine, records = self._engine, self._collector(stream.info)
        engine.open(mtime_ms=stream.info.mtime_ms, sighted=records.sighted)
        while not self.stopping and (count := stream.readinto(engine.get_buffer())):
            yield from records.add(engine.buffer_updated(count))
        yield from records.add(engine.close())
        yield from records.drain()
        self._untried = max(self._untried, records.untried)

    def _collector(self, info: StreamInfo) -> Collector:
        return Collector(
            self._plan.setting, self._engine, info, Every() if self._plan.every else Grouping()
        )

    def _range(self, task: Range) -> Iterator[Message]:
        """Reads a little before the part, for tokens that reach into it, and on behind it until its
        last is whole.
        """
        begin = max(0, task.start - LOOKBACK - LOOKAHEAD)
        try:
            stream = Counted(FileStream(task.path, start=begin))
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
        )
        # What begins in the part may be announced as late as LOOKBACK behind it: the header of a
        # JSON serialisation.
        yield from _batches(self._part(stream, records, begin, task.stop + LOOKBACK))
        stream.close()
        notices = (
            [] if stream.error is None else [unreadable(stream.info, stream.error, stream.count)]
        )
        lines, line_start = self._engine.lines_owned()
        yield self._done(
            min(task.stop, begin + stream.count) - task.start, 0, notices, lines, line_start
        )

    def _part(
        self, stream: Counted, records: Collector, begin: int, stop: int
    ) -> Iterator[WireAlert]:
        """The sightings in `stream`, whose first byte is `begin`, until everything before offset
        `stop` is judged.
        """
        engine = self._engine
        while engine.resume_offset < stop and (
            count := stream.readinto(self._wanted(begin + stream.count, stop))
        ):
            yield from records.add(engine.buffer_updated(count))
        if engine.resume_offset < stop:
            yield from records.add(engine.close())
        yield from records.drain()
        self._untried = max(self._untried, records.untried)

    def _wanted(self, position: int, stop: int) -> memoryview:
        """Where to read to from `position`: as a rule nothing is held, so that reading ends a
        little behind `stop`.
        """
        buffer = self._engine.get_buffer()
        left = stop + _BEYOND - position
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
        slow = self._engine.slow_patterns - self._slow_before
        untried = self._untried - self._untried_before
        return Done(
            read,
            files,
            lines,
            line_start,
            tuple(notices),
            dict(self._engine.rejections),
            slow,
            untried,
            stopped,
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
    """A stream that counts its bytes and ends, rather than raises, at an error; the error is kept."""

    def __init__(self, stream: ByteStream) -> None:
        self.info = stream.info
        self.close: Callable[[], None] = stream.close
        self.count = 0
        self.error: SourceError | None = None
        self._readinto = stream.readinto

    def readinto(self, buffer: memoryview) -> int:
        """Bytes read; 0 at the end or at an error."""
        try:
            count = self._readinto(buffer)
        except SourceError as error:
            self.error = error
            return 0
        self.count += count
        return count


def unreadable(info: StreamInfo, error: SourceError, read: int) -> Notice:
    """The notice of a stream that ended with an error after `read` bytes."""
    return Notice("unreadable", info.path or "-", info.member, error.reason, read)


def describe(task: Task) -> str:
    """What a task covers, for people."""
    if isinstance(task, Range):
        return f"{redact_text(task.path)} (bytes {task.start} to {task.stop})"
    more = f" and {len(task.paths) - 1} more" if len(task.paths) > 1 else ""
    return redact_text(task.paths[0]) + more


def run_here(worker: ScanWorker, tasks: Iterator[Task]) -> Iterator[tuple[Task, Message]]:
    """The same in this process."""
    for task in tasks:
        for message in worker.run(task):
            yield task, message
