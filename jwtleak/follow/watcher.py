"""File events as hints: reasons to poll, directory by directory.

Promises: an event only ever becomes a hint. A directory from which none can come (limits, remote
file systems, no inotify) is polled, which is reported once, with the reason. After the kernel
dropped events everything is due. `Hints` is bounded and safe for threads, `wake` also for signal
handlers. Refuses: recursive watches, since watchdog silently leaves out the directories
that it could not add.

    kernel -- inotify --> watchdog's threads -- add(path) --> Hints <-- drain -- Follower.poll
                                 |                              |
                     dropped: a warning in its log -- add_all --+-- pipe --> Follower.wait
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)

from jwtleak.errors import reason_of
from jwtleak.follow.interface import WatchMode
from jwtleak.follow.mounts import remote_type

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver, EventEmitter, ObservedWatch

# Inspecting everything costs about as much as inspecting so many single paths.
MAX_HINTS = 4096


class Hints:
    """A bounded set of paths, and a way to wait for the first of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._all = False
        # A pipe and not a `threading.Event`: a signal handler could try to acquire the event's
        # lock while its own thread holds it.
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._poll = select.poll()
        self._poll.register(self._reader, select.POLLIN)

    def add(self, path: str) -> None:
        """Hint that `path` may have changed."""
        with self._lock:
            # Only the first hint writes to the pipe: a busy directory makes thousands a second.
            quiet = not self._paths and not self._all
            if len(self._paths) < MAX_HINTS:
                self._paths.add(path)
            else:
                self._all = True
        if quiet:
            self.wake()

    def add_all(self) -> None:
        """Hint that anything may have changed."""
        # Called by watchdog's logging, from any of its threads.
        with self._lock:
            self._all = True
        self.wake()

    def wake(self) -> None:
        """End the current or the next `wait`."""
        # A full pipe wakes the reader anyway; with a closed one nobody waits.
        with contextlib.suppress(OSError):
            os.write(self._writer, b"!")

    def wait(self, seconds: float) -> None:
        """Block until a hint or `wake`, at most for `seconds`."""
        # Emptied whatever ended the wait: a byte that is left would end the next one at once.
        self._poll.poll(max(0.0, seconds) * 1000)
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._reader, 4096)) == 4096:
                pass

    def drain(self) -> tuple[set[str], bool]:
        """Remove and return the hinted paths, and whether there were too many to keep."""
        # In one step with the reset: a hint between the two would be lost.
        with self._lock:
            paths, everything = self._paths, self._all
            self._paths, self._all = set(), False
        return paths, everything

    def close(self) -> None:
        """Close the pipe; later hints are lost."""
        if self._reader >= 0:
            self._poll.unregister(self._reader)
            os.close(self._reader)
            os.close(self._writer)
            self._reader = self._writer = -1


# Only changes: our own reads make events of opening and closing.
_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    DirCreatedEvent,
    DirMovedEvent,
]

# watchdog runs a thread for each watched directory, at some 25 KiB. Further directories are polled.
MAX_WATCHED = 1000
# How often a directory that could not be watched is tried again (s): limits are raised, mounts
# change.
_RETRY = 60.0

_LIMITS = {
    errno.ENOSPC: "no inotify watch is left (fs.inotify.max_user_watches)",
    errno.EMFILE: "no inotify instance is left (fs.inotify.max_user_instances)",
}

ReportMode = Callable[[str, WatchMode, str], None]


