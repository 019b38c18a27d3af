"""Finds the unread rest of a stream without an open file (`orphan`): renamed, copied or compressed.

A renamed file that is still open needs no search: its stream is `leaving`, `inspect` polls it and
`reading` reads it to its end.

Promises: identity decides first (renamed), then content (copied, compressed); never a file that
another stream reads and that is still there. A directory that could not be listed keeps its streams
waiting. Work is bounded: neighbours are found by the beginning of their names, and no file is
opened twice for one stream unless it changed.
Only names that rotations make (a number, a date or a time, with or without a compression's suffix)
are generations of a log, so that `error.log.example` is never read because `error.log` is followed.

    stream's path          /var/log/a.log   (and beside what a link there leads to)
    neighbours             a.log.1   a.log.2.gz   a-20260101.log   a.log.example
    by inode               a.log.1: the listing shows the stream's inode number
    by name                a.log.1, a.log.2.gz, a-20260101.log
    each: `decide.place`   same head? settled? same anchor?  -> here, wait, elsewhere
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

# `a.log.1.Z` is a generation too, though no codec reads it.
_SUFFIX = r"(?:\.(?:gz|xz|bz2|zst|zstd|lz4|Z))?"
_STAMP = r"[.\-_]?\d[\d.\-_:TZ]*(?:[.\-](?:old|bak))?|\.(?:old|bak|prev|save)"
_MIDDLE = re.compile(rf"(.+?)(?:{_STAMP})(\.[A-Za-z]\w*){_SUFFIX}")
_REST = re.compile(rf"(?:{_STAMP}){_SUFFIX}|\.(?:gz|xz|bz2|zst|zstd|lz4)")

# Neighbours of one log that are tried: `rotate 1000` is the largest seen in the wild.
MAX_NEIGHBOURS = 1000
# Files and directories that are remembered to save work; beyond that the work is done again.
_REMEMBERED = 5000
_LONG_AGO = 600.0


def bases(name: str) -> list[str]:
    """Return the names of which `name` may be a generation."""
    found = [name[:end] for end in range(1, len(name)) if is_generation(name[:end], name)]
    middle = _MIDDLE.fullmatch(name)
    if middle and is_generation(middle[1] + middle[2], name):
        found.append(middle[1] + middle[2])
    return found


def is_generation(base: str, name: str) -> bool:
    """Return whether rotation makes `name` of `base`.

    `a.log` becomes `a.log.1`, `a.log-20260101.gz`, `a-2026-01-01.log` or `a.1.log`.
    """
    if name == base:
        return False
    # The usual case first: most rotations append to the name.
    if name.startswith(base):
        return _REST.fullmatch(name, len(base)) is not None
    stem, dot, extension = base.rpartition(".")
    if not dot or not stem or not name.startswith(stem):
        return False
    # The stamp before the extension, as log4j and logrotate's `extension` write it.
    middle = re.fullmatch(rf"(?:{_STAMP})\.{re.escape(extension)}{_SUFFIX}", name[len(stem) :])
    return middle is not None


class Neighbour(msgspec.Struct, gc=False):
    """A rotated file beside a log, and since when it is as it is now."""

    size: int
    mtime_ns: int
    since: float


class RotationFinder:
    """Finds files for the streams that have none."""

    def __init__(
        self,
        registry: Registry,
        directories: DirectoryIndex,
        lifecycle: Lifecycle,
        settings: TailSettings,
    ) -> None:
        self._registry = registry
        self._directories = directories
        self._lifecycle = lifecycle
        self._settings = settings
        self._neighbours: dict[str, Neighbour] = {}
        self._tried: dict[str, set[tuple[str, int, int]]] = {}
        self._sorted: dict[str, tuple[dict[str, int], list[str]]] = {}
        self._listed: dict[str, tuple[float, Directory | None]] = {}
        self._waiting: set[str] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def awaits(self, stream: FollowedStream) -> bool:
        """Return whether a file that may hold the stream's rest is not complete yet."""
        return stream.name in self._waiting

    def settled(self, path: str, found: os.stat_result, now: float) -> bool:
        """Return whether a file is unchanged for as long as a copy or a compression may pause."""
        seen = self._neighbours.get(path)
        if seen is None or (seen.size, seen.mtime_ns) != (found.st_size, found.st_mtime_ns):
            # Forgetting some of those that wait would let them wait for ever. Then the file's own
            # clock decides, which another host may have set wrong.
            if len(self._neighbours) >= _REMEMBERED and not self._forget_old(now):
                return abs(time.time() - found.st_mtime) >= self._settings.settle
            self._neighbours[path] = Neighbour(found.st_size, found.st_mtime_ns, now)
            return self._settings.settle <= 0
        return now - seen.since >= self._settings.settle

    def _forget_old(self, now: float) -> bool:
        """Make room among the neighbours, once all that wait there must have been decided on."""
        # In the order of insertion, so the first is about the oldest.
        if now - next(iter(self._neighbours.values())).since < _LONG_AGO:
            return False
        self._neighbours.clear()
        return True

    def forget(self, path: str) -> None:
        """Forget a path after the decision on it."""
        self._neighbours.pop(path, None)

    def judge(self, stream: FollowedStream, file: OpenedFile, *, settled: bool) -> Placement:
        """Return whether the stream continues in an open file."""
        reader = self._registry.at(file.key)
        compressed = file.compressed is not None
        head = file.compare_head(stream)
        # gzip has written less than the stream's head so far: too short is not different.
        short = len(file.head) < stream.head_length
        if head == "differs" and compressed and not settled and short:
            head = "unread"
        candidate = Candidate(
            same=file.key == stream.key and same_generation(file.generation, stream.generation),
            live=reader is not None and reader is not stream,
            settled=settled,
            compressed=compressed,
            size=file.found.st_size,
            read_to=stream.read_to,
            head=head,
        )
        placement = place(candidate)
        # The anchor of a compressed file costs its decompression: only where all else fits.
        if placement == "here":
            return place(msgspec.structs.replace(candidate, anchor=file.compare_anchor(stream)))
        return placement

    def seek(self, stream: FollowedStream, now: float) -> bool:
        """Look for the stream's rest beside its last path; return whether it was found."""
        # Set again below by a file that still has to be waited for.
        self._waiting.discard(stream.name)
        return any(
            self._try(stream, os.path.join(directory.path, name), now)
            for directory, base in self.places(stream.path, now)
            # By inode first, so that a rename never opens the other generations.
            for name in dict.fromkeys(
                [*self._named_by_inode(directory, stream, base), *self.generations(directory, base)]
            )
        )

    def places(self, path: str, now: float) -> Iterator[tuple[Directory, str]]:
        """Yield the directories of a file's neighbours, and its own name in each."""
        directory = self._listing(os.path.dirname(path), now)
        if directory is not None:
            yield directory, os.path.basename(path)
        # Some rotate the file and leave the link, others swap the link: neighbours are at both.
        if os.path.islink(path):
            real = os.path.realpath(path)
            directory = self._listing(os.path.dirname(real), now)
            if directory is not None:
                yield directory, os.path.basename(real)

    def _listing(self, path: str, now: float) -> Directory | None:
        """Return what is in a directory that is followed, or list it once for this poll."""
        known = self._directories.get(path)
        if known is not None:
            return known
        # A link's target is often in a directory of its own (`current -> releases/42/log`), which
        # is not followed. Every stream that lost its file in this poll shares one listing of it.
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
                self._registry.trouble("unreadable", path, reason_of(error))
            return None
        key = found.st_dev, found.st_ino
        return Directory(path, [], key=key, entries=entries, fresh=set(entries))

    def _named_by_inode(self, directory: Directory, stream: FollowedStream, own: str) -> list[str]:
        """Return the names of the stream's inode number, which may be another file's by now."""
        if not stream.inode:
            return []
        # The listing of a mount point or an overlay shows another number than `stat`: the old name
        # is always tried, unless a stream has it.
        path = os.path.join(directory.path, own)
        there = own in directory.entries and self._registry.at_path(path) is None
        return ([own] if there else []) + [
            name
            for name, code in directory.entries.items()
            if code >> 2 == stream.inode and name != own
        ]

    def generations(self, directory: Directory, base: str) -> list[str]:
        """Return the names in a directory that rotations make of `base`."""
        # A thousand logs in one directory share its sorted names; a new listing is a new object.
        cached = self._sorted.get(directory.path)
        if cached is None or cached[0] is not directory.entries:
            if len(self._sorted) >= _REMEMBERED:
                self._sorted.clear()
            cached = self._sorted[directory.path] = directory.entries, sorted(directory.entries)
        names, stem = cached[1], base.rpartition(".")[0] or base
        found: list[str] = []
        for at in range(bisect_left(names, stem), len(names)):
            name = names[at]
            # Sorted, so the names with this stem follow each other. A directory of a million names
            # costs one search for each log, and not a million comparisons.
            if not name.startswith(stem) or len(found) >= MAX_NEIGHBOURS:
                break
            # `unlist` may have removed the name since the names were sorted.
            if directory.entries.get(name, DIRECTORY) & 3 != DIRECTORY and is_generation(
                base, name
            ):
                found.append(name)
        return found

    def _try(self, stream: FollowedStream, path: str, now: float) -> bool:
        """Continue the stream in one file, if it is the right one."""
        # By size and time: a file that changes is a new candidate, as a copy in the making is.
        tried = self._tried.setdefault(stream.name, set())
        try:
            found = os.stat(path)
            mark = (path, found.st_size, found.st_mtime_ns)
            if mark in tried:
                return False
            file = OpenedFile(path, self._registry.trouble)
        except NotRegularError:
            return False
        except OSError as error:
            # Gone is an answer; an error is none, and the stream must not end before there is one.
            if error.errno not in GONE:
                self._registry.trouble("unreadable", path, reason_of(error))
                self._waiting.add(stream.name)
            return False
        try:
            placement = self.judge(stream, file, settled=self.settled(path, found, now))
            if placement == "here":
                matched = self._directories.matches_path(path)
                self._lifecycle.resume(stream, file, path, now, matched=matched)
                self.drop(stream)
                return True
        except OSError as error:
            self._registry.trouble("unreadable", path, reason_of(error))
            placement = "wait"
        finally:
            file.close()
        # Not remembered while it waits: time alone settles a file, without any change of it.
        if placement == "wait":
            self._waiting.add(stream.name)
        else:
            tried.add(mark)
        return False

    def drop(self, stream: FollowedStream) -> None:
        """Forget what was tried for a stream that has a file again or is over."""
        self._tried.pop(stream.name, None)
        self._waiting.discard(stream.name)
