"""The journal of a scan: which files are finished, so that a scan that was broken off can go on.

Promises: a file is marked only when all of its alerts are out, and never when it was not read to
its end; a file that changed, or may have changed, is read again. What could not be read in a
finished file is reported again by every run. An alert of an unfinished file is not shown a second
time, unless the program was killed between showing it and noting that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from jwtleak.alerts.wire import WireAlert
from jwtleak.core.fingerprint import HEAD
from jwtleak.errors import SourceError, StoreError
from jwtleak.runtime.scan.collector import safe_notice
from jwtleak.runtime.scan.worker import Done, Range, Task
from jwtleak.sources.interface import Entry, Notice
from jwtleak.sources.local import Identity, identify
from jwtleak.store import ScannedFile
from jwtleak.store.scans import Scans

# Alerts of an unfinished part that are noted together. Most parts have fewer, and are finished
# without any note.
_BATCH = 512

_encode_notices = msgspec.json.Encoder().encode
_decode_notices = msgspec.json.Decoder(list[Notice]).decode


class JournalHooks(NamedTuple):
    """What the journal needs of the program around it.

    `own` are files that must not be scanned, as (device, inode). `sync` makes every alert so far
    durable. `skipped` is called with the size of each file that is left out, `trouble` with what
    went wrong in the store. `clock_ms` returns Unix milliseconds.
    """

    own: frozenset[tuple[int, int]]
    sync: Callable[[], None]
    notice: Callable[[Notice], None]
    skipped: Callable[[int], None]
    trouble: Callable[[str], None]
    clock_ms: Callable[[], int]


class ScanJournal:
    """Records in the store how far a scan is.

    The scan asks `remaining` which files to read. For each message of a worker it then calls
    `begin`, for each alert `is_new` and, when the alert is out, `emitted`; and `finish` after the
    last message of a task.
    """

    def __init__(self, scans: Scans, hooks: JournalHooks) -> None:
        self._scans = scans
        self._hooks = hooks
        self._planned: dict[str, Identity] = {}  # files that are not finished, as they were listed
        self._part = 0  # number of the task; for all parts of a large file that of the first
        self._path: str | None = None  # the large file whose parts are being scanned
        self._notices: list[Notice] = []  # about that file
        self._unnoted: list[str] = []  # ids of alerts of this part that are not in the store
        self._troubled = False

    def remaining(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield the entries that are not finished."""
        for entry in entries:
            if self._is_own(entry.path):
                continue
            try:
                now = identify(entry.path, HEAD)
            except SourceError:  # the worker will meet the same error, and report it
                yield entry
                continue
            mark = self._scans.find(now.device, now.inode)
            if mark is not None and mark == _scanned(now, mark.notices):
                self._skip(entry, mark)
                continue
            # A file that grew since it was listed is read up to its listed size only, so it must
            # not be marked: it is not in `_planned`.
            if now.size == entry.size:
                self._planned[entry.path] = now
            yield entry

    def _is_own(self, path: str) -> bool:
        # stat, not open: closing a second descriptor of SQLite's file drops SQLite's POSIX locks.
        try:
            found = os.stat(path)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) in self._hooks.own

    def _skip(self, entry: Entry, mark: ScannedFile) -> None:
        for notice in _decode_notices(mark.notices):
            # The file may have been renamed since.
            self._hooks.notice(msgspec.structs.replace(notice, path=entry.path))
        self._hooks.skipped(entry.size)

    def begin(self, task: Task) -> None:
        """A message of `task` has come."""
        path = task.path if isinstance(task, Range) else None
        part = self._part if path is not None and path == self._path else task.index
        if (part, path) != (self._part, self._path):
            # The part before was not finished, or its alerts would be cleared.
            self._note()
            self._part, self._path, self._notices = part, path, []

    def is_new(self, alert: WireAlert) -> bool:
        """Whether no earlier run has shown `alert`."""
        if len(self._unnoted) >= _BATCH:
            self._note()
        return not self._scans.was_reported(alert.id)

    def emitted(self, alert: WireAlert) -> None:
        """`alert` was shown, or needs not be."""
        self._unnoted.append(alert.id)

    def finish(self, task: Task, done: Done) -> None:
        """All alerts of `task` are out: mark its files."""
        if not isinstance(task, Range):
            stopped = done.stopped
            count = len(task.paths) if stopped is None else task.paths.index(stopped)
            self._mark(task.paths, count, done.notices)
            return
        self._notices += done.notices
        if task.stop == task.size:  # the last part
            self._mark((task.path,), 1, self._notices)
            self._path = None

    def close(self) -> None:
        """The scan is over or broken off, and every alert that it yielded is out."""
        self._note()

    def _mark(self, paths: Sequence[str], count: int, notices: Iterable[Notice]) -> None:
        """Mark the first `count` of `paths`; the others were not read whole."""
        by_path: dict[str, list[Notice]] = {}
        for notice in notices:
            by_path.setdefault(notice.path, []).append(safe_notice(notice))
        marks = [
            mark
            for path in paths[:count]
            if (mark := self._mark_of(path, by_path.get(path, []))) is not None
        ]
        # Once every file of the part is marked, none is read again, and which alerts were shown no
        # longer matters. Otherwise the ids must stay: the next run meets those alerts again.
        whole = len(marks) == len(paths)
        if whole:
            self._unnoted.clear()
        part = self._part if whole else None
        self._write(lambda: self._scans.finish(marks, part, self._hooks.clock_ms()))

    def _mark_of(self, path: str, notices: list[Notice]) -> ScannedFile | None:
        planned = self._planned.pop(path, None)
        # What the system could not read it may read the next time; what is corrupt stays corrupt.
        if planned is None or any(notice.kind == "unreadable" for notice in notices):
            return None
        try:
            found = os.stat(path)
        except OSError:
            return None
        if (found.st_dev, found.st_ino) != (planned.device, planned.inode):
            return None  # rotated meanwhile: either of the two files may be the one that was read
        return _scanned(planned, _encode_notices(notices))

    def _note(self) -> None:
        if self._unnoted:
            ids, self._unnoted = self._unnoted, []
            self._write(lambda: self._scans.mark_reported(ids, self._part, self._hooks.clock_ms()))

    def _write(self, write: Callable[[], None]) -> None:
        # Alerts first: a mark in the store means that they are durable.
        self._hooks.sync()
        try:
            write()
        except StoreError as error:
            # Findings matter more than the journal: without it, files are only read again.
            if not self._troubled:
                self._hooks.trouble(str(error))
            self._troubled = True


def _scanned(file: Identity, notices: bytes) -> ScannedFile:
    return ScannedFile(file.device, file.inode, file.size, file.mtime_ns, file.head, notices)
