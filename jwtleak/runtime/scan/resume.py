"""A scan that can go on where it was broken off: a ledger of the files that are finished.

Promises: a file is marked only when all of its alerts are out, and never when it was not read to
its end; a file that changed, or cannot be told from one that changed, is read again. What could not
be read in a finished file is told again. An alert that was given of a file that was not finished is
not given a second time, but where the program was killed between giving and noting.
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
from jwtleak.runtime.scan.worker import Done, Message, Range, Task
from jwtleak.sources.interface import Notice
from jwtleak.sources.local import Identity, identify
from jwtleak.sources.walk import Entry
from jwtleak.store import ScannedFile
from jwtleak.store.scans import Scans

# Alerts of an unfinished part that are noted together. Most parts have fewer, and are finished
# without any note.
_BATCH = 512

_encode_notices = msgspec.json.Encoder().encode
_decode_notices = msgspec.json.Decoder(list[Notice]).decode


class Surroundings(NamedTuple):
    """What the ledger needs of the rest: `own` are files that are not to be scanned, as (device,
    inode); `sync` brings what was given onto the disk; `passed` is told the size of each file that
    is left out.
    """

    own: frozenset[tuple[int, int]]
    sync: Callable[[], None]
    notice: Callable[[Notice], None]
    passed: Callable[[int], None]
    trouble: Callable[[str], None]
    clock_ms: Callable[[], int]


class ScanJournal:
    """Stands between a scan and its store. `remaining` thins out the files, `watch` and `unseen`
    see what comes of them.
    """

    def __init__(self, scans: Scans, around: Surroundings) -> None:
        self._scans = scans
        self._around = around
        self._known: dict[str, Identity] = {}  # files that are planned and not finished
        self._part = 0  # number of the task, for the parts of a large file that of the first
        self._path: str | None = None  # the large file whose parts come
        self._notices: list[Notice] = []  # about it
        self._given: list[str] = []  # ids of this part that are not noted
        self._troubled = False

    def remaining(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Those that are not finished."""
        for entry in entries:
            if self._is_own(entry.path):
                continue
            try:
                now = identify(entry.path, HEAD)
            except SourceError:  # the scan will say why
                yield entry
                continue
            mark = self._scans.find(now.device, now.inode)
            if mark is not None and mark == _scanned(now, mark.notices):
                self._pass(entry, mark)
                continue
            if now.size == entry.size:  # else it grows: what is read now is not all
                self._known[entry.path] = now
            yield entry

    def _is_own(self, path: str) -> bool:
        """Asked before it is opened: closing a second descriptor of SQLite's file would let go of
        SQLite's locks.
        """
        try:
            found = os.stat(path)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) in self._around.own

    def _pass(self, entry: Entry, mark: ScannedFile) -> None:
        for notice in _decode_notices(mark.notices):
            self._around.notice(msgspec.structs.replace(notice, path=entry.path))
        self._around.passed(entry.size)

    def watch(self, messages: Iterable[tuple[Task, Message]]) -> Iterator[tuple[Task, Message]]:
        """The same messages. When the next one is asked for, the alerts of the one before are out."""
        for task, message in messages:
            self._begin(task)
            yield task, message
            if isinstance(message, Done):
                self._done(task, message)

    def unseen(self, records: Iterable[WireAlert]) -> Iterator[WireAlert]:
        """Those that no earlier run has given."""
        for record in records:
            if len(self._given) >= _BATCH:
                self._note()
            name = record.id
            if not self._scans.was_given(name):
                yield record
            self._given.append(name)

    def close(self) -> None:
        """The scan is over, or broken off, and everything it gave is out."""
        self._note()

    def _begin(self, task: Task) -> None:
        path = task.path if isinstance(task, Range) else None
        part = self._part if path is not None and path == self._path else task.index
        if (part, path) != (self._part, self._path):
            self._note()
            self._part, self._path, self._notices = part, path, []

    def _done(self, task: Task, done: Done) -> None:
        if isinstance(task, Range):
            self._notices += done.notices
            if task.stop == task.size:
                self._finish((task.path,), 1, self._notices)
                self._path = None
            return
        self._finish(
            task.paths,
            len(task.paths) if done.stopped is None else task.paths.index(done.stopped),
            done.notices,
        )

    def _finish(self, paths: Sequence[str], count: int, notices: Iterable[Notice]) -> None:
        """The first `count` of the part's files were read whole."""
        by_path: dict[str, list[Notice]] = {}
        for notice in notices:
            by_path.setdefault(notice.path, []).append(safe_notice(notice))
        marks = [
            mark
            for path in paths[:count]
            if (mark := self._mark(path, by_path.get(path, []))) is not None
        ]
        whole = len(marks) == len(paths)
        if whole:
            self._given.clear()
        self._try(
            lambda: self._scans.finish(
                marks, self._part if whole else None, self._around.clock_ms()
            )
        )

    def _mark(self, path: str, notices: list[Notice]) -> ScannedFile | None:
        known = self._known.pop(path, None)
        # What the system could not read it may read the next time; what is broken in a file stays
        # broken.
        if known is None or any(notice.kind == "unreadable" for notice in notices):
            return None
        try:
            found = os.stat(path)
        except OSError:
            return None
        if (found.st_dev, found.st_ino) != (known.device, known.inode):
            return None  # rotated meanwhile: which of the two was read cannot be told
        return _scanned(known, _encode_notices(notices))

    def _note(self) -> None:
        if self._given:
            given, self._given = self._given, []
            self._try(lambda: self._scans.give(given, self._part, self._around.clock_ms()))

    def _try(self, write: Callable[[], None]) -> None:
        """What was found matters more than the ledger: without it, files are read again."""
        self._around.sync()
        try:
            write()
        except StoreError as error:
            if not self._troubled:
                self._around.trouble(str(error))
            self._troubled = True


def _scanned(one: Identity, notices: bytes) -> ScannedFile:
    return ScannedFile(one.device, one.inode, one.size, one.mtime_ns, one.head, notices)
