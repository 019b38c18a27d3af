"""Which files there are, which stream each one is, and their bytes.

Promises: `interface.Following`. A look is one pass: known files that are due or hinted at,
directories that are due or in which something moved, what arrived, what lost its file; `decide`
judges, `transitions` acts, this module only has the order.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from jwtleak.follow.decide import Leaving, may_end
from jwtleak.follow.directories import DIRECTORY, FILE, Directory, DirectoryIndex
from jwtleak.follow.discovery import Discovery
from jwtleak.follow.fingerprint import Key
from jwtleak.follow.inspect import Inspector
from jwtleak.follow.interface import Event, FollowStats, Mode
from jwtleak.follow.lifecycle import Lifecycle, from_cursor
from jwtleak.follow.missed_rotations import MissedRotations, written
from jwtleak.follow.open_file import OwnFiles
from jwtleak.follow.reading import Reading
from jwtleak.follow.registry import Registry
from jwtleak.follow.rotations import RotationFinder, bases
from jwtleak.follow.settings import TailSettings
from jwtleak.follow.stream import FollowedStream, OpenFiles
from jwtleak.follow.targets import Filter, targets
from jwtleak.follow.watcher import Hints, Watcher
from jwtleak.types import Cursor


class Follower:
    """See `interface.Following`. Raises `UsageError` for a path or glob that means nothing."""

    def __init__(
        self,
        settings: TailSettings,
        cursors: Iterable[Cursor] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
        own: Callable[[], frozenset[Key]] = frozenset,
        sealed: Callable[[], frozenset[Key]] = frozenset,
    ) -> None:
        """`own` gives the outputs, which are not followed; `sealed` files that must not be opened."""
        self._settings = settings
        self._clock = clock
        self._hints = Hints()
        self._book = book = Registry(OpenFiles(settings.max_open))
        self._tree = DirectoryIndex(
            targets(settings.paths, settings.include),
            Filter(settings.include, settings.exclude),
            links=settings.symlinks == "follow",
            interval=settings.directory_interval,
            pace=settings.file_interval,
            tell=book.trouble,
            well=book.well,
        )
        self._watch = Watcher(self._hints, lambda *mode: book.tell(Mode(*mode)), poll=settings.poll)
        self._sync_at = 0.0
        self._synced = -1, -1
        self._outputs = outputs = OwnFiles(own, sealed)
        transitions = Lifecycle(book)
        self._transitions = transitions
        self._known = Inspector(book, transitions, settings)
        self._seeker = RotationFinder(book, self._tree, transitions, settings)
        self._arrivals = Discovery(
            book, self._tree, self._known, transitions, self._seeker, settings, outputs
        )
        self._between = MissedRotations(
            book, self._tree, transitions, self._seeker, self._arrivals, settings, outputs
        )
        self._reading = Reading(book, self._known, clock, self._hints.wake)
        self._first = True
        self._remember(cursors)

    def _remember(self, cursors: Iterable[Cursor]) -> None:
        directories = set()
        for cursor in cursors:
            directories.add(os.path.dirname(cursor.path))
            # What is not asked for any more is left alone: it may be asked for again.
            if cursor.state == "rotated" or self._tree.wants(cursor.path):
                self._book.add(from_cursor(cursor))
        self._arrivals.remember(directories)

    def start(self) -> None:
        """Begin to watch. Without it everything works by polling."""
        self._watch.start()

    def close(self) -> None:
        """Stop watching and close all files."""
        self._watch.close()
        self._book.descriptors.close()
        self._hints.close()

    def wait(self, seconds: float) -> None:
        """Until a hint or `wake`, or until the time is over."""
        self._hints.wait(seconds)

    def wake(self) -> None:
        """End the present or the next `wait`; from any thread or signal handler."""
        self._hints.wake()

    def hint(self, path: str) -> None:
        """Somebody saw a change at a file or in a directory."""
        self._hints.add(path)

    def look(self) -> list[Event]:
        """Compare what is due with what is there."""
        now = self._clock()
        hints, everything = self._hints.take()
        self._outputs.ask_again()
        everything = everything or self._first
        self._examine(self._due(hints, now, everything), now)
        directories = {os.path.dirname(path) for _, path in self._known.cut}
        directories.update(filter(None, map(self._stirred, hints)))
        changed = self._tree.refresh(now, directories, everything=everything)
        for directory in changed:
            self._sort(directory, now)
        for path in self._known.displaced:
            if self._tree.takes_path(path):
                self._arrivals.add(path, first=False)
        for path in hints:
            self._arrivals.hurry(path)
        self._lost(now)
        self._between.look_again({directory.path for directory in changed}, now)
        arrived = self._arrivals.meet(now, hurry=bool(self._known.cut))
        if self._first:
            self._not_met(now)
            self._first = False
        self._arrivals.welcome(arrived, now)
        # Not before: a read between two looks may find a file replaced as well.
        self._known.displaced.clear()
        self._known.cut.clear()
        self._book.descriptors.make_room()
        self._cover(now)
        self._book.stats.looks += 1
        return self._book.take()

    def _stirred(self, path: str) -> str | None:
        """The directory that is to be listed because something happened at `path`: not for what is
        known to be in it.
        """
        if path in self._tree.directories:
            return path
        parent, name = os.path.split(path)
        directory = self._tree.directories.get(parent)
        return parent if directory is not None and name not in directory.entries else None

    def _cover(self, now: float) -> None:
        """Have those directories watched in which something can happen."""
        size = len(self._tree.directories), len(self._book.linked)
        if size == self._synced and now < self._sync_at:
            return
        self._synced, self._sync_at = size, now + self._settings.directory_interval
        wanted = {*self._tree.present(), *self._book.linked}
        self._watch.sync(wanted, now)
        covered = self._watch.covered
        self._known.events, self._known.events_everywhere = covered, covered >= wanted
        for directory in self._tree.directories.values():
            directory.events = directory.path in covered

    def _due(self, hints: set[str], now: float, everything: bool) -> list[FollowedStream]:
        book = self._book
        names = list(book.streams) if everything else book.schedule.due(now)
        streams = [book.streams[name] for name in names if name in book.streams]
        if not everything:
            hinted = (book.by_path.get(path) for path in hints)
            streams.extend(
                one for one in hinted if one is not None and not self._known.patient(one)
            )
        return list(dict.fromkeys(streams))

    def _examine(self, streams: Iterable[FollowedStream], now: float) -> None:
        for stream in streams:
            if stream.state == "orphan":
                self._orphan(stream, now)
            elif stream.name in self._book.streams:
                self._known.examine(stream, now)

    def _sort(self, directory: Directory, now: float) -> None:
        """What came with a listing: names that are asked for, and known files under names that are
        not.
        """
        device = directory.key[0] if directory.key else -1
        for name in directory.fresh:
            code = directory.entries[name]
            if code & 3 == DIRECTORY:
                continue
            path = os.path.join(directory.path, name)
            if self._tree.takes(directory, name):
                self._arrivals.add(path, first=self._first)
            elif code & 3 == FILE and (stream := self._book.at((device, code >> 2))) is not None:
                if stream.state == "followed" and stream.path != path:
                    self._known.examine(stream, now)
                if stream.state == "leaving":
                    stream.reason = "rotated"
                    self._book.name(stream, path)

    def _lost(self, now: float) -> None:
        """The streams that lost their name or content with this look: their rest, and what came
        between.
        """
        for stream, path in list(self._known.cut):
            if stream.state == "orphan":
                self._orphan(stream, now)
            newest = self._follow_on(stream, path, now)
            fresh = self._book.by_path.get(path)
            if fresh is not None and (stream.state != "orphan" or newest != stream.name):
                fresh.rewrites = (
                    0  # a copy was made of it: this is rotation, however often it happens
                )

    def _follow_on(
        self, stream: FollowedStream, path: str, now: float, since: int | None = None
    ) -> str:
        """What came between a stream that was at `path` and what is there now, and which follows
        which.
        """
        newest = self._between.find(stream, path, now, written(stream) if since is None else since)
        if path in self._arrivals.waiting:
            self._arrivals.add(path, first=False, follows=newest)
        return newest

    def _orphan(self, stream: FollowedStream, now: float) -> None:
        """Look for a stream's rest; when there is none for long enough, it is over."""
        if self._seeker.seek(stream, now):
            return
        patience = 2 * self._settings.directory_interval + self._settings.settle
        leaving = Leaving(
            caught_up=True,  # there is nothing to read it from
            committed=not stream.uncommitted,
            quiet=now - stream.left_at >= patience,
            frozen=self._tree.frozen(stream.path),
            waiting=stream.name in self._seeker.waiting,
        )
        if may_end(leaving):
            self._seeker.drop(stream)
            self._transitions.end(stream)
        else:
            self._book.schedule.put(stream.name, now + self._settings.file_interval)

    def _not_met(self, now: float) -> None:
        """At the first look: the streams of cursors whose files are not where they had been, and
        what came beside them.
        """
        known: dict[str, list[FollowedStream]] = {}
        for stream in self._book.homeless:
            path = stream.path
            if not self._seeker.seek(stream, now):
                stream.state, stream.left_at = "orphan", now
                stream.reason = "rotated" if os.path.lexists(path) else "removed"
                self._book.schedule.put(stream.name, now)
            # Of a stream that was empty nothing tells whether it was filled, copied and cut in
            # between.
            moved = stream.path != path or stream.state == "orphan" or not stream.read_to
            for log in {*self._logs(path), *([path] if moved else [])}:
                known.setdefault(log, []).append(stream)
        for log, streams in known.items():
            # One between them may have been met and not stored: better to read twice what ended
            # since than to lose it.
            self._follow_on(max(streams, key=written), log, now, min(map(written, streams)))

    def _logs(self, path: str) -> list[str]:
        """The logs that are followed and may have had their file moved to `path`."""
        directory, name = os.path.split(path)
        return [
            log
            for base in bases(name)
            if self._tree.takes_path(log := os.path.join(directory, base))
        ]

    def read(self, stream: str, offset: int, buffer: memoryview) -> int:
        """The bytes at `offset`; 0: nothing there now."""
        return self._reading.read(stream, offset, buffer)

    def data_after(self, stream: str, offset: int) -> int:
        """The next offset that is not in a hole."""
        return self._reading.data_after(stream, offset)

    def cursor(
        self,
        stream: str,
        *,
        offset: int,
        told: int,
        lines: int,
        line_start: int,
        provisional: str | None,
    ) -> Cursor:
        """The cursor to be stored for a stream that was judged up to `offset`. Raises `KeyError`
        for one that ended.
        """
        return self._reading.cursor(stream, offset, told, lines, line_start, provisional)

    def committed(self, stream: str, offset: int) -> None:
        """What was read so far is judged and stored."""
        self._reading.committed(stream, offset)

    def unsettled(self) -> int:
        """How many files wait for a decision."""
        return len(self._arrivals.waiting) + len(self._seeker.waiting)

    def stats(self) -> FollowStats:
        """The figures as they are now."""
        stats = self._book.stats
        states = [stream.state for stream in self._book.streams.values()]
        stats.followed = states.count("followed") + states.count("leaving")
        stats.open = len(self._book.descriptors)
        stats.modes, stats.overflows = self._watch.modes(), self._watch.overflows
        return stats
