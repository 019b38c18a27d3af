"""The files below the paths that a user names.

Promises: sorted by the bytes of their names, hidden ones too; symbolic links are followed, loops
end, and no file is given twice because a link also leads to it. Pipes, devices and sockets are told
and never opened. `os.scandir` only: `os.walk` and `glob` turn EACCES and EMFILE into an empty
directory.

How each file comes once without remembering every file: a real tree has no loops, so links are not
followed while a tree is walked. A link that leads into a tree being walked adds nothing and is
passed over; one that leads outside opens a tree of its own, at the place of the link. Memory is
thus the names of one directory per level, which is what sorting needs, and one path per link that
leads outside.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec

from jwtleak.errors import UsageError, reason_of
from jwtleak.sources.globs import GlobFilter
from jwtleak.sources.interface import Notice, NoticeKind, Notify

_KINDS = {
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A regular file: its path as it is reached from what was named, its size in bytes, and when it
    last changed.
    """

    path: str
    size: int
    mtime_ms: int


# A file, or the walk of a directory that comes in its place.
_Found: TypeAlias = "Entry | Iterator[_Found]"


def walk(
    paths: Iterable[str],
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    *,
    notice: Notify,
) -> Iterator[Entry]:
    """Give every regular file at or below `paths` once, lazily. Raises `UsageError` for a glob that
    means nothing.
    """
    try:
        selection = GlobFilter(include, exclude)
    except re.error as error:
        raise UsageError(f"invalid glob: {error}") from None
    named = list(dict.fromkeys(paths))
    return _Walk(selection, notice, named).run(named)


class _Walk:
    def __init__(self, selection: GlobFilter, notice: Notify, named: list[str]) -> None:
        self._selection = selection
        self._notice = notice
        # Real directories that are walked each on their own; a walk that comes upon another's root
        # leaves it alone.
        self._roots = {os.path.realpath(path) for path in named if os.path.isdir(path)}
        self._done: set[str] = set()
        self._linked: set[str] = (
            set()
        )  # real paths of files that were given because a link or the user named them

    def run(self, named: list[str]) -> Iterator[Entry]:
        for path in named:
            try:
                found = os.stat(path)
            except (OSError, ValueError) as error:
                self._tell("unreadable", path, reason_of(error))
                continue
            base = os.path.basename(path.rstrip("/")) or path
            if stat.S_ISDIR(found.st_mode):
                yield from self._tree(path, os.path.realpath(path))
            elif self._selection.takes(base) and not self._reached(path):
                yield from self._file(path, found)

    def _tree(self, shown: str, real: str) -> Iterator[Entry]:
        if real in self._done:
            return
        self._done.add(real)
        levels: list[Iterator[_Found]] = [self._names(shown, real, "")]
        while levels:
            for entry in levels[-1]:
                if isinstance(entry, Entry):
                    yield entry
                else:
                    levels.append(entry)
                    break
            else:
                levels.pop()

    def _names(self, shown: str, real: str, relative: str) -> Iterator[_Found]:
        """One directory's files, and an iterator for each of its directories, in order."""
        try:
            with os.scandir(shown or ".") as listing:
                entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            self._tell("unreadable", shown, reason_of(error))
            return
        for entry in entries:
            below = relative + entry.name
            try:
                yield from self._one(entry, os.path.join(real, entry.name), below)
            except OSError as error:
                self._tell("unreadable", entry.path, reason_of(error))

    def _one(self, entry: os.DirEntry[str], real: str, relative: str) -> Iterator[_Found]:
        if entry.is_symlink():
            yield from self._link(entry, relative)
        elif entry.is_dir(follow_symlinks=False):
            if self._selection.enters(relative) and real not in self._roots:
                yield self._names(entry.path, real, relative + "/")
        elif self._selection.takes(relative) and real not in self._linked:
            yield from self._file(entry.path, entry.stat())

    def _link(self, entry: os.DirEntry[str], relative: str) -> Iterator[_Found]:
        found = entry.stat()
        if stat.S_ISDIR(found.st_mode):
            real = os.path.realpath(entry.path)
            if self._selection.enters(relative) and not self._covered(real):
                self._roots.add(real)
                yield self._tree(entry.path, real)
        elif self._selection.takes(relative) and not self._reached(entry.path):
            yield from self._file(entry.path, found)

    def _covered(self, real: str) -> bool:
        """Whether a directory lies in a tree that is walked anyway."""
        return any(self._selection.descends(below) for below in self._below_roots(real))

    def _reached(self, path: str) -> bool:
        """Whether a file is given anyway: by the walk of the tree it lies in, or by an earlier link
        to it.
        """
        real = os.path.realpath(path)
        if real in self._linked or any(
            self._selection.reaches(below) for below in self._below_roots(real)
        ):
            return True
        self._linked.add(real)
        return False

    def _below_roots(self, real: str) -> Iterator[str]:
        """The path relative to the nearest root above it, if there is one: the walk of that root is
        what meets it.
        """
        above = real
        while above not in self._roots:
            parent = os.path.dirname(above)
            if parent == above:
                return
            above = parent
        yield real[len(above) :].lstrip("/")

    def _file(self, path: str, found: os.stat_result) -> Iterator[Entry]:
        if stat.S_ISREG(found.st_mode):
            yield Entry(path, found.st_size, found.st_mtime_ns // 1_000_000)
        else:
            self._tell(
                "skipped", path, _KINDS.get(stat.S_IFMT(found.st_mode), "not a regular file")
            )

    def _tell(self, kind: NoticeKind, path: str, reason: str) -> None:
        self._notice(Notice(kind, path, None, reason))
