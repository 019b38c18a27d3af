"""The files below the paths that a user names.

Promises: sorted by the bytes of their names, hidden ones too; symbolic links are followed, loops
end, and no file comes twice because a link also leads to it. Pipes, devices and sockets are
reported and never opened. `os.scandir` only: `os.walk` and `glob` turn EACCES and EMFILE into an
empty directory.

How each file comes once without remembering every file: a real tree has no loops, so links are not
followed while a tree is walked. A link that leads into a tree being walked adds nothing and is
passed over; one that leads outside opens a tree of its own, at the place of the link. Memory is
thus the names of one directory per level, which is what sorting needs, and one path per link that
leads outside.

    named: logs/        logs/a.log      yield
                        logs/again ->   logs/a.log    in a tree that is walked: nothing
                        logs/app/       walked in its turn
                        logs/ext ->     /srv/ext      a tree of its own, shown as logs/ext/...
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from jwtleak.errors import reason_of
from jwtleak.sources.globs import GlobFilter
from jwtleak.sources.interface import Entry, Notice, NoticeKind, Notify

_KINDS = {
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}

# A file, or the walk of a directory that comes in its place.
_Found: TypeAlias = "Entry | Iterator[_Found]"


def walk(
    paths: Iterable[str], choose: GlobFilter | None = None, *, notice: Notify
) -> Iterator[Entry]:
    """Every regular file at or below `paths` that `choose` wants, once, lazily."""
    named = list(dict.fromkeys(paths))
    return _Walk(choose or GlobFilter(), notice, named).run(named)


class _Walk:
    def __init__(self, choose: GlobFilter, notice: Notify, named: list[str]) -> None:
        self._choose = choose
        self._notice = notice
        # Real directories that are each walked on their own; a walk that reaches another's root
        # passes it over.
        self._roots = {os.path.realpath(path) for path in named if os.path.isdir(path)}
        self._done: set[str] = set()
        # Real paths of files that came because a link or the user named them.
        self._linked: set[str] = set()

    def run(self, named: list[str]) -> Iterator[Entry]:
        for path in named:
            try:
                found = os.stat(path)
            except (OSError, ValueError) as error:
                self._report("unreadable", path, reason_of(error))
                continue
            # A named directory is walked whatever the globs say of its own name; a named file has
            # to match like any other.
            base = os.path.basename(path.rstrip("/")) or path
            if stat.S_ISDIR(found.st_mode):
                yield from self._tree(path, os.path.realpath(path))
            elif self._choose.matches(base) and not self._reached(path):
                yield from self._file(path, found)

    def _tree(self, shown: str, real: str) -> Iterator[Entry]:
        # Two names of one directory: the first that is met shows it.
        if real in self._done:
            return
        self._done.add(real)
        # A stack of iterators and no recursion: trees may be deeper than Python's stack.
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
            self._report("unreadable", shown, reason_of(error))
            return
        for entry in entries:
            below = relative + entry.name
            try:
                yield from self._entry(entry, os.path.join(real, entry.name), below)
            except OSError as error:
                # One entry that vanished, or a link to nothing, does not end its directory.
                self._report("unreadable", entry.path, reason_of(error))

    def _entry(self, entry: os.DirEntry[str], real: str, relative: str) -> Iterator[_Found]:
        if entry.is_symlink():
            yield from self._link(entry, relative)
        elif entry.is_dir(follow_symlinks=False):
            if self._choose.enters(relative) and real not in self._roots:
                yield self._names(entry.path, real, relative + "/")
        elif self._choose.matches(relative) and real not in self._linked:
            yield from self._file(entry.path, entry.stat())

    def _link(self, entry: os.DirEntry[str], relative: str) -> Iterator[_Found]:
        found = entry.stat()
        if stat.S_ISDIR(found.st_mode):
            real = os.path.realpath(entry.path)
            if self._choose.enters(relative) and not self._covered(real):
                # From now on this tree is walked: later links into it add nothing.
                self._roots.add(real)
                yield self._tree(entry.path, real)
        elif self._choose.matches(relative) and not self._reached(entry.path):
            yield from self._file(entry.path, found)

    def _covered(self, real: str) -> bool:
        """Whether a directory lies in a tree that is walked anyway."""
        return any(self._choose.descends(below) for below in self._below_roots(real))

    def _reached(self, path: str) -> bool:
        """Whether a file comes anyway: in the walk of its tree, or for an earlier link to it.
        Remembers it if not.
        """
        real = os.path.realpath(path)
        if real in self._linked or any(
            self._choose.reaches(below) for below in self._below_roots(real)
        ):
            return True
        self._linked.add(real)
        return False

    def _below_roots(self, real: str) -> Iterator[str]:
        """The path relative to the nearest root above it, if there is one: the walk of that root
        reaches it.
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
            self._report(
                "skipped", path, _KINDS.get(stat.S_IFMT(found.st_mode), "not a regular file")
            )

    def _report(self, kind: NoticeKind, path: str, reason: str) -> None:
        self._notice(Notice(kind, path, None, reason))
