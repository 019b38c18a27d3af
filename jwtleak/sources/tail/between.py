"""Generations of a log that came and were rotated away between two looks.

Promises: when the file behind a followed name is another one, whatever rotation put beside it since the last look is read
too, although no look ever saw it under that name. Only names of the usual shapes, and only what changed after the
generation that was read.
"""

from __future__ import annotations

import os

from jwtleak.sources.files import reason_of
from jwtleak.sources.tail.arrivals import Arrivals
from jwtleak.sources.tail.book import Book
from jwtleak.sources.tail.handle import Handle, NotRegularError
from jwtleak.sources.tail.known import GONE
from jwtleak.sources.tail.own import Own
from jwtleak.sources.tail.seeker import Seeker
from jwtleak.sources.tail.stream import Stream
from jwtleak.sources.tail.transitions import Transitions
from jwtleak.sources.tail.tree import Tree


class Between:
    """Finds them, for each stream that lost its name."""

    def __init__(
        self, book: Book, tree: Tree, transitions: Transitions, seeker: Seeker, arrivals: Arrivals, own: Own
    ) -> None:
        self._book = book
        self._arrivals = arrivals
        self._tree = tree
        self._transitions = transitions
        self._seeker = seeker
        self._own = own

    def find(self, stream: Stream, path: str, now: float) -> str:
        """Open what lies between a stream, which was at `path`, and what is there now.

        Gives the name of the newest stream so far, which the one that is there now follows.
        """
        found: list[tuple[int, str]] = []
        since = stream.mtime_ns if stream.read_to else stream.stored.mtime_ns
        for directory, base in self._seeker.places(path, now):
            fresh = set(directory.fresh)
            for name in self._seeker.generations(directory, base):
                other = os.path.join(directory.path, name)
                if name not in fresh or self._tree.takes(directory, name):
                    continue
                try:
                    seen = os.stat(other)
                except OSError:
                    continue
                if seen.st_mtime_ns >= since and self._book.at((seen.st_dev, seen.st_ino)) is None:
                    found.append((seen.st_mtime_ns, other))
        newest = stream.name
        for _, other in sorted(found):
            newest = self._open(other, now, newest)
        return newest

    def _open(self, path: str, now: float, follows: str) -> str:
        try:
            handle = Handle(path, self._book.trouble)
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
            if handle.packed is not None and not settled:
                self._arrivals.add(path, first=False, follows=follows, taken=False)
                return follows
            stream = self._transitions.open(handle, path, now, start=0, taken=False, follows=follows)
        except OSError as error:
            self._book.trouble("unreadable", path, reason_of(error))
            return follows
        finally:
            handle.close()
        return stream.name

    def _taken(self, handle: Handle, settled: bool) -> bool:
        """Whether a file is ours, or another stream's or its rest."""
        if self._own.has(handle) or self._book.at(handle.key) is not None:
            return True
        homeless = self._book.homeless
        streams = [*homeless.of(handle.key), *homeless.like(handle.head)]
        return any(self._seeker.judge(one, handle, settled=settled) != "elsewhere" for one in streams)
