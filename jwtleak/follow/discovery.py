"""Names that came, or lead to another file than before.

Promises: identity first, then content, then a stream of its own; our own outputs are left alone;
what cannot be opened yet is tried again. A file that may be a copy in the making, or is still being
compressed, waits for a moment.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable

import msgspec

from jwtleak.errors import SourceError, reason_of
from jwtleak.follow.decide import NewFile, Placement, begin_at, welcome
from jwtleak.follow.directories import DirectoryIndex
from jwtleak.follow.fingerprint import ANCHOR, HEAD_STEPS, compare, digest, same_generation
from jwtleak.follow.inspect import GONE, Inspector
from jwtleak.follow.lifecycle import Lifecycle
from jwtleak.follow.open_file import NotRegularError, OpenedFile, OwnFiles
from jwtleak.follow.registry import Registry
from jwtleak.follow.rotations import RotationFinder, bases
from jwtleak.follow.settings import TailSettings
from jwtleak.follow.stream import FollowedStream
from jwtleak.sources.local import read_head

# Names that cannot be opened, or are not complete, are tried again at this rate: a hundredth of a
# core.
_OPENS_PER_SECOND = 500


class PendingFile(msgspec.Struct, gc=False):
    """A name that could not be decided on yet.

    `first`: it was there when the program started; `taken`: it is asked for, and not only a
    generation of what is.
    """

    first: bool
    follows: str | None
    taken: bool
    retry_at: float = 0.0


class Discovery:
    """Decides on arrivals, look by look."""

    def __init__(
        self,
        book: Registry,
        tree: DirectoryIndex,
        known: Inspector,
        transitions: Lifecycle,
        seeker: RotationFinder,
        settings: TailSettings,
        own: OwnFiles,
    ) -> None:
        self._book = book
        self._tree = tree
        self._transitions = transitions
        self._seeker = seeker
        self._settings = settings
        self._own = own
        self._known = known
        self._before: frozenset[str] = frozenset()
        self.waiting: dict[str, PendingFile] = {}

    def remember(self, directories: Iterable[str]) -> None:
        """Files were followed in these directories before the program was started again."""
        self._before = frozenset(directories)

    def add(
        self, path: str, *, first: bool, follows: str | None = None, taken: bool = True
    ) -> None:
        """A name to be decided on with `process`."""
        known = self.waiting.get(path)
        if known is None:
            self.waiting[path] = PendingFile(first, follows, taken)
        elif follows is not None:
            known.follows = follows

    def hurry(self, path: str) -> None:
        """Something happened to a name that waits."""
        if (waiting := self.waiting.get(path)) is not None:
            waiting.retry_at = 0.0

    def meet(self, now: float, *, hurry: bool = False) -> list[str]:
        """Decide on the names that lead to known files; gives those whose content has to be looked
        at.

        Names that could not be decided on before are due after a pause; with `hurry` at once,
        because a stream lost its file.
        """
        due = sorted(path for path, one in self.waiting.items() if one.retry_at <= now or hurry)
        return [path for path in due if not self._by_identity(path, now)]

    def welcome(self, paths: list[str], now: float) -> None:
        """Decide on names by what is in their files."""
        for path in paths:
            self._by_content(path, now)
        pause = max(self._settings.file_interval, len(self.waiting) / _OPENS_PER_SECOND)
        for path in paths:
            if (waiting := self.waiting.get(path)) is not None:
                waiting.retry_at = now + pause

    def _by_identity(self, path: str, now: float) -> bool:
        """Settle a name by the file it leads to; False when its content has to be looked at."""
        try:
            found = os.stat(path)
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) in GONE:
                self._gone(path)
            else:
                self._book.trouble("unreadable", path, reason_of(error))
                self.waiting[path].retry_at = now + self._settings.file_interval
            return True
        if not stat.S_ISREG(found.st_mode):
            if not stat.S_ISDIR(found.st_mode):
                self._book.trouble("skipped", path, "not a regular file")
            self._settle(path)
            return True
        if self._own.seals((found.st_dev, found.st_ino)):
            self._settle(path)
            return True
        known = self._book.at((found.st_dev, found.st_ino))
        if known is not None:
            return self._alias(known, path, found, now)
        for stream in self._book.homeless.of((found.st_dev, found.st_ino)):
            if unchanged(stream, found):
                self._transitions.resume_unopened(stream, found, path, now)
                self._settle(path)
                return True
        return False

    def _alias(self, known: FollowedStream, path: str, found: os.stat_result, now: float) -> bool:
        """The file of a stream under this name: a second one, or the one that it has now."""
        if known.fd < 0 and not self._still(known, path, found):
            return False
        if not self.waiting[path].taken:
            pass  # a generation of a log that is being read already
        elif known.path != path and self._leads(known) and known.state == "followed":
            self._book.alias(known, path)
        else:
            self._transitions.follow_again(known, path)
            self._book.schedule.put(known.name, now)
        self._settle(path)
        return True

    def _still(self, known: FollowedStream, path: str, found: os.stat_result) -> bool:
        """Whether a file that is not held open is the stream's, and not another one with its inode
        number.
        """
        if (found.st_size, found.st_mtime_ns) == (known.size, known.mtime_ns) or known.path == path:
            return True
        try:
            handle = OpenedFile(path, self._book.trouble)
        except OSError:
            return True
        same = handle.key == known.key and same_generation(handle.generation, known.generation)
        handle.close()
        if not same:
            self._transitions.leave(known, 0.0, gone=True)
        return same

    def _leads(self, known: FollowedStream) -> bool:
        """Whether a stream's path still leads to its file."""
        try:
            found = os.stat(known.path)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == known.key

    def _by_content(self, path: str, now: float) -> None:
        try:
            handle = OpenedFile(path, self._book.trouble)
        except NotRegularError:
            self._settle(path)
            return
        except OSError as error:
            if error.errno in GONE:
                self._gone(path)
            else:
                self._book.trouble("unreadable", path, reason_of(error))
            return
        try:
            self._welcome(handle, path, now)
        except OSError as error:
            self._book.trouble("unreadable", path, reason_of(error))
        finally:
            handle.close()

    def _welcome(self, handle: OpenedFile, path: str, now: float) -> None:
        known = self._book.at(handle.key)
        if known is not None and self._alias(known, path, handle.found, now):
            return
        settled = self._seeker.settled(path, handle.found, now)
        stream, rest = self._rest(handle, settled)
        arrival = NewFile(
            own=self._own.has(handle),
            rest=rest,
            packed=handle.packed is not None,
            settled=settled,
            twin=not settled and not self.waiting[path].first and self.unfinished(handle, path),
        )
        if handle.packed is not None and rest == "elsewhere" and self._inherits(handle):
            return
        match welcome(arrival):
            case "wait":
                return
            case "resume" if stream is not None:
                self._transitions.resume(stream, handle, path, now, taken=self.waiting[path].taken)
                self._seeker.drop(stream)
            case "open":
                self._open(handle, path, now)
        self._settle(path)

    def _rest(self, handle: OpenedFile, settled: bool) -> tuple[FollowedStream | None, Placement]:
        """The stream without a file that goes on in this one, and how sure that is."""
        wait: FollowedStream | None = None
        homeless = self._book.homeless
        for stream in [*homeless.of(handle.key), *homeless.like(handle.head)]:
            match self._seeker.judge(stream, handle, settled=settled):
                case "here":
                    return stream, "here"
                case "wait":
                    wait = wait or stream
        return wait, "wait" if wait is not None else "elsewhere"

    def _inherits(self, handle: OpenedFile) -> bool:
        """Whether a file is the compressed form of one that is still read to its end: then it waits
        for that.
        """
        for step in HEAD_STEPS:
            if step > len(handle.head):
                break
            stream = self._book.leaving_like(digest(handle.head[:step]))
            if stream is not None:
                self._known.heirs.add(stream.name)
                return True
        return False

    def unfinished(self, handle: OpenedFile, path: str) -> bool:
        """Whether a file may be a copy that is being made of a live log, or a compressed form that
        is just begun.
        """
        return self._begun(handle, path) or self._twin(handle)

    def _begun(self, handle: OpenedFile, path: str) -> bool:
        """Whether a file may be a copy of a live log that was just begun: it has none of its bytes
        yet, or its first ones.
        """
        if len(handle.head) >= HEAD_STEPS[-1] or handle.packed is not None:
            return False
        directory, name = os.path.split(path)
        logs = [
            log
            for base in bases(name)
            if (log := os.path.join(directory, base)) in self._book.by_path
        ]
        try:
            return any(read_head(log, len(handle.head)) == handle.head for log in logs)
        except SourceError:
            return False

    def _twin(self, handle: OpenedFile) -> bool:
        """Whether all of a file stands in a live one as well."""
        heads = [digest(handle.head[:step]) for step in HEAD_STEPS if step <= len(handle.head)]
        other = self._book.twin(heads, handle.key)
        if other is None:
            return False
        if handle.packed is not None:
            return True
        size = handle.found.st_size
        length = min(ANCHOR, size)
        try:
            fd = os.open(other.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            if compare(fd, 0, other.head_length, other.head) != "same":
                # the original was cut since it was looked at: the next look finds its rest here
                return True
            return os.pread(fd, length, size - length) == os.pread(handle.fd, length, size - length)
        finally:
            os.close(fd)

    def _open(self, handle: OpenedFile, path: str, now: float) -> None:
        waiting = self.waiting[path]
        start = begin_at(
            first=waiting.first,
            followed_before=os.path.dirname(path) in self._before,
            origin=self._settings.origin,
            size=handle.found.st_size,
            age=time.time() - handle.found.st_mtime,
        )
        self._transitions.open(
            handle, path, now, start=start, taken=waiting.taken, follows=waiting.follows
        )
        self._book.well(path)

    def _gone(self, path: str) -> None:
        self._tree.unlist(path)
        self._settle(path)

    def _settle(self, path: str) -> None:
        self.waiting.pop(path, None)
        self._seeker.forget(path)


def unchanged(stream: FollowedStream, found: os.stat_result) -> bool:
    """Whether the file of a cursor is as it was: then nothing of it has to be compared."""
    if stream.state != "sought" or found.st_mtime_ns != stream.mtime_ns:
        return False
    if stream.stored.state == "finished":
        return True
    # A cursor stands some bytes before the end: a token may have begun there.
    return (
        stream.stored.state == "followed"
        and stream.read_to <= stream.stored.size == found.st_size > 0
    )
