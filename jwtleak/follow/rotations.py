"""Where the rest of a stream is: a stream without a file is looked for among its neighbours.

Promises: by identity first (renamed), then by content (copied, compressed), never in a file that
another stream reads and that is still there. A directory that could not be listed keeps its streams
waiting. Work is bounded: neighbours are found by the beginning of their names, and no file is
opened twice for one stream unless it changed.
"""

from __future__ import annotations

import os
import re
import time
from bisect import bisect_left
from collections.abc import Iterator

import msgspec

from jwtleak.errors import reason_of
from jwtleak.follow.decide import Candidate, Placement, place
from jwtleak.follow.directories import DIRECTORY, Directory, DirectoryIndex, listing
from jwtleak.follow.fingerprint import same_generation
from jwtleak.follow.inspect import GONE
from jwtleak.follow.lifecycle import Lifecycle
from jwtleak.follow.open_file import NotRegularError, OpenedFile
from jwtleak.follow.registry import Registry
from jwtleak.follow.settings import TailSettings
from jwtleak.follow.stream import FollowedStream

# How rotated files are named.
#
# Promises: pure; only names of the usual shapes (number, date, time, with or without a
# compression's suffix) count as a generation of a log, so that `error.log.example` is never read
# because `error.log` is followed.

_SUFFIX = r"(?:\.(?:gz|xz|bz2|zst|zstd|lz4|Z))?"
_STAMP = r"[.\-_]?\d[\d.\-_:TZ]*(?:[.\-](?:old|bak))?|\.(?:old|bak|prev|save)"
_MIDDLE = re.compile(rf"(.+?)(?:{_STAMP})(\.[A-Za-z]\w*){_SUFFIX}")
_REST = re.compile(rf"(?:{_STAMP}){_SUFFIX}|\.(?:gz|xz|bz2|zst|zstd|lz4)")


def bases(name: str) -> list[str]:
    """The names that `name` may be a generation of."""
    found = [name[:end] for end in range(1, len(name)) if is_generation(name[:end], name)]
    middle = _MIDDLE.fullmatch(name)
    if middle and is_generation(middle[1] + middle[2], name):
        found.append(middle[1] + middle[2])
    return found


def is_generation(base: str, name: str) -> bool:
    """Whether `name` is what a rotation makes of `base`: `a.log.1`, `a.log-20260101.gz`,
    `a-2026-01-01.log`, `a.1.log`.
    """
    if name == base:
        return False
    if name.startswith(base):
        return _REST.fullmatch(name, len(base)) is not None
    stem, dot, extension = base.rpartition(".")
    if not dot or not stem or not name.startswith(stem):
        return False
    # The stamp before the extension, as log4j and logrotate's `extension` write it.
    middle = re.fullmatch(rf"(?:{_STAMP})\.{re.escape(extension)}{_SUFFIX}", name[len(stem) :])
    return middle is not None


# Neighbours of one log that are tried, newest names included: `rotate 1000` is the largest seen in
# the wild.
MAX_NEIGHBOURS = 1000
# What is remembered of files and directories to save work; with more of them the work is done
# again.
_REMEMBERED = 5000
_LONG_AGO = 600.0


class Neighbour(msgspec.Struct, gc=False):
    """A rotated file beside a log: when it was first seen as it is now."""

    size: int
    mtime_ns: int
    since: float