class _Overflow(logging.Handler):
    """watchdog reports an overflow only in its log."""

    def __init__(self, overflowed: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._overflowed = overflowed

    def emit(self, record: logging.LogRecord) -> None:
        """Count any warning of watchdog: events may be missing."""
        self._overflowed()


class _Handler(FileSystemEventHandler):
    """Called by watchdog for each event, from its own thread."""

    def __init__(self, hints: Hints) -> None:
        self._hints = hints

    def dispatch(self, event: FileSystemEvent) -> None:
        """Hint at the file, and at its directory too when names changed."""
        for path in (event.src_path, event.dest_path):
            if not path:
                continue
            path = os.fsdecode(path)
            self._hints.add(path)
            # A new name concerns its directory: that is listed in the next poll.
            if event.event_type != "modified":
                self._hints.add(os.path.dirname(path))


class Watcher:
    """Watches directories. Events come from those in `covered`."""

    def __init__(self, hints: Hints, report: ReportMode, *, poll: bool) -> None:
        self._hints = hints
        self._report = report
        self._observer: BaseObserver | None = None
        self._reason = "asked for"  # why everything is polled, when it is
        self._poll = poll
        self._started = False
        self._watches: dict[str, tuple[ObservedWatch, tuple[int, int]]] = {}
        self._modes: dict[str, WatchMode] = {}
        self._retry_at: dict[str, float] = {}
        self._handler = _Handler(hints)
        self._logged = _Overflow(self._overflow)
        self.covered: frozenset[str] = frozenset()
        self.overflows = 0

    def start(self) -> None:
        """Start watching, if the system allows it."""
        if self._started:
            return
        self._started = True
        if self._poll:
            return
        # Before the first watch, whose first events can overflow already.
        logging.getLogger("watchdog").addHandler(self._logged)
        try:
            # Imported here: the import itself fails where inotify is missing.
            from watchdog.observers import Observer

            self._observer = Observer()
            self._observer.start()
        # A limit, a seccomp filter, a platform without events: polling works with all of them.
        except Exception as error:
            self._reason = _why(error)
            self._observer = None

    def close(self) -> None:
        """Stop all threads."""
        logging.getLogger("watchdog").removeHandler(self._logged)
        if self._observer is not None:
            self._observer.stop()
            # Joined before the pipe is closed: a late event would write to a descriptor that may
            # belong to another file by then.
            self._observer.join()
            self._observer = None
        self._watches.clear()
        self.covered = frozenset()

    def modes(self) -> dict[WatchMode, int]:
        """Return the number of directories by mode."""
        counts: dict[WatchMode, int] = {}
        for mode in self._modes.values():
            counts[mode] = counts.get(mode, 0) + 1
        return counts

    def sync(self, directories: Iterable[str], now: float) -> None:
        """Watch these directories and no others; report each change of mode."""
        if not self._started:
            return
        wanted = set(directories)
        # watchdog's thread ends when its directory is removed, and does not say so.
        alive = {id(emitter.watch) for emitter in self._emitters() if emitter.is_alive()}
        for path, (watch, key) in list(self._watches.items()):
            # A watch belongs to a directory, not to its path, which may lead to another by now.
            if path not in wanted or id(watch) not in alive or _key(path) != key:
                self._unwatch(path)
        for path in [path for path in self._modes if path not in wanted]:
            del self._modes[path]
            self._retry_at.pop(path, None)
        # Sorted: which directories stay below the limit must not change from call to call.
        for path in sorted(wanted - self._watches.keys()):
            if self._retry_at.get(path, now) <= now:
                self._watch(path, now)
        self.covered = frozenset(self._watches)

    def _emitters(self) -> set[EventEmitter]:
        return self._observer.emitters if self._observer is not None else set()

    def _watch(self, path: str, now: float) -> None:
        reason = self._obstacle(path)
        if not reason and (key := _key(path)) is not None and self._observer is not None:
            try:
                watch = self._observer.schedule(
                    self._handler, path, event_filter=_EVENTS, follow_symlink=True
                )
            except Exception as error:  # a limit, or the directory has just been removed
                reason = _why(error)
            else:
                self._watches[path] = watch, key
                # Changes before the watch was there made no event.
                self._hints.add(path)
        self._retry_at[path] = now + _RETRY
        mode: WatchMode = "polling" if reason else "events"
        if self._modes.get(path) != mode:
            self._modes[path] = mode
            self._report(path, mode, reason)

    def _obstacle(self, path: str) -> str:
        if self._observer is None:
            return self._reason
        if len(self._watches) >= MAX_WATCHED:
            return f"more than {MAX_WATCHED} directories"
        # A watch there would be accepted and stay silent about what other hosts write.
        kind = remote_type(path)
        return f"no events from a file system of type {kind}" if kind else ""

    def _unwatch(self, path: str) -> None:
        watch, _ = self._watches.pop(path)
        self._retry_at.pop(path, None)
        if self._observer is not None:
            try:
                self._observer.unschedule(watch)
            except (KeyError, OSError):
                # Its directory is gone, and watchdog has dropped the watch. A path of the same
                # name may exist again, with changes that made no event.
                self._hints.add(path)

    def _overflow(self) -> None:
        # Which names were dropped is not known: only inspecting everything makes up for it.
        self.overflows += 1
        self._hints.add_all()


def _key(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _why(error: Exception) -> str:
    # A limit gets the name of its setting, since the system's words mislead: ENOSPC is "no space
    # left on device".
    if isinstance(error, OSError):
        return _LIMITS.get(error.errno or 0, reason_of(error))
    return f"file events do not work here ({type(error).__name__})"
