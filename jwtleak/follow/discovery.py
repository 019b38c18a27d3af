"""New paths, and paths that lead to another file than before: which stream is each one?

Promises: identity decides first, then content, then the file is a stream of its own. Our own
outputs are left alone. A file that cannot be opened yet, may be a copy in the making, or is still
being compressed waits and is tried again.

    add ---> pending ---> by identity, without opening it            (`match_identity`)
                |           gone, no regular file, sealed      -> drop
                |           a stream's file                    -> alias, or its path from now on
                |           unchanged since its cursor         -> resume
                |
                |         ...the follower looks for the files of all cursors in between...
                |
                +-------> by content, opened: `decide.admit`         (`match_content`)
                            our output                         -> drop
                            rest of a stream without a file    -> resume
                            being copied or compressed         -> wait: pending, tried again
                            anything else                      -> a new stream
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable

import msgspec

from jwtleak.errors import SourceError, reason_of
from jwtleak.follow.decide import NewFile, Placement, admit, begin_at
from jwtleak.follow.directories import DirectoryIndex
from jwtleak.follow.fingerprint import ANCHOR, HEAD_STEPS, compare, digest, same_generation
from jwtleak.follow.inspect import GONE
from jwtleak.follow.lifecycle import Lifecycle
from jwtleak.follow.open_file import NotRegularError, OpenedFile, OwnFiles
from jwtleak.follow.registry import Registry
from jwtleak.follow.rotations import RotationFinder, bases
from jwtleak.follow.settings import TailSettings
from jwtleak.follow.stream import FollowedStream
from jwtleak.sources.interface import read_head

# Paths that cannot be opened, or are not complete, are tried again at this rate: a hundredth of a
# core.
_OPENS_PER_SECOND = 500


class PendingFile(msgspec.Struct, gc=False):
    """A path without a decision.

    `first`: it was there when the program started; `matched`: it matches a target, and is not only
    a rotated generation beside one.
    """

    first: bool
    follows: str | None
    matched: bool
    retry_at: float = 0.0


class Discovery:
    """Decides on new files, poll by poll."""

    def __init__(
        self,
        registry: Registry,
        directories: DirectoryIndex,
        lifecycle: Lifecycle,
        rotations: RotationFinder,
        settings: TailSettings,
        own: OwnFiles,
    ) -> None:
        self._registry = registry
        self._directories = directories
        self._lifecycle = lifecycle
        self._rotations = rotations
        self._settings = settings
        self._own = own
        self._before: frozenset[str] = frozenset()
        self._pending: dict[str, PendingFile] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def remember(self, directories: Iterable[str]) -> None:
        """Record the directories in which files were followed in an earlier run."""
        self._before = frozenset(directories)

    def add(
        self, path: str, *, first: bool, follows: str | None = None, matched: bool = True
    ) -> None:
        """Decide on a path in this poll; `follows` is the stream of the generation before it."""
        pending = self._pending.get(path)
        if pending is None:
            self._pending[path] = PendingFile(first, follows, matched)
        elif follows is not None:
            # Found by a listing first, and only now known to come after another generation.
            pending.follows = follows

    def set_follows(self, path: str, follows: str) -> None:
        """Record the generation before a path, if it still is pending."""
        if (pending := self._pending.get(path)) is not None:
            pending.follows = follows

    def retry_now(self, path: str) -> None:
        """Try a pending path without its pause: something happened to it."""
        if (pending := self._pending.get(path)) is not None:
            pending.retry_at = 0.0

    def match_identity(self, now: float, *, retry_all: bool = False) -> list[str]:
        """Decide on paths of known files; return those whose content has to be compared.

        Pending paths are due after a pause; with `retry_all` at once, because a stream lost its
        file and any of them may be its rest.
        """
        due = sorted(
            path for path, pending in self._pending.items() if pending.retry_at <= now or retry_all
        )
        # Sorted: which of two hard links names the stream must not depend on the listing's order.
        return [path for path in due if not self._settled_by_identity(path, now)]

    def match_content(self, paths: list[str], now: float) -> None:
        """Decide on paths by the content of their files."""
        for path in paths:
            self._open_and_decide(path, now)
        # Computed after the loop, from those that are left: with thousands of unreadable files one
        # poll must not spend its time on opening them all again.
        pause = max(self._settings.file_interval, len(self._pending) / _OPENS_PER_SECOND)
        for path in paths:
            if (pending := self._pending.get(path)) is not None:
                pending.retry_at = now + pause

    def _settled_by_identity(self, path: str, now: float) -> bool:
        """Decide on a path by the file it leads to; False: its content has to be compared."""
        try:
            found = os.stat(path)
        except (OSError, ValueError) as error:
            # A `ValueError` is a NUL byte in the path: never there, but the user has to know.
            if getattr(error, "errno", None) in GONE:
                self._gone(path)
            else:
                self._registry.trouble("unreadable", path, reason_of(error))
                self._pending[path].retry_at = now + self._settings.file_interval
            return True
        # Opening a pipe could block, and reading it would steal from its reader.
        if not stat.S_ISREG(found.st_mode):
            if not stat.S_ISDIR(found.st_mode):
                self._registry.trouble("skipped", path, "not a regular file")
            self._settle(path)
            return True
        key = found.st_dev, found.st_ino
        # Before anything opens it: closing a descriptor of the state drops SQLite's locks.
        if self._own.is_sealed(key):
            self._settle(path)
            return True
        known = self._reader_of(path, found)
        if known is not None:
            self._alias(known, path, now)
            return True
        # After a restart with fifty thousand files this spares opening the unchanged ones.
        for stream in self._registry.orphans.of(key):
            if unchanged(stream, found):
                self._lifecycle.resume_unopened(stream, found, path, now)
                self._settle(path)
                return True
        return False

    def _reader_of(self, path: str, found: os.stat_result) -> FollowedStream | None:
        """Return the stream that reads this file."""
        known = self._registry.at((found.st_dev, found.st_ino))
        if known is None or known.fd >= 0:
            return known  # an open file keeps its inode number from being assigned again
        if (found.st_size, found.st_mtime_ns) == (known.size, known.mtime_ns) or known.path == path:
            return known
        try:
            file = OpenedFile(path, self._registry.trouble)
        except OSError:
            return known  # in doubt the same file: its stream is inspected in any case
        same = file.key == known.key and same_generation(file.generation, known.generation)
        file.close()
        if same:
            return known
        # The stream's file was deleted, and its number assigned to this one. When that happened is
        # unknown: 0.0 gives its rest no more time than one search.
        self._lifecycle.leave(known, 0.0, gone=True)
        return None

    def _alias(self, known: FollowedStream, path: str, now: float) -> None:
        """Record another path of a stream's file, or the one that it was moved to."""
        if not self._pending[path].matched:
            pass  # a rotated generation that is being read already
        # Its path still leads to it, so this one is a second: remembered in case the first is lost.
        elif known.path != path and known.state == "followed" and self._leads_to(known):
            self._registry.alias(known, path)
        else:
            self._lifecycle.follow_again(known, path)
            self._registry.poll_at(known, now)
        self._settle(path)

    def _leads_to(self, known: FollowedStream) -> bool:
        """Return whether a stream's path still leads to its file."""
        try:
            found = os.stat(known.path)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == known.key

    def _open_and_decide(self, path: str, now: float) -> None:
        try:
            file = OpenedFile(path, self._registry.trouble)
        except NotRegularError:
            self._settle(path)
            return
        except OSError as error:
            if error.errno in GONE:
                self._gone(path)
            else:
                self._registry.trouble("unreadable", path, reason_of(error))
            return
        try:
            self._decide(file, path, now)
        except OSError as error:
            self._registry.trouble("unreadable", path, reason_of(error))
        finally:
            file.close()

    def _decide(self, file: OpenedFile, path: str, now: float) -> None:
        pending = self._pending[path]
        # Asked again, although `match_identity` found none: a hard link of the same file may have
        # become a stream a moment ago, or the path leads to another file by now.
        known = self._reader_of(path, file.found)
        settled = self._rotations.settled(path, file.found, now)
        stream, rest = self._rest(file, settled)
        compressed = file.compressed is not None
        new = NewFile(
            own=self._own.has(file),
            known=known is not None,
            rest=rest,
            heir=compressed and rest == "elsewhere" and self._is_heir(file),
            compressed=compressed,
            settled=settled,
            # What was there at the start is a finished copy more often than one in the making, and
            # waiting would delay the start of everything.
            twin=not settled and not pending.first and self.may_be_copy(file, path),
        )
        match admit(new):
            # Stays pending. `settled` remembers since when it is unchanged.
            case "wait":
                return
            case "alias" if known is not None:
                self._alias(known, path, now)
            case "resume" if stream is not None:
                self._lifecycle.resume(stream, file, path, now, matched=pending.matched)
                self._rotations.drop(stream)
            case "open":
                self._open(file, path, now)
        self._settle(path)

    def _rest(self, file: OpenedFile, settled: bool) -> tuple[FollowedStream | None, Placement]:
        """Return the stream without a file that continues in this one, and how sure that is."""
        wait: FollowedStream | None = None
        orphans = self._registry.orphans
        # By inode first: that one is right even if another begins alike.
        for stream in [*orphans.of(file.key), *orphans.like(file.head)]:
            match self._rotations.judge(stream, file, settled=settled):
                case "here":
                    return stream, "here"
                # Another stream may still fit for sure: the search goes on.
                case "wait":
                    wait = wait or stream
        return wait, "wait" if wait is not None else "elsewhere"

    def _is_heir(self, file: OpenedFile) -> bool:
        """Return whether a file is the compressed form of one that is still read to its end.

        That stream learns that it is waited for.
        """
        # The stream's head may be of any step: it was read for as long as its file had grown.
        for step in HEAD_STEPS:
            if step > len(file.head):
                break
            stream = self._registry.leaving_like(digest(file.head[:step]))
            if stream is not None:
                stream.expect_heir()
                return True
        return False

    def may_be_copy(self, file: OpenedFile, path: str) -> bool:
        """Return whether a file may be an incomplete copy or compressed form of a live log."""
        return self._just_begun(file, path) or self._is_twin(file)

    def _just_begun(self, file: OpenedFile, path: str) -> bool:
        """Return whether all of a file is the beginning of the log that it is named after."""
        # With a whole head `_is_twin` can tell, by digests that the registry has already.
        if len(file.head) >= HEAD_STEPS[-1] or file.compressed is not None:
            return False
        directory, name = os.path.split(path)
        logs = [
            log
            for base in bases(name)
            if self._registry.at_path(log := os.path.join(directory, base)) is not None
        ]
        try:
            return any(read_head(log, len(file.head)) == file.head for log in logs)
        except SourceError:
            return False

    def _is_twin(self, file: OpenedFile) -> bool:
        """Return whether all of a file is in a live one as well."""
        heads = [digest(file.head[:step]) for step in HEAD_STEPS if step <= len(file.head)]
        other = self._registry.twin(heads, file.key)
        if other is None:
            return False
        # gzip is running, or has just ended: its last bytes are not comparable with the original's.
        if file.compressed is not None:
            return True
        size = file.found.st_size
        length = min(ANCHOR, size)
        try:
            fd = os.open(other.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            # The original was truncated since it was inspected: the next poll finds its rest here.
            if compare(fd, 0, other.head_length, other.head) != "same":
                return True
            # Equal heads may be a common header; equal last bytes at the same offset are a copy.
            return os.pread(fd, length, size - length) == os.pread(file.fd, length, size - length)
        finally:
            os.close(fd)

    def _open(self, file: OpenedFile, path: str, now: float) -> None:
        pending = self._pending[path]
        start = begin_at(
            first=pending.first,
            followed_before=os.path.dirname(path) in self._before,
            origin=self._settings.origin,
            size=file.found.st_size,
            age=time.time() - file.found.st_mtime,
        )
        self._lifecycle.open(
            file, path, now, start=start, matched=pending.matched, follows=pending.follows
        )
        self._registry.recovered(path)

    def _gone(self, path: str) -> None:
        # Listed and gone at once. When it comes back, perhaps with the same inode number, it has
        # to count as new in the listing.
        self._directories.unlist(path)
        self._settle(path)

    def _settle(self, path: str) -> None:
        self._pending.pop(path, None)
        self._rotations.forget(path)


def unchanged(stream: FollowedStream, found: os.stat_result) -> bool:
    """Return whether the file of a cursor is as it was, so that nothing has to be compared."""
    if stream.state != "sought" or found.st_mtime_ns != stream.mtime_ns:
        return False
    if stream.stored.state == "finished":
        return True
    # Not `offset`: it may stay some bytes before the end, where a token may begin.
    return (
        stream.stored.state == "followed"
        and stream.read_to <= stream.stored.size == found.st_size > 0
    )
