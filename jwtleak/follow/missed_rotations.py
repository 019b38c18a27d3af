"""Generations of a log that came and were rotated away between two polls.

Promises: when a followed path leads to another file, the rotated files beside it that are new since
the last poll are read too, although no poll ever saw them under the log's path. Only names that
rotations make, and only files changed after the generation that was read. A log may rotate again
during the poll, so its neighbours are compared again with each listing for a while.

    poll 1         a.log [A]
    in between     A -> a.log.1, B is written;  A -> a.log.2, B -> a.log.1, C is written
    poll 2         a.log [C]   a.log.1 [B]   a.log.2 [A]
                   A is the stream of poll 1: found by inode, or by content if it was compressed.
                   B was never at `a.log` in a poll: new, changed since A was read -> a stream.
                   C follows B follows A.
"""

from __future__ import annotations

import os
from collections.abc import Collection

import msgspec

from jwtleak.errors import reason_of
from jwtleak.follow.directories import DirectoryIndex
from jwtleak.follow.discovery import Discovery
from jwtleak.follow.inspect import GONE
from jwtleak.follow.lifecycle import Lifecycle
from jwtleak.follow.open_file import NotRegularError, OpenedFile, OwnFiles
from jwtleak.follow.registry import Registry
from jwtleak.follow.rotations import RotationFinder
from jwtleak.follow.settings import TailSettings
from jwtleak.follow.stream import FollowedStream

# Logs whose neighbours are compared again. With more of them at a time the oldest are dropped.
_MAX_OPEN = 10_000


class RotationWindow(msgspec.Struct, gc=False):
    """A log that lost its file at a recent poll."""

    since: int  # its next generations were not changed before (ns)
    until: float
    newest: str  # the name of the newest stream found so far
    listed: bool  # its neighbours are in a followed directory, whose listing shows what moves
    compared_at: float


def written(stream: FollowedStream) -> int:
    """Return when the last byte that was read of a stream was written (ns)."""
    return stream.mtime_ns if stream.read_to else stream.stored.mtime_ns


class MissedRotations:
    """Opens the missed generations of each log that lost its file."""

    def __init__(
        self,
        registry: Registry,
        directories: DirectoryIndex,
        lifecycle: Lifecycle,
        rotations: RotationFinder,
        discovery: Discovery,
        settings: TailSettings,
        own: OwnFiles,
    ) -> None:
        self._registry = registry
        self._directories = directories
        self._lifecycle = lifecycle
        self._rotations = rotations
        self._discovery = discovery
        self._own = own
        self._span = settings.directory_interval + settings.settle
        self._pause = settings.file_interval
        self._windows: dict[str, RotationWindow] = {}

    def find(self, stream: FollowedStream, path: str, now: float, since: int) -> str:
        """Open the generations between a stream that was at `path` and the file there now.

        They were not changed before `since` (ns). Returns the name of the newest stream so far,
        which the file at `path` follows.
        """
        last = self._windows.pop(path, None)
        if last is not None and last.until > now:
            # It rotated again within the window: what the first comparison may have missed is as
            # old as that rotation.
            since = min(since, last.since)
        # The oldest was compared most often, and is the least likely to show something new.
        elif len(self._windows) >= _MAX_OPEN:
            del self._windows[next(iter(self._windows))]
        # A link's neighbours may be elsewhere, where no listing shows them.
        listed = os.path.dirname(path) in self._directories and not os.path.islink(path)
        window = self._windows[path] = RotationWindow(
            since, now + self._span, stream.name, listed, now
        )
        self._compare(window, path, now)
        return window.newest

    def compare_again(self, changed: Collection[str], now: float) -> None:
        """Open what was moved while the last poll was running.

        Compares the neighbours in directories whose new listing differs, and every
        `file_interval` those in directories that are not followed.
        """
        for path, window in list(self._windows.items()):
            if window.until <= now:
                del self._windows[path]
            elif os.path.dirname(path) in changed or (
                not window.listed and now - window.compared_at >= self._pause
            ):
                self._compare(window, path, now)

    def _compare(self, window: RotationWindow, path: str, now: float) -> None:
        window.compared_at = now
        found: list[tuple[int, str]] = []
        for directory, base in self._rotations.places(path, now):
            for name in self._rotations.generations(directory, base):
                other = os.path.join(directory.path, name)
                # An old listing had it: it was rotated before the last poll. A name that matches a
                # target is discovery's.
                if name not in directory.fresh or self._directories.matches(directory, name):
                    continue
                try:
                    seen = os.stat(other)
                except OSError:
                    continue
                # `has_ended`: a rotated file that was read whole is moved on by each rotation, and
                # is fresh under each new name.
                known = self._registry.at(
                    (seen.st_dev, seen.st_ino)
                ) is not None or self._registry.has_ended(seen)
                if seen.st_mtime_ns >= window.since and not known:
                    found.append((seen.st_mtime_ns, other))
        # Oldest first, so that each one follows the generation before it.
        for _, other in sorted(found):
            window.newest = self._open(other, now, window.newest)

    def _open(self, path: str, now: float, follows: str) -> str:
        """Open a missed generation; return the newest stream after that."""
        try:
            file = OpenedFile(path, self._registry.trouble)
        except NotRegularError:
            return follows
        except OSError as error:
            if error.errno not in GONE:
                self._registry.trouble("unreadable", path, reason_of(error))
            return follows
        # The same care as in discovery, with one more case: no target matches this file, so nobody
        # would find it again once it is passed over.
        try:
            settled = self._rotations.settled(path, file.found, now)
            if self._belongs_to_another(file, settled):
                return follows
            # A copy in the making would be read as a generation of its own, and the log's rest in
            # it would not be recognized: discovery waits until it is complete.
            begun = not file.found.st_size or self._discovery.may_be_copy(file, path)
            if file.compressed is not None or (begun and not settled):
                self._discovery.add(path, first=False, follows=follows, matched=False)
                return follows
            stream = self._lifecycle.open(file, path, now, start=0, matched=False, follows=follows)
        except OSError as error:
            self._registry.trouble("unreadable", path, reason_of(error))
            return follows
        finally:
            file.close()
        return stream.name

    def _belongs_to_another(self, file: OpenedFile, settled: bool) -> bool:
        """Return whether a file is our own, another stream's, or the rest of one."""
        if self._own.has(file) or self._registry.at(file.key) is not None:
            return True
        orphans = self._registry.orphans
        # `wait` counts as well: opened here, a copy in the making would be read twice.
        return any(
            self._rotations.judge(stream, file, settled=settled) != "elsewhere"
            for stream in [*orphans.of(file.key), *orphans.like(file.head)]
        )
