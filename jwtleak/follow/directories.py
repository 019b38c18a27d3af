"""The directories that are followed, and what is in them.

Promises: `os.scandir` only; a directory that could not be listed keeps what was known of it, and
everything below it is `frozen`: nothing there is taken for gone. Links to directories are followed,
loops end: a directory has one path. A directory is listed when its time stamp moved, when somebody
saw something, and at times anyway.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator

import msgspec

from jwtleak.errors import reason_of
from jwtleak.follow.fingerprint import Key
from jwtleak.follow.registry import LOOKS_PER_SECOND
from jwtleak.follow.targets import Filter, Target

# A time stamp is that of the last tick (up to 10 ms) and on FAT of the last two seconds: a listing
# is only trusted for as long as the stamp stays when it was made this much later than the stamp was
# first seen.
_STEADY = 2.0
# Without events directories may be on file systems whose time stamps are remembered for a while;
# with them this is only for what the events may have missed.
_ANYWAY_EVENTS = 60.0
# Links to links to directories, deeper than any log tree.
_MAX_DEPTH = 40
_GONE = (errno.ENOENT, errno.ENOTDIR)

FILE, DIRECTORY, LINK, OTHER = range(4)


class Directory(msgspec.Struct, eq=False):
    """One directory. `entries` are inode * 4 + kind by name, at the last listing that worked."""

    path: str
    views: list[tuple[Target, str]]
    depth: int = 0
    key: Key | None = None
    entries: dict[str, int] = {}
    fresh: set[str] = set()  # names that came or changed with the last listing
    mtime_ns: int = -1
    mtime_since: float = 0.0
    listed_at: float = -1.0
    due: float = 0.0
    failure: str = ""
    events: bool = False


Tell = Callable[[str, str, str], None]


def _kind(entry: os.DirEntry[str]) -> int:
    if entry.is_symlink():
        return LINK
    if entry.is_dir(follow_symlinks=False):
        return DIRECTORY
    return FILE if entry.is_file(follow_symlinks=False) else OTHER


def listing(path: str) -> dict[str, int]:
    """Names and what they are. Raises `OSError`: an empty directory is one that could be listed."""
    with os.scandir(path) as entries:
        return {entry.name: entry.inode() * 4 + _kind(entry) for entry in entries}


class DirectoryIndex:
    """All directories below the targets."""

    def __init__(
        self,
        targets: Iterable[Target],
        chosen: Filter,
        *,
        links: bool,
        interval: float,
        pace: float,
        tell: Tell,
        well: Callable[[str], None],
    ) -> None:
        self._targets = list(targets)
        self._filter = chosen
        self._links = links
        self._interval = interval
        self._pace = pace
        self._tell = tell
        self._well = well
        self.directories: dict[str, Directory] = {}
        self._by_key: dict[Key, str] = {}
        self._next = 0.0
        for target in self._targets:
            self._enter(target.base, [(target, "")], 0)

    def takes(self, directory: Directory, name: str) -> bool:
        """Whether a file is asked for."""
        path = os.path.join(directory.path, name)
        if directory.entries.get(name, FILE) & 3 == LINK and not self._links:
            return False
        return any(self._fits(target, prefix + name, path) for target, prefix in directory.views)

    def takes_path(self, path: str) -> bool:
        """Whether a file is asked for, by its path."""
        directory = self.directories.get(os.path.dirname(path))
        return directory is not None and self.takes(directory, os.path.basename(path))

    def wants(self, path: str) -> bool:
        """Whether a path would be asked for, if it were there."""
        for target in self._targets:
            base = target.base if target.base.endswith("/") else target.base + "/"
            if path.startswith(base) and self._fits(target, path.removeprefix(base), path):
                return True
        return False

    def _fits(self, target: Target, relative: str, path: str) -> bool:
        if not target.takes(relative) or self._filter.excludes(relative, path):
            return False
        return target.plain is not None or self._filter.includes(relative, path)

    def unlist(self, path: str) -> None:
        """A name that was listed is not there any more: should it come back, it is new, even with
        the same inode number.
        """
        directory = self.directories.get(os.path.dirname(path))
        if directory is not None:
            directory.entries.pop(os.path.basename(path), None)

    def present(self) -> Iterator[str]:
        """The directories that are there."""
        return (path for path, directory in self.directories.items() if directory.key is not None)

    def frozen(self, path: str) -> bool:
        """Whether the directory of a file, or one above it, could not be looked at."""
        while (parent := os.path.dirname(path)) != path:
            directory = self.directories.get(parent)
            if directory is not None and directory.failure:
                return True
            path = parent
        return False

    def refresh(
        self, now: float, hinted: Iterable[str] = (), *, everything: bool = False
    ) -> list[Directory]:
        """List what is due; gives the directories in which something changed."""
        for path in hinted:
            if (directory := self.directories.get(path)) is not None:
                directory.due = self._next = now
                directory.mtime_ns = -1
        if not everything and now < self._next:
            return []
        changed = []
        queue = [one for one in self.directories.values() if everything or one.due <= now]
        while queue:
            directory = queue.pop()
            if self.directories.get(directory.path) is not directory:
                continue
            if self._outdated(directory, now, everything) and self._list(directory, now):
                changed.append(directory)
                queue.extend(self._children(directory))
            pace = max(self._pace, len(self.directories) / LOOKS_PER_SECOND)
            directory.due = now + (
                self._interval if directory.events else min(pace, self._interval)
            )
        self._next = min(
            (one.due for one in self.directories.values()), default=now + self._interval
        )
        return changed

    def _enter(self, path: str, views: list[tuple[Target, str]], depth: int) -> Directory | None:
        """Take a directory in, or add a view to it; gives it if it is new."""
        known = self.directories.get(path)
        if known is None:
            known = self.directories[path] = Directory(path, list(views), depth)
            return known
        fresh = [view for view in views if view not in known.views]
        known.views.extend(fresh)
        known.listed_at = -1.0 if fresh else known.listed_at
        return known if fresh else None

    def _outdated(self, directory: Directory, now: float, everything: bool) -> bool:
        """Whether the listing cannot be trusted; sees to its time stamp and identity."""
        try:
            found = os.stat(directory.path)
        except OSError as error:
            self._failed(directory, error)
            return False
        key = found.st_dev, found.st_ino
        if not stat.S_ISDIR(found.st_mode) or (directory.depth and self._elsewhere(directory, key)):
            self._forget(directory)
            return False
        if key != directory.key:
            self._by_key.pop(directory.key or (-1, -1), None)
            self._by_key.setdefault(key, directory.path)
            directory.key = key
            directory.mtime_ns = -1
        if found.st_mtime_ns != directory.mtime_ns:
            directory.mtime_ns, directory.mtime_since = found.st_mtime_ns, now
            return True
        anyway = _ANYWAY_EVENTS if directory.events else self._interval
        steady = directory.listed_at - directory.mtime_since >= _STEADY
        return (
            everything
            or bool(directory.failure)
            or not steady
            or now - directory.listed_at >= anyway
        )

    def _elsewhere(self, directory: Directory, key: Key) -> bool:
        """Whether the same directory is followed under another path, which still leads to it."""
        other = self._by_key.get(key, directory.path)
        if other == directory.path:
            return False
        try:
            found = os.stat(other)
        except OSError:
            found = None
        if found is not None and (found.st_dev, found.st_ino) == key:
            return True
        del self._by_key[key]
        return False

    def _list(self, directory: Directory, now: float) -> bool:
        """List again; whether something is new."""
        try:
            entries = listing(directory.path)
        except OSError as error:
            self._failed(directory, error)
            return False
        first = directory.listed_at < 0
        if directory.failure:
            self._well(directory.path)
        directory.failure = ""
        directory.listed_at = now
        before = {} if first else directory.entries
        if entries == before and not first:
            return False
        directory.fresh = {name for name, code in entries.items() if before.get(name) != code}
        directory.entries = entries
        return True

    def _children(self, directory: Directory) -> list[Directory]:
        """The directories in it that are new and may hold something."""
        found = []
        for name in directory.fresh:
            kind = directory.entries[name] & 3
            if (
                kind in (FILE, OTHER)
                or (kind == LINK and not self._links)
                or directory.depth >= _MAX_DEPTH
            ):
                continue
            path = os.path.join(directory.path, name)
            views = [
                (target, f"{prefix}{name}/")
                for target, prefix in directory.views
                if target.enters(prefix + name) and not self._filter.excludes(prefix + name, path)
            ]
            if views and (kind == DIRECTORY or os.path.isdir(path)):
                child = self._enter(path, views, directory.depth + 1)
                if child is not None:
                    found.append(child)
                elif (known := self.directories.get(path)) is not None:
                    known.mtime_ns = -1
                    found.append(known)
        return found

    def _failed(self, directory: Directory, error: OSError) -> None:
        """It is gone, or it could not be looked at: two different things."""
        if error.errno in _GONE:
            self._forget(directory)
            return
        directory.failure = reason_of(error)
        self._tell("unreadable", directory.path, directory.failure)

    def _forget(self, directory: Directory) -> None:
        """A directory is gone. What a user named is waited for."""
        if directory.key is not None and self._by_key.get(directory.key) == directory.path:
            del self._by_key[directory.key]
        if directory.depth:
            del self.directories[directory.path]
            return
        directory.key, directory.entries, directory.fresh = None, {}, set()
        directory.mtime_ns, directory.listed_at, directory.failure = -1, -1.0, ""
