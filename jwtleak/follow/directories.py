"""The directories that are followed, and their entries.

Promises: `os.scandir` only. A directory that could not be listed keeps its last entries, and
everything below it is `frozen`: nothing there counts as gone. Links to directories are followed,
and loops end: a directory is followed under one path. A directory is listed when its time stamp
moved, when a hint came, and once in a while anyway.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator

import msgspec

from jwtleak.errors import reason_of
from jwtleak.follow.fingerprint import Key
from jwtleak.follow.registry import POLLS_PER_SECOND
from jwtleak.follow.targets import Filter, Target

# A time stamp is that of the last tick of the clock: up to 10 ms ago, on FAT two seconds. A listing
# made so much later than the stamp was first seen holds for as long as the stamp stays.
_STEADY = 2.0
# Where events come, listing anyway is only for what they may have missed. Where none come, the file
# system may cache time stamps, and `interval` is used instead.
_ANYWAY_EVENTS = 60.0
# Links to links to directories: deeper than any log tree.
_MAX_DEPTH = 40
_GONE = (errno.ENOENT, errno.ENOTDIR)

FILE, DIRECTORY, LINK, OTHER = range(4)


class Directory(msgspec.Struct, eq=False):
    """One directory. `entries` maps names to inode * 4 + kind, as of the last complete listing."""

    path: str
    views: list[tuple[Target, str]]  # targets that reach it, with its path below each one's base
    depth: int = 0  # 0: a target's base
    key: Key | None = None
    entries: dict[str, int] = {}
    fresh: set[str] = set()  # names that are new or changed in the last listing
    mtime_ns: int = -1
    mtime_since: float = 0.0
    listed_at: float = -1.0
    due: float = 0.0
    failure: str = ""
    events: bool = False


def _kind(entry: os.DirEntry[str]) -> int:
    if entry.is_symlink():
        return LINK
    if entry.is_dir(follow_symlinks=False):
        return DIRECTORY
    return FILE if entry.is_file(follow_symlinks=False) else OTHER


def listing(path: str) -> dict[str, int]:
    """Return the entries of a directory. Raises `OSError`: no error looks like an empty one."""
    with os.scandir(path) as entries:
        return {entry.name: entry.inode() * 4 + _kind(entry) for entry in entries}


class DirectoryIndex:
    """All directories below the targets.

    `interval` is the time between two checks where events come, `pace` where none come (s).
    """

    def __init__(
        self,
        targets: Iterable[Target],
        chosen: Filter,
        *,
        links: bool,
        interval: float,
        pace: float,
        report: Callable[[str, str, str], None],
        recovered: Callable[[str], None],
    ) -> None:
        self._targets = list(targets)
        self._filter = chosen
        self._links = links
        self._interval = interval
        self._pace = pace
        self._report = report
        self._recovered = recovered
        self._directories: dict[str, Directory] = {}
        self._by_key: dict[Key, str] = {}
        self._next = 0.0
        for target in self._targets:
            self._enter(target.base, [(target, "")], 0)

    def __len__(self) -> int:
        return len(self._directories)

    def __contains__(self, path: str) -> bool:
        return path in self._directories

    def get(self, path: str) -> Directory | None:
        """Return a followed directory."""
        return self._directories.get(path)

    def matches(self, directory: Directory, name: str) -> bool:
        """Return whether a file in a directory matches a target."""
        path = os.path.join(directory.path, name)
        # An unlisted name counts as a file: it is asked for before the listing shows it.
        if directory.entries.get(name, FILE) & 3 == LINK and not self._links:
            return False
        return any(self._fits(target, prefix + name, path) for target, prefix in directory.views)

    def matches_path(self, path: str) -> bool:
        """Return whether a file in a followed directory matches a target."""
        directory = self._directories.get(os.path.dirname(path))
        return directory is not None and self.matches(directory, os.path.basename(path))

    def would_match(self, path: str) -> bool:
        """Return whether a path matches a target, even if its directory is not there."""
        for target in self._targets:
            base = target.base if target.base.endswith("/") else target.base + "/"
            if path.startswith(base) and self._fits(target, path.removeprefix(base), path):
                return True
        return False

    def _fits(self, target: Target, relative: str, path: str) -> bool:
        if not target.matches(relative) or self._filter.excludes(relative, path):
            return False
        # A file named by the user is followed, whatever `include` says.
        return target.plain is not None or self._filter.includes(relative, path)

    def unlist(self, path: str) -> None:
        """Forget a name that is gone, so that it is new when it comes back, whatever its inode."""
        directory = self._directories.get(os.path.dirname(path))
        if directory is not None:
            directory.entries.pop(os.path.basename(path), None)

    def present(self) -> Iterator[str]:
        """Yield the directories that exist."""
        return (path for path, directory in self._directories.items() if directory.key is not None)

    def set_coverage(self, covered: frozenset[str]) -> None:
        """Record the directories that events come from."""
        for directory in self._directories.values():
            directory.events = directory.path in covered

    def frozen(self, path: str) -> bool:
        """Return whether the directory of a file, or one above it, could not be listed."""
        # The whole way up: when `/var/log` cannot be listed, `/var/log/app` cannot be found gone.
        while (parent := os.path.dirname(path)) != path:
            directory = self._directories.get(parent)
            if directory is not None and directory.failure:
                return True
            path = parent
        return False

    def refresh(
        self, now: float, hinted: Iterable[str] = (), *, everything: bool = False
    ) -> list[Directory]:
        """List what is due; return the directories with new or changed names."""
        for path in hinted:
            if (directory := self._directories.get(path)) is not None:
                directory.due = self._next = now
                # A hint can come within the tick of the last listing: the stamp proves nothing.
                directory.mtime_ns = -1
        # Most polls end here. To ask each directory whether it is due would be a walk over all of
        # them, once for every event.
        if not everything and now < self._next:
            return []
        changed = []
        queue = [
            directory
            for directory in self._directories.values()
            if everything or directory.due <= now
        ]
        while queue:
            directory = queue.pop()
            # It may have been found gone, or replaced, since it was queued.
            if self._directories.get(directory.path) is not directory:
                continue
            if self._outdated(directory, now, everything) and self._list(directory, now):
                changed.append(directory)
                # A new directory is listed in the same poll: a rotation into it is not missed.
                queue.extend(self._children(directory))
            pace = max(self._pace, len(self._directories) / POLLS_PER_SECOND)
            directory.due = now + (
                self._interval if directory.events else min(pace, self._interval)
            )
        self._next = min(
            (directory.due for directory in self._directories.values()),
            default=now + self._interval,
        )
        return changed

    def _enter(self, path: str, views: list[tuple[Target, str]], depth: int) -> Directory | None:
        """Follow a directory, or add views to it; return it if it has to be listed."""
        known = self._directories.get(path)
        if known is None:
            known = self._directories[path] = Directory(path, list(views), depth)
            return known
        fresh = [view for view in views if view not in known.views]
        known.views.extend(fresh)
        # Names that no target matched before may match the new one: all of them count as new.
        known.listed_at = -1.0 if fresh else known.listed_at
        return known if fresh else None

    def _outdated(self, directory: Directory, now: float, everything: bool) -> bool:
        """Return whether the listing may be wrong; update time stamp and identity."""
        try:
            found = os.stat(directory.path)
        except OSError as error:
            self._failed(directory, error)
            return False
        key = found.st_dev, found.st_ino
        # A base is what the user named: it is followed even where another path leads to it.
        if not stat.S_ISDIR(found.st_mode) or (directory.depth and self._elsewhere(directory, key)):
            self._forget(directory)
            return False
        # Another directory has the path: renamed, mounted over, or a link that was swapped.
        if key != directory.key:
            self._by_key.pop(directory.key or (-1, -1), None)
            self._by_key.setdefault(key, directory.path)
            directory.key = key
            directory.mtime_ns = -1
        if found.st_mtime_ns != directory.mtime_ns:
            # Remembered before the listing: a change in between moves the stamp again, and costs
            # one more listing instead of being missed.
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
        """Return whether the same directory is followed under another path that still leads to it.

        This is where loops of links end.
        """
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
        """List a directory; return whether anything is new."""
        try:
            entries = listing(directory.path)
        except OSError as error:
            self._failed(directory, error)
            return False
        # Only a complete listing replaces the entries and ends the failure.
        first = directory.listed_at < 0
        if directory.failure:
            self._recovered(directory.path)
        directory.failure = ""
        directory.listed_at = now
        before = {} if first else directory.entries
        if entries == before and not first:
            return False
        # By inode and kind: a name that leads to another file than before is new as well.
        directory.fresh = {name for name, code in entries.items() if before.get(name) != code}
        directory.entries = entries
        return True

    def _children(self, directory: Directory) -> list[Directory]:
        """Return the new directories in a directory below which a target may match."""
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
            # A link may lead to a file; `stat` is asked only where a target may match below.
            if views and (kind == DIRECTORY or os.path.isdir(path)):
                child = self._enter(path, views, directory.depth + 1)
                if child is not None:
                    found.append(child)
                elif (known := self._directories.get(path)) is not None:
                    # Its name leads to another directory now, whose stamp may be equal by chance.
                    known.mtime_ns = -1
                    found.append(known)
        return found

    def _failed(self, directory: Directory, error: OSError) -> None:
        # Gone, or not readable now: only the first may end streams.
        if error.errno in _GONE:
            self._forget(directory)
            return
        directory.failure = reason_of(error)
        self._report("unreadable", directory.path, directory.failure)

    def _forget(self, directory: Directory) -> None:
        """Forget a directory that is gone; wait for it if it is a target's base."""
        if directory.key is not None and self._by_key.get(directory.key) == directory.path:
            del self._by_key[directory.key]
        # Found below a target, so the listing of its parent finds it again if it comes back.
        if directory.depth:
            del self._directories[directory.path]
            return
        directory.key, directory.entries, directory.fresh = None, {}, set()
        directory.mtime_ns, directory.listed_at, directory.failure = -1, -1.0, ""
