"""Generations of a log that came and were rotated away between two looks.

Promises: when the file behind a followed name is another one, whatever rotation put beside it since
the last look is read too, although no look ever saw it under that name. Only names of the usual
shapes, and only what changed after the generation that was read. A log may rotate again while we
look: its neighbours are compared once more with each listing for a while.
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

# Logs whose neighbours are compared again. With more of them at a time the oldest are given up.
_MAX_OPEN = 10_000


class RotationWindow(msgspec.Struct, gc=False):
    """A log that lost its file a moment ago: when, and what its files since then cannot be older
    than.
    """

    since: int
    until: float
    newest: str  # the name of the newest stream that was found
    listed: (
        bool  # its neighbours are in a directory that is followed, which tells when something moves
    )
    again: float  # when they were compared


def written(stream: FollowedStream) -> int:
    """When the last byte came that was read of a stream (ns): what came after it is not older."""
    return stream.mtime_ns if stream.read_to else stream.stored.mtime_ns


class MissedRotations:
    """Finds them, for each stream that lost its name."""

    def __init__(
        self,
        book: Registry,
        tree: DirectoryIndex,
        transitions: Lifecycle,
        seeker: RotationFinder,
        arrivals: Discovery,
        settings: TailSettings,
        own: OwnFiles,
    ) -> None:
        self._book = book
        self._arrivals = arrivals
        self._tree = tree
        self._transitions = transitions
        self._seeker = seeker
        self._own = own
        self._span = settings.directory_interval + settings.settle
        self._pause = settings.file_interval
        self._windows: dict[str, RotationWindow] = {}

    def find(self, stream: FollowedStream, path: str, now: float, since: int) -> str:
        """Open what lies between a stream, which was at `path`, and what is there now, and is not
        older than `since` (ns).

        Gives the name of the newest stream so far, which the one that is there now follows.
        """
        last = self._windows.pop(path, None)
        if last is not None and last.until > now:
            since = min(since, last.since)
        elif len(self._windows) >= _MAX_OPEN:
            del self._windows[next(iter(self._windows))]
        listed = os.path.dirname(path) in self._tree.directories and not os.path.islink(path)
        window = self._windows[path] = RotationWindow(
            since, now + self._span, stream.name, listed, now
        )
        self._look(window, path, now)
        return window.newest

    def look_again(self, changed: Collection[str], now: float) -> None:
        """Open what was moved while the last look went on: in directories that were listed with a
        change since, and once a second in those that are not followed.
        """
        for path, window in list(self._windows.items()):
            if window.until <= now:
                del self._windows[path]
            elif os.path.dirname(path) in changed or (
                not window.listed and now - window.again >= self._pause
            ):
                self._look(window, path, now)

    def _look(self, window: RotationWindow, path: str, now: float) -> None:
        window.again = now
        found: list[tuple[int, str]] = []
        for directory, base in self._seeker.places(path, now):
            for name in self._seeker.generations(directory, base):
                other = os.path.join(directory.path, name)
                if name not in directory.fresh or self._tree.takes(directory, name):
                    continue
                try:
                    seen = os.stat(other)
                except OSError:
                    continue
                known = self._book.at(
                    (seen.st_dev, seen.st_ino)
                ) is not None or self._book.has_ended(seen)
                if seen.st_mtime_ns >= window.since and not known:
                    found.append((seen.st_mtime_ns, other))
        for _, other in sorted(found):
            window.newest = self._open(other, now, window.newest)

    def _open(self, path: str, now: float, follows: str) -> str:
        try:
            handle = OpenedFile(path, self._book.trouble)
        except NotRegularError:
            return follows
        except OSError as error:
            if error.errno not in GONE:
                self._book.trouble("unreadable", path, reason_of(error))
            return follows
        try:
            settled = self._seeker.settled(path, handle.found, now)
            if self._taken(handle, settled):
                return follows
            begun = not handle.found.st_size or self._arrivals.unfinished(handle, path)
            if handle.packed is not None or (begun and not settled):
                self._arrivals.add(path, first=False, follows=follows, taken=False)
                return follows
            stream = self._transitions.open(
                handle, path, now, start=0, taken=False, follows=follows
            )
        except OSError as error:
            self._book.trouble("unreadable", path, reason_of(error))
            return follows
        finally:
            handle.close()
        return stream.name

    def _taken(self, handle: OpenedFile, settled: bool) -> bool:
        """Whether a file is ours, or another stream's or its rest."""
        if self._own.has(handle) or self._book.at(handle.key) is not None:
            return True
        homeless = self._book.homeless
        streams = [*homeless.of(handle.key), *homeless.like(handle.head)]
        return any(
            self._seeker.judge(one, handle, settled=settled) != "elsewhere" for one in streams
        )
