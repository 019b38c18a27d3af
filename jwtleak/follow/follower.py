"""Follows files: keeps the order of a poll, and is what the runtime holds.

Promises: `interface.Following`. One poll is one pass over known files that are due or hinted,
directories that are due or changed, new files, and streams that lost their file. Refuses:
judgements (`decide`), changes of a stream (`lifecycle`) and waiting in a poll: whatever cannot be
decided now is tried again in a later one.
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
    """See `interface.Following`. Raises `UsageError` for a path or glob without a meaning."""

    def __init__(
        self,
        settings: TailSettings,
        cursors: Iterable[Cursor] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
        own: Callable[[], frozenset[Key]] = frozenset,
        sealed: Callable[[], frozenset[Key]] = frozenset,
    ) -> None:
        """`own` lists our outputs, which are not followed; `sealed` files never to be opened."""
        self._settings = settings
        self._clock = clock
        self._hints = Hints()
        self._registry = registry = Registry(OpenFiles(settings.max_open))
        self._directories = directories = DirectoryIndex(
            targets(settings.paths, settings.include),
            Filter(settings.include, settings.exclude),
            links=settings.symlinks == "follow",
            interval=settings.directory_interval,
            pace=settings.file_interval,
            report=registry.trouble,
            recovered=registry.recovered,
        )
        self._watcher = Watcher(
            self._hints, lambda *mode: registry.emit(Mode(*mode)), poll=settings.poll
        )
        self._sync_at = 0.0
        self._synced = -1, -1
        self._own = outputs = OwnFiles(own, sealed)
        self._lifecycle = lifecycle = Lifecycle(registry)
        self._inspector = Inspector(registry, lifecycle, settings)
        self._rotations = RotationFinder(registry, directories, lifecycle, settings)
        self._discovery = Discovery(
            registry, directories, lifecycle, self._rotations, settings, outputs
        )
        self._missed = MissedRotations(
            registry, directories, lifecycle, self._rotations, self._discovery, settings, outputs
        )
        self._reading = Reading(registry, self._inspector, clock, self._hints.wake)
        self._first = True
        self._remember(cursors)

    def _remember(self, cursors: Iterable[Cursor]) -> None:
        directories = set()
        for cursor in cursors:
            directories.add(os.path.dirname(cursor.path))
            # A path that no target matches any more is left alone: it may match again later. A
            # rotated file need not match, and has to be read to its end.
            if cursor.state == "rotated" or self._directories.would_match(cursor.path):
                self._registry.add(from_cursor(cursor))
        self._discovery.remember(directories)

    def start(self) -> None:
        """Start watching. Without it everything works by polling."""
        self._watcher.start()

    def close(self) -> None:
        """Stop watching and close all files."""
        # The watcher first: its threads add hints, whose pipe is closed last.
        self._watcher.close()
        self._registry.open_files.close()
        self._hints.close()

    def wait(self, seconds: float) -> None:
        """Block until a hint or `wake`, at most for `seconds`."""
        self._hints.wait(seconds)

    def wake(self) -> None:
        """End the current or the next `wait`; from any thread or signal handler."""
        self._hints.wake()

    def hint(self, path: str) -> None:
        """Add a hint: a file or a directory may have changed."""
        self._hints.add(path)

    def poll(self) -> list[Event]:
        """Inspect what is due and return what changed."""
        # The order is the algorithm: each step leaves facts for those below it.
        #
        #   inspect due files --------> displaced paths     streams that lost their place (`cut`)
        #        |                            |                  |
        #   list directories --> fresh names  |             find their rests (rotations)
        #                              |      |                  |
        #                              v      v             find missed generations
        #                         pending files (discovery) <----+
        #                              |
        #                              +-- match identity -- first poll: find cursors
        #                              +-- match content --> streams, events
        registry, now = self._registry, self._clock()
        # Drained before anything is inspected: a hint that comes during the poll may be about a
        # change after the inspection, and belongs to the next poll.
        hints, everything = self._hints.drain()
        everything = everything or self._first
        self._own.refresh()
        # Files before directories: an inspection finds a rename by its path, and only then is the
        # directory listed in this poll, with the rotated name in it.
        self._inspect(self._due(hints, now, everything), now)
        cut = registry.drain_rest_searches()
        stale = {os.path.dirname(path) for _, path in cut}
        stale.update(filter(None, map(self._changed_directory, hints)))
        changed = self._directories.refresh(now, stale, everything=everything)
        # Before the rest is looked for: a followed file that is listed under a rotated name is
        # found here by its inode, and needs no search by content.
        for directory in changed:
            self._sort(directory, now)
        cut += registry.drain_rest_searches()
        # After the listing: `matches_path` is about a directory as it is now. A path displaced
        # by a read since the last poll comes here as well.
        for path in registry.drain_displaced():
            if self._directories.matches_path(path):
                self._discovery.add(path, first=False)
        # A file that was waited for may be complete now.
        for path in hints:
            self._discovery.retry_now(path)
        # Streams that have just lost their file come before new files: otherwise a renamed or
        # copied rest would be opened as a stream of its own, and read twice.
        self._find_rests(cut, now)
        self._missed.compare_again({directory.path for directory in changed}, now)
        # Identity before content for all files together: a file that is known by its inode must
        # not lose that to one that only begins alike.
        unmatched = self._discovery.match_identity(now, retry_all=bool(cut))
        if self._first:
            # Between the two: files that are where their cursors say are met by now, and the
            # others have to be found before their rests are opened as new files.
            self._find_cursors(now)
            self._first = False
        self._discovery.match_content(unmatched, now)
        # Files without a path may exceed the budget, since they cannot be closed. Those that ended
        # or got a path in this poll allow closing some now.
        registry.open_files.make_room()
        self._cover(now)
        return registry.drain_events()

    def _changed_directory(self, path: str) -> str | None:
        """Return the directory to list for a hint; none for a hint at a name that it has."""
        if path in self._directories:
            return path
        # A write to a listed file says nothing about the directory. Listing for each of them would
        # cost one scan a poll of every active directory.
        parent, name = os.path.split(path)
        directory = self._directories.get(parent)
        return parent if directory is not None and name not in directory.entries else None

    def _cover(self, now: float) -> None:
        """Watch the directories in which something can happen."""
        linked = self._registry.linked_directories()
        size = len(self._directories), len(linked)
        # Comparing all of them takes as long as they are many: only when there are more or fewer,
        # and every `directory_interval` for those that were replaced.
        if size == self._synced and now < self._sync_at:
            return
        self._synced, self._sync_at = size, now + self._settings.directory_interval
        wanted = {*self._directories.present(), *linked}
        self._watcher.sync(wanted, now)
        covered = self._watcher.covered
        self._inspector.set_coverage(covered, everywhere=covered >= wanted)
        self._directories.set_coverage(covered)

    def _due(self, hints: set[str], now: float, everything: bool) -> list[FollowedStream]:
        # Hints and times are covered by that; what was planned stays planned.
        if everything:
            return list(self._registry)
        streams = self._registry.due(now)
        for path in hints:
            stream = self._registry.at_path(path)
            # Each write to a database makes an event; its next turn is soon enough.
            if stream is not None and not self._inspector.ignores_hints(stream):
                streams.append(stream)
        return list(dict.fromkeys(streams))

    def _inspect(self, streams: Iterable[FollowedStream], now: float) -> None:
        for stream in streams:
            if stream.state == "orphan":
                self._find_rest(stream, now)
            elif stream in self._registry:  # an inspection before may have ended it
                self._inspector.inspect(stream, now)

    def _sort(self, directory: Directory, now: float) -> None:
        """Add the fresh names that match; find known files under fresh names that do not."""
        device = directory.key[0] if directory.key else -1
        for name in directory.fresh:
            code = directory.entries[name]
            # Entered by the index already, where a target may match below.
            if code & 3 == DIRECTORY:
                continue
            path = os.path.join(directory.path, name)
            if self._directories.matches(directory, name):
                self._discovery.add(path, first=self._first)
            elif code & 3 == FILE:
                stream = self._registry.at((device, code >> 2))
                if stream is None:
                    continue
                # Renamed between its inspection and the listing, or not due in this poll: its path
                # must lose it now, or the file there would not be seen before its next turn.
                if stream.state == "followed" and stream.path != path:
                    self._inspector.inspect(stream, now)
                if stream.state == "leaving":
                    self._lifecycle.rotated_to(stream, path)

    def _find_rests(self, cut: list[tuple[FollowedStream, str]], now: float) -> None:
        """Find the rest of each stream that lost its place, and the generations since."""
        for stream, path in cut:
            # Not for a stream that is read on from its open file: that is complete.
            if stream.state == "orphan":
                self._find_rest(stream, now)
            newest = self._find_missed(stream, path, now, written(stream))
            fresh = self._registry.at_path(path)
            # A copy was made before the content changed: that is a rotation, however often it
            # happens, and no rewriting in place.
            if fresh is not None and (stream.state != "orphan" or newest != stream.name):
                fresh.count_rewrites(0)

    def _find_missed(self, stream: FollowedStream, path: str, now: float, since: int) -> str:
        """Open the generations since a stream was at `path`; return the newest one's name."""
        # What is at `path` now follows the newest of them, and is decided on later in this poll.
        newest = self._missed.find(stream, path, now, since)
        self._discovery.set_follows(path, newest)
        return newest

    def _find_rest(self, stream: FollowedStream, now: float) -> None:
        """Look for an orphan's rest; end the orphan when there is none for long enough."""
        if self._rotations.seek(stream, now):
            return
        # Two listings, in case the rest was moved during the first, and the time that a copy needs.
        patience = 2 * self._settings.directory_interval + self._settings.settle
        leaving = Leaving(
            caught_up=True,  # there is nothing to read it from
            committed=not stream.uncommitted,
            quiet=now - stream.left_at >= patience,
            frozen=self._directories.frozen(stream.path),
            waiting=self._rotations.awaits(stream),
        )
        if may_end(leaving):
            self._rotations.drop(stream)
            self._lifecycle.end(stream)
        else:
            self._registry.poll_at(stream, now + self._settings.file_interval)

    def _find_cursors(self, now: float) -> None:
        """Find the files of cursors that are elsewhere, and the generations written since."""
        by_log: dict[str, list[FollowedStream]] = {}
        for stream in self._registry.orphans:
            path = stream.path
            if not self._rotations.seek(stream, now):
                self._lifecycle.miss(stream, now)
            # An empty stream has neither head nor anchor: nothing shows whether its file was
            # filled, copied and truncated while the program was down.
            moved = stream.path != path or stream.state == "orphan" or not stream.read_to
            for log in {*self._logs(path), *([path] if moved else [])}:
                by_log.setdefault(log, []).append(stream)
        for log, streams in by_log.items():
            # A log may have several cursors: one for each generation that was still being read.
            # Another between them may have ended and be forgotten. From the oldest on, so that it
            # is rather read twice than lost.
            newest = max(streams, key=written)
            self._find_missed(newest, log, now, min(map(written, streams)))

    def _logs(self, path: str) -> list[str]:
        """Return the followed logs of which the file at `path` may be a rotated generation."""
        directory, name = os.path.split(path)
        return [
            log
            for base in bases(name)
            if self._directories.matches_path(log := os.path.join(directory, base))
        ]

    def read(self, stream: str, offset: int, buffer: memoryview) -> int:
        """Read the bytes at `offset`; 0: none are there now."""
        return self._reading.read(stream, offset, buffer)

    def data_after(self, stream: str, offset: int) -> int:
        """Return the next offset outside a hole."""
        return self._reading.data_after(stream, offset)

    def cursor(
        self,
        stream: str,
        *,
        offset: int,
        reported: int,
        lines: int,
        line_start: int,
        provisional: str | None,
    ) -> Cursor:
        """Return the cursor to store. Raises `KeyError` for a stream that ended."""
        return self._reading.cursor(
            stream,
            offset=offset,
            reported=reported,
            lines=lines,
            line_start=line_start,
            provisional=provisional,
        )

    def committed(self, stream: str, offset: int) -> None:
        """Record that the results of everything read are stored."""
        self._reading.committed(stream, offset)

    def unsettled(self) -> int:
        """Return how many files wait for a decision."""
        return len(self._discovery) + len(self._rotations)

    def stats(self) -> FollowStats:
        """Return the current figures."""
        stats = self._registry.stats
        states = self._registry.count_states()
        stats.followed = states["followed"] + states["leaving"]
        stats.open = len(self._registry.open_files)
        stats.modes, stats.overflows = self._watcher.modes(), self._watcher.overflows
        return stats
