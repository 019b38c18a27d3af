"""One writer: the state directory belongs to the process that holds the lock on a file in it.

Promises: the lock ends with the process, however it ends, and is not inherited by processes that it
forks; a refusal names the holder. The file stays: a name that is removed and made again could be
locked twice.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from jwtleak.errors import StoreError

NAME = "lock"

# Seconds between attempts.
_WAITS = (0.02, 0.05)

# flock belongs to the open file, which a fork shares: a worker that outlives its parent by a second
# would keep the lock.
_held: set[int] = set()


def _after_fork() -> None:
    for fd in _held:
        with suppress(OSError):
            os.close(fd)
    _held.clear()


os.register_at_fork(after_in_child=_after_fork)


class Lock:
    """Holds the lock of `directory` until `release`. Raises `StoreError` if another process holds
    it.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / NAME
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            acquired = self._acquired()
        except OSError:  # a file system without locks
            os.close(self._fd)
            raise
        if not acquired:
            os.close(self._fd)
            holder = owner(directory)
            who = "another process" if holder is None else f"process {holder}"
            raise StoreError(f"the state in {directory} is in use by {who}") from None
        _held.add(self._fd)
        os.truncate(self._fd, 0)
        os.pwrite(self._fd, b"%d\n" % os.getpid(), 0)

    def _acquired(self) -> bool:
        """Whether the lock is ours now."""
        # Not at the first refusal: `owner` holds a shared lock for an instant when somebody asks.
        for wait in (*_WAITS, None):
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if wait is not None:
                    time.sleep(wait)
            else:
                return True
        return False

    def release(self) -> None:
        """Release the lock. May be called more than once."""
        if self._fd in _held:
            _held.discard(self._fd)
            os.close(self._fd)
        self._fd = -1


def owner(directory: Path) -> int | None:
    """The process that holds the lock of `directory`; None if nobody does, or if that cannot be
    found out.
    """
    try:
        fd = os.open(directory / NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Shared: two callers at once do not mistake each other for the owner.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        text = os.pread(fd, 32, 0).strip()
        return int(text) if text.isdigit() else None
    else:
        return None
    finally:
        os.close(fd)
