"""One writer: the state directory belongs to the process that holds the lock on the file in it.

Promises: the lock goes with the process, however it ends, and is not passed on to processes that it
forks; who holds it is named. The file stays, since a name that is removed and made anew could be
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

# flock belongs to the open file, which fork shares: a worker that outlives its parent by a second
# would hold it on.
_held: set[int] = set()


def _after_fork() -> None:
    for fd in _held:
        with suppress(OSError):
            os.close(fd)
    _held.clear()


os.register_at_fork(after_in_child=_after_fork)


class Lock:
    """Holds the lock of `directory` until `release`. Raises `StoreError` where another process has
    it.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / NAME
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            taken = self._taken()
        except OSError:  # a file system without locks
            os.close(self._fd)
            raise
        if not taken:
            os.close(self._fd)
            holder = owner(directory)
            who = "another process" if holder is None else f"process {holder}"
            raise StoreError(f"the state in {directory} is in use by {who}") from None
        _held.add(self._fd)
        os.truncate(self._fd, 0)
        os.pwrite(self._fd, b"%d\n" % os.getpid(), 0)

    def _taken(self) -> bool:
        """Whether the lock is ours now. `owner` has it for an instant: one refusal means nothing."""
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
        """Let others have it. May be called more than once."""
        if self._fd in _held:
            _held.discard(self._fd)
            os.close(self._fd)
        self._fd = -1


def owner(directory: Path) -> int | None:
    """The process that holds the lock of `directory`; None where nobody does, or where it cannot be
    known.
    """
    try:
        fd = os.open(directory / NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Shared: two that ask at once do not take each other for the owner.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        text = os.pread(fd, 32, 0).strip()
        return int(text) if text.isdigit() else None
    else:
        return None
    finally:
        os.close(fd)
