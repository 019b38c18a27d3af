"""The scan: plan, work, put the parts of split files together, select, count.

Promises: alerts come out in the order of the files and of the offsets in them; what could not be
read is counted; memory is bounded by the grouping of one file and the pool's early messages.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from jwtleak.alerts.grouping import Every, FirstSight, Grouping
from jwtleak.alerts.wire import Selection, WireAlert
from jwtleak.archives.unpack import open_streams
from jwtleak.core.engine import Engine
from jwtleak.core.redaction import redact_text
from jwtleak.errors import SourceError
from jwtleak.runtime.scan.collector import Collector, safe_notice
from jwtleak.runtime.scan.stdin import InputWait, always, follow
from jwtleak.runtime.scan.tasks import plan
from jwtleak.runtime.scan.worker import (
    Alerts,
    Counted,
    Done,
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
from jwtleak.sources.interface import ByteStream, Notice
from jwtleak.sources.stdin import StdinStream
from jwtleak.sources.walk import Entry

if TYPE_CHECKING:
    from jwtleak.runtime.scan.resume import (
        ScanJournal,
    )  # brings SQLite along: loaded only where a scan keeps a ledger

# Below this, starting processes costs more than they save.
_WORTH_A_POOL = 48 * 1024 * 1024


class Tally:
    """What a scan did, for the summary and the exit status."""

    def __init__(self) -> None:
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

    # Notices kept with their texts; more are only counted, so that a tree of a million unreadable
    # files fits.
    MAX_NOTICES = 1000

    def notice(self, notice: Notice) -> None:
        """Something could not be read."""
        self.notice_kinds[notice.kind] += 1
        if len(self.notices) < self.MAX_NOTICES:
            self.notices.append(safe_notice(notice))

    def done(self, done: Done) -> None:
        """A task is finished."""
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
    """Puts the parts of a split file together: lines, columns and sightings of the whole."""

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
        """Some of the sightings of one part."""
        self._begin(task)
        for alert in alerts:
            yield from self._grouping.add(self._placed(alert))

    def _placed(self, alert: WireAlert) -> WireAlert:
        if alert.line == 1:
            alert.column = alert.offset - self._line_start + 1
        alert.line += self._lines
        return alert

    def done(self, task: Range, done: Done) -> Iterator[WireAlert]:
        """A part is finished; the alerts of the file if it was the last."""
        self._begin(task)
        self._lines += done.lines
        if done.line_start is not None:
            self._line_start = done.line_start
        if task.stop == task.size:
            yield from self._grouping.drain()
            self._path = None

    def rest(self) -> Iterable[WireAlert]:
        """What was collected when a scan is broken off."""
        return self._grouping.drain()


class Scan:
    """One scan. `files` or `stdin` gives the alerts; after an interrupt `rest` gives what was held
    back.
    """

    def __init__(self, plan: Plan, selection: Selection, tally: Tally) -> None:
        self._plan = plan
        self._selection = selection
        self._tally = tally
        self._joiner = Joiner(plan.every)
        self._collected: Callable[[], Iterable[WireAlert]] = self._joiner.rest
        self._ledger: ScanJournal | None = None
        self._next: Task | None = None
        self._stopping = False
        self._tell_workers: Callable[[], None] = lambda: None

    def files(
        self,
        entries: Iterable[Entry],
        jobs: int,
        progress: Callable[[int], None],
        ledger: ScanJournal | None = None,
    ) -> Iterator[WireAlert]:
        """The alerts of `entries`. `progress` is told the bytes of each finished task; `ledger`
        knows what is finished.
        """
        self._ledger = ledger
        planned = plan(entries if ledger is None else ledger.remaining(entries))
        first, worth = _take(planned, _WORTH_A_POOL if jobs > 1 else 0)
        tasks = self._until_stopped(chain(first, planned))
        if jobs > 1 and worth:
            from jwtleak.runtime.scan.pool import Pool

            with Pool(self._plan, jobs) as pool:
                self._tell_workers = pool.stop
                yield from self._given(pool.run(tasks), progress)
        else:
            worker = ScanWorker(self._plan, ahead=_cores() > 1)
            self._tell_workers = lambda: setattr(worker, "stopping", True)
            yield from self._given(run_here(worker, tasks), progress)
        yield from self.rest()  # of a file that was broken off

    def _given(
        self, messages: Iterator[tuple[Task, Message]], progress: Callable[[int], None]
    ) -> Iterator[WireAlert]:
        if self._ledger is None:
            return self._select(self._alerts(messages, progress))
        return self._select(
            self._ledger.unseen(self._alerts(self._ledger.watch(messages), progress))
        )

    def stop(self) -> None:
        """Come to an end: `files` gives what was found so far, and reads no further. Safe in a
        signal handler.
        """
        self._stopping = True
        self._tell_workers()

    def _until_stopped(self, tasks: Iterable[Task]) -> Iterator[Task]:
        for task in tasks:
            if self._stopping:
                self._next = task
                return
            yield task

    def stdin(self, stream: StdinStream, clock: Callable[[], float]) -> Iterator[WireAlert]:
        """The alerts of standard input as they become certain; `clock` gives Unix seconds. What
        comes packed is unpacked.
        """
        engine = make_engine(self._plan)
        self._tally.files += 1
        for leaf in open_streams(stream, self._plan.limits, notice=self._tally.notice):
            yield from self._select(
                self._followed(engine, leaf, stream.wait if leaf is stream else always, clock)
            )

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
        records = Collector(self._plan.setting, engine, leaf.info, grouping)
        engine.open(mtime_ms=leaf.info.mtime_ms, sighted=records.sighted)
        before = self._tally.bytes_read
        try:
            for findings in follow(engine, InputWait(counted, wait)):
                self._tally.bytes_read = before + counted.count
                if findings:
                    records.at(clock())
                    yield from records.add(findings)
        except SourceError as error:  # from waiting
            counted.error = error
        if counted.error is not None:
            self._tally.notice(unreadable(leaf.info, counted.error, counted.count))
        self._tally.untried = records.untried
        yield from grouping.drain()

    def rest(self) -> Iterator[WireAlert]:
        """What was collected when the scan was broken off."""
        records = self._collected()
        return self._select(records if self._ledger is None else self._ledger.unseen(records))

    def unfinished(self) -> str | None:
        """The first thing that was not scanned whole when the scan was broken off; None when
        everything was.
        """
        if self._tally.stopped is not None:
            return redact_text(self._tally.stopped)
        return None if self._next is None else describe(self._next)

    def _alerts(
        self, messages: Iterator[tuple[Task, Message]], progress: Callable[[int], None]
    ) -> Iterator[WireAlert]:
        for task, message in messages:
            if isinstance(message, Alerts):
                yield from (
                    self._joiner.alerts(task, message.alerts)
                    if isinstance(task, Range)
                    else message.alerts
                )
                continue
            assert isinstance(message, Done)
            self._tally.done(message)
            progress(message.bytes_read)
            if isinstance(task, Range):
                self._tally.files += task.start == 0
                yield from self._joiner.done(task, message)

    def _select(self, alerts: Iterable[WireAlert]) -> Iterator[WireAlert]:
        tally = self._tally
        for alert in alerts:
            if self._selection.wants(alert):
                if alert.suppressed:
                    tally.suppressed += not alert.repeat
                    if not self._selection.suppressed:
                        continue
                elif not alert.repeat:  # one that says again what the first sight said
                    tally.alerts += 1
                    tally.statuses[alert.status or "pattern"] += 1
                yield alert


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _take(tasks: Iterator[Task], size: int) -> tuple[list[Task], bool]:
    """Tasks of at least `size` bytes together, and whether there were as many."""
    taken: list[Task] = []
    total = 0
    while total < size:
        task = next(tasks, None)
        if task is None:
            return taken, False
        taken.append(task)
        total += task.stop - task.start if isinstance(task, Range) else task.size
    return taken, True