class RotationFinder:
    """Finds files for the streams that have none."""

    def __init__(
        self, book: Registry, tree: DirectoryIndex, transitions: Lifecycle, settings: TailSettings
    ) -> None:
        self._book = book
        self._tree = tree
        self._transitions = transitions
        self._settings = settings
        self._neighbours: dict[str, Neighbour] = {}
        self._tried: dict[str, set[tuple[str, int, int]]] = {}
        self._ordered: dict[str, tuple[dict[str, int], list[str]]] = {}
        self._listed: dict[str, tuple[float, Directory | None]] = {}
        self.waiting: set[str] = set()

    def settled(self, path: str, found: os.stat_result, now: float) -> bool:
        """Whether a file has not changed for the time that a copy or a compression may pause."""
        seen = self._neighbours.get(path)
        if seen is None or (seen.size, seen.mtime_ns) != (found.st_size, found.st_mtime_ns):
            if len(self._neighbours) >= _REMEMBERED and not self._forget_old(now):
                # To forget some of those that wait would be to let them wait for ever.
                return abs(time.time() - found.st_mtime) >= self._settings.settle
            self._neighbours[path] = Neighbour(found.st_size, found.st_mtime_ns, now)
            return self._settings.settle <= 0
        return now - seen.since >= self._settings.settle

    def _forget_old(self, now: float) -> bool:
        """Make room among the neighbours, once those that wait there have long been decided on."""
        if now - next(iter(self._neighbours.values())).since < _LONG_AGO:
            return False
        self._neighbours.clear()
        return True

    def forget(self, path: str) -> None:
        """A file is of no interest any more."""
        self._neighbours.pop(path, None)

    def judge(self, stream: FollowedStream, handle: OpenedFile, *, settled: bool) -> Placement:
        """Whether the stream goes on in an open file."""
        other = self._book.at(handle.key)
        same = handle.key == stream.key and same_generation(handle.generation, stream.generation)
        if other is not None and other is not stream:
            return "elsewhere"
        packed = handle.packed is not None
        head = handle.head_is(stream)
        if head == "differs" and packed and not settled and len(handle.head) < stream.head_length:
            head = "unread"  # it is still being compressed
        candidate = Candidate(
            same=same,
            settled=settled,
            packed=packed,
            size=handle.found.st_size,
            read_to=stream.read_to,
            head=head,
        )
        # The anchor of a compressed file costs its decompression: only for one that begins alike.
        if place(candidate) == "here":
            candidate = msgspec.structs.replace(candidate, anchor=handle.anchor_is(stream))
        return place(candidate)

    def seek(self, stream: FollowedStream, now: float) -> bool:
        """Look for the stream among the files beside the one that it had; whether it was found."""
        self.waiting.discard(stream.name)
        return any(
            self._try(stream, os.path.join(directory.path, name), now)
            for directory, base in self.places(stream.path, now)
            for name in dict.fromkeys(
                [*self._named_by_inode(directory, stream, base), *self.generations(directory, base)]
            )
        )

    def places(self, path: str, now: float) -> Iterator[tuple[Directory, str]]:
        """Where the neighbours of a file are, and its name there: beside its path, and beside what
        that leads to.
        """
        directory = self._listing(os.path.dirname(path), now)
        if directory is not None:
            yield directory, os.path.basename(path)
        if os.path.islink(path):
            real = os.path.realpath(path)
            directory = self._listing(os.path.dirname(real), now)
            if directory is not None:
                yield directory, os.path.basename(real)

    def _listing(self, path: str, now: float) -> Directory | None:
        """What is in a directory: one that is followed, or one that is listed for this, once for
        all who ask at a time.
        """
        known = self._tree.directories.get(path)
        if known is not None:
            return known
        at, listed = self._listed.get(path, (-1.0, None))
        if at != now:
            if len(self._listed) >= _REMEMBERED:
                self._listed.clear()
            listed = self._list(path)
            self._listed[path] = now, listed
        return listed

    def _list(self, path: str) -> Directory | None:
        try:
            found = os.stat(path)
            entries = listing(path)
        except OSError as error:
            if error.errno not in GONE:
                self._book.trouble("unreadable", path, reason_of(error))
            return None
        key = found.st_dev, found.st_ino
        return Directory(path, [], key=key, entries=entries, fresh=set(entries))

    def _named_by_inode(self, directory: Directory, stream: FollowedStream, own: str) -> list[str]:
        """Where a file with the stream's inode number is. The number may be another file's by now."""
        if not stream.inode:
            return []
        # A mount point or an overlay shows another number in the listing: the old name is always
        # tried.
        found = (
            [own]
            if own in directory.entries
            and os.path.join(directory.path, own) not in self._book.by_path
            else []
        )
        return found + [
            name
            for name, code in directory.entries.items()
            if code >> 2 == stream.inode and name != own
        ]

    def generations(self, directory: Directory, base: str) -> list[str]:
        """The names beside `base` that rotations of it have."""
        cached = self._ordered.get(directory.path)
        if cached is None or cached[0] is not directory.entries:
            if len(self._ordered) >= _REMEMBERED:
                self._ordered.clear()
            cached = self._ordered[directory.path] = directory.entries, sorted(directory.entries)
        names, stem = cached[1], base.rpartition(".")[0] or base
        found: list[str] = []
        for at in range(bisect_left(names, stem), len(names)):
            name = names[at]
            if not name.startswith(stem) or len(found) >= MAX_NEIGHBOURS:
                break
            if directory.entries.get(name, DIRECTORY) & 3 != DIRECTORY and is_generation(
                base, name
            ):
                found.append(name)
        return found

    def _try(self, stream: FollowedStream, path: str, now: float) -> bool:
        """Go on with the stream in one file, if it is the right one."""
        tried = self._tried.setdefault(stream.name, set())
        try:
            found = os.stat(path)
            mark = (path, found.st_size, found.st_mtime_ns)
            if mark in tried:
                return False
            handle = OpenedFile(path, self._book.trouble)
        except NotRegularError:
            return False
        except OSError as error:
            if error.errno not in GONE:
                self._book.trouble("unreadable", path, reason_of(error))
                self.waiting.add(stream.name)
            return False
        try:
            placement = self.judge(stream, handle, settled=self.settled(path, found, now))
            if placement == "here":
                self._transitions.resume(
                    stream, handle, path, now, taken=self._tree.takes_path(path)
                )
                self.drop(stream)
                return True
        except OSError as error:
            self._book.trouble("unreadable", path, reason_of(error))
            placement = "wait"
        finally:
            handle.close()
        if placement == "wait":
            self.waiting.add(stream.name)
        else:
            tried.add(mark)
        return False

    def drop(self, stream: FollowedStream) -> None:
        """The stream was found, or is over."""
        self._tried.pop(stream.name, None)
        self.waiting.discard(stream.name)
