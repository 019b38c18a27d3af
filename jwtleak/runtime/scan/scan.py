"""One scan: plan tasks, run them, join the parts of split files, select and count the alerts.

Promises: alerts come in the order of the files and of the offsets in them; what could not be read
is counted; memory is bounded by the grouping of one file and by the messages that the pool holds
for later tasks.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from jwtleak.alerts.builder import AlertContext
from jwtleak.alerts.grouping import Every, FirstSight, Grouping
from jwtleak.alerts.wire import Selection, WireAlert
from jwtleak.archives.unpack import open_streams
from jwtleak.core.channel import Channels
from jwtleak.core.custom_patterns import UserPatterns
from jwtleak.core.engine import Engine
from jwtleak.core.redaction import redact_text
from jwtleak.errors import SourceError
from jwtleak.patterns import builtin_channels
from jwtleak.runtime.scan.collector import Collector, safe_notice
from jwtleak.runtime.scan.stdin import InputWait, always, follow
from jwtleak.runtime.scan.tasks import plan
from jwtleak.runtime.scan.worker import (
    Alerts,
    Counted,
    Done,
    Files,
    Message,
    Plan,
    Range,
    ScanWorker,
    Task,
    describe,
    make_engine,
    run_here,
    unreadable,
)
from jwtleak.sources.interface import ArchiveLimits, ByteStream, Entry, Notice, StoredStream
from jwtleak.sources.stdin import StdinStream
from jwtleak.types import MAX_TOKEN

if TYPE_CHECKING:
    # Brings SQLite along, so it is loaded only where a scan keeps a state.
    from jwtleak.runtime.scan.resume import ScanJournal

# Below this many bytes, starting processes costs more than they save.
_POOL_FROM = 48 * 1024 * 1024


def make_plan(
    context: AlertContext,
    limits: ArchiveLimits,
    patterns: Sequence[str] = (),
    *,
    every: bool = False,
    max_token: int = MAX_TOKEN,
) -> Plan:
    """What every task of a scan shares; `patterns` are directories. Raises PatternError."""
    user_patterns = UserPatterns()
    if patterns:
        from jwtleak.patterns import load_user_patterns

        user_patterns = load_user_patterns(patterns)
    return Plan(
        alert_context=context,
        limits=limits,
        channels=Channels(builtin_channels),
        patterns=user_patterns,
        every=every,
        max_token=max_token,
    )


class Tally:
    """What a scan did, for the summary and the exit status. `report` is called with each notice."""

    def __init__(self, report: Callable[[Notice], None] = lambda _: None) -> None:
        self._report = report
        self.files = 0
        self.bytes_read = 0
        self.alerts = 0
        self.statuses: Counter[str] = Counter()
        self.rejections: Counter[str] = Counter()
        self.notices: list[Notice] = []
        self.notice_kinds: Counter[str] = Counter()
        self.slow_patterns = 0
        self.untried = 0  # tokens for which the time for the word list ran out
        self.suppressed = 0  # alerts that the policy keeps back
        self.stopped: str | None = None  # the first file that an interrupt left unread

    # Notices kept with their texts. Further ones are only counted, so that a tree of a million
    # unreadable files does not fill memory.
    MAX_NOTICES = 1000

    def notice(self, notice: Notice) -> None:
        """Count something that could not be read."""
        self.notice_kinds[notice.kind] += 1
        notice = safe_notice(notice)
        self._report(notice)
        if len(self.notices) < self.MAX_NOTICES:
            self.notices.append(notice)

    def done(self, done: Done) -> None:
        """Add what a finished task reports."""
        self.files += done.files
        self.stopped = self.stopped or done.stopped
        self.bytes_read += done.bytes_read
        self.rejections.update(done.rejections)
        self.slow_patterns += done.slow_patterns
        self.untried += done.untried
        for notice in done.notices:
            self.notice(notice)

    @property
    def unread(self) -> int:
        """How many inputs could not be read whole."""
        return sum(count for kind, count in self.notice_kinds.items() if kind != "skipped")


class Joiner:
    """Joins the parts of a split file: lines, columns and sightings are those of the whole file."""

    def __init__(self, every: bool) -> None:
        self._every = every
        self._reset(None)

    def _reset(self, path: str | None) -> None:
        self._path = path
        self._lines = 0
        self._line_start = 0
        self._grouping: Grouping | Every = Every() if self._every else Grouping()

    def _begin(self, task: Range) -> None:
        if task.path != self._path:
            self._reset(task.path)

    def alerts(self, task: Range, alerts: list[WireAlert]) -> Iterator[WireAlert]:
        """Add sightings of one part; yields those that need not wait for the end of the file."""
        self._begin(task)
        for alert in alerts:
            yield from self._grouping.add(self._placed(alert))

    def _placed(self, alert: WireAlert) -> WireAlert:
        # A worker counts lines from the start of its part. Only on the part's first line can the
        # column depend on an earlier part: that line may have begun there.
        if alert.line == 1:
            alert.column = alert.offset - self._line_start + 1
        alert.line += self._lines
        return alert

    def done(self, task: Range, done: Done) -> Iterator[WireAlert]:
        """Finish a part; yields the alerts of the file after its last one."""
        self._begin(task)
        self._lines += done.lines
        if done.line_start is not None:
            self._line_start = done.line_start
        if task.stop == task.size:
            yield from self._grouping.drain()
            self._path = None

    def rest(self) -> Iterable[WireAlert]:
        """What was collected of a file that was not finished."""
        return self._grouping.drain()


class Scan:
    """One scan. `files` or `stdin` yields the alerts; after an interrupt, `rest` yields those that
    were still being grouped.
    """

    def __init__(self, plan: Plan, selection: Selection, tally: Tally) -> None:
        self._plan = plan
        self._selection = selection
        self._tally = tally
        self._joiner = Joiner(plan.every)
        self._collected: Callable[[], Iterable[WireAlert]] = self._joiner.rest
        self._journal: ScanJournal | None = None
        self._next: Task | None = None
        self._stopping = False
        self._stop_workers: Callable[[], None] = lambda: None

    def files(
        self,
        entries: Iterable[Entry],
        jobs: int,
        progress: Callable[[int], None],
        journal: ScanJournal | None = None,
    ) -> Iterator[WireAlert]:
        """Yield the alerts of `entries`, scanned by up to `jobs` processes.

        `progress` is called with the bytes of each finished task. With a `journal`, finished files
        are left out, and files are marked as they are finished.
        """
        self._journal = journal
        planned = plan(entries if journal is None else journal.remaining(entries))
        first, enough = _read_ahead(planned, _POOL_FROM if jobs > 1 else 0)
        tasks = self._until_stopped(chain(first, planned))
        if jobs > 1 and enough:
            # Loaded here: most scans are small, and never fork.
            from jwtleak.runtime.scan.pool import Pool

            with Pool(self._plan, jobs) as pool:
                self._stop_workers = pool.stop
                yield from self._run(pool.run(tasks), progress)
        else:
            worker = ScanWorker(self._plan, ahead=_cores() > 1)
            self._stop_workers = lambda: setattr(worker, "stopping", True)
            yield from self._run(run_here(worker, tasks), progress)
        # Not empty only after `stop`: the parts of a large file that were scanned before it.
        yield from self.rest()

    def _run(
        self, messages: Iterator[tuple[Task, Message]], progress: Callable[[int], None]
    ) -> Iterator[WireAlert]:
        journal = self._journal
        for task, message in messages:
            if journal is not None:
                journal.begin(task)
            yield from self._emit(self._alerts_of(task, message, progress))
            # Only here are the alerts of this message out: the consumer has asked for the one
            # after the last of them. A file that is marked earlier loses alerts when the program
            # is killed in between.
            if journal is not None and isinstance(message, Done):
                journal.finish(task, message)

    def _alerts_of(
        self, task: Task, message: Message, progress: Callable[[int], None]
    ) -> Iterator[WireAlert]:
        if isinstance(message, Alerts):
            if isinstance(task, Range):
                yield from self._joiner.alerts(task, message.alerts)
            else:
                yield from message.alerts
            return
        assert isinstance(message, Done)
        self._tally.done(message)
        progress(message.bytes_read)
        if isinstance(task, Range):
            self._tally.files += task.start == 0
            yield from self._joiner.done(task, message)

    def _emit(self, alerts: Iterable[WireAlert]) -> Iterator[WireAlert]:
        """Yield the alerts that no earlier run has shown and that are selected; count them."""
        journal = self._journal
        for alert in alerts:
            if (journal is None or journal.is_new(alert)) and self._wanted(alert):
                yield alert
            # Also for one that was left out: it is as finished as one that was shown.
            if journal is not None:
                journal.emitted(alert)

    def _wanted(self, alert: WireAlert) -> bool:
        if not self._selection.wants(alert):
            return False
        tally = self._tally
        if alert.suppressed:
            tally.suppressed += not alert.repeat
            return self._selection.suppressed
        if not alert.repeat:  # a roll-up repeats what its first sighting was counted for
            tally.alerts += 1
            tally.statuses[alert.status or "pattern"] += 1
        return True

    def stop(self) -> None:
        """Come to an orderly end: `files` yields what was found and reads no further. Safe in a
        signal handler.
        """
        self._stopping = True
        self._stop_workers()

    def _until_stopped(self, tasks: Iterable[Task]) -> Iterator[Task]:
        for task in tasks:
            if self._stopping:
                self._next = task
                return
            yield task

    def stream(self, stream: StoredStream) -> Iterator[WireAlert]:
        """Yield the alerts of an open stream, grouped as those of a file. Archives are unpacked."""
        task = Files(0, (stream.info.path or "-",), stream.info.size or 0)
        messages = ScanWorker(self._plan).run_stream(stream)
        yield from self._run(((task, message) for message in messages), lambda _: None)

    def stdin(self, stream: StdinStream, clock: Callable[[], float]) -> Iterator[WireAlert]:
        """Yield the alerts of standard input as they become certain. Archives are unpacked.

        `clock` returns Unix seconds: a pipe may be open for days, and each alert is judged at the
        time at which it is found.
        """
        engine = make_engine(self._plan)
        self._tally.files += 1
        for leaf in open_streams(stream, self._plan.limits, notice=self._tally.notice):
            wait = stream.wait if leaf is stream else always
            yield from self._emit(self._followed(engine, leaf, wait, clock))

    def _followed(
        self,
        engine: Engine,
        leaf: ByteStream,
        wait: Callable[[float], bool],
        clock: Callable[[], float],
    ) -> Iterator[WireAlert]:
        grouping = Every() if self._plan.every else FirstSight()
        self._collected = grouping.drain
        counted = Counted(leaf)
        records = Collector(self._plan.alert_context, engine, leaf.info, grouping)
        engine.open(mtime_ms=leaf.info.mtime_ms, sighted=records.sighted, context=leaf.info.context)
        before = self._tally.bytes_read
        try:
            for findings in follow(engine, InputWait(counted, wait)):
                # Kept up to date, not added at the end: an interrupt reports it.
                self._tally.bytes_read = before + counted.count
                if findings:
                    records.at(clock())
                    yield from records.add(findings)
        except SourceError as error:  # raised by waiting; `Counted` keeps those of reading
            counted.error = error
        if counted.error is not None:
            self._tally.notice(unreadable(leaf.info, counted.error, counted.count))
        self._tally.untried = records.untried
        yield from grouping.drain()

    def rest(self) -> Iterator[WireAlert]:
        """Yield what was still being grouped when the scan was broken off."""
        return self._emit(self._collected())

    def unfinished(self) -> str | None:
        """Where the scan was broken off, for people: the first file or part that was not scanned
        whole; None when everything was.
        """
        if self._tally.stopped is not None:
            return redact_text(self._tally.stopped)
        return None if self._next is None else describe(self._next)


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read_ahead(tasks: Iterator[Task], size: int) -> tuple[list[Task], bool]:
    """Plan tasks up to `size` bytes; returns them, and whether there were as many bytes."""
    planned: list[Task] = []
    total = 0
    while total < size:
        task = next(tasks, None)
        if task is None:
            return planned, False
        planned.append(task)
        total += task.stop - task.start if isinstance(task, Range) else task.size
    return planned, True
