"""Where somebody saw a change, until the next look.

Promises: safe for threads and, but for `add`, for signal handlers; bounded: beyond `MAX_HINTS` names everything is to be
looked at. A hint is never more than a reason to look.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading

# A look at everything costs about as much as so many single looks.
MAX_HINTS = 4096


class Hints:
    """A bounded set of paths, and a way to wait for the first of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._all = False
        # A pipe and not a `threading.Event`: the lock in that one cannot be taken twice, as a signal handler might.
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._poll = select.poll()
        self._poll.register(self._reader, select.POLLIN)

    def add(self, path: str) -> None:
        """Something happened at `path`."""
        with self._lock:
            quiet = not self._paths and not self._all
            if len(self._paths) < MAX_HINTS:
                self._paths.add(path)
            else:
                self._all = True
        if quiet:
            self.wake()

    def add_all(self) -> None:
        """Something happened somewhere."""
        with self._lock:
            self._all = True
        self.wake()

    def wake(self) -> None:
        """End the present or the next `wait`."""
        with contextlib.suppress(OSError):  # full: it will wake; closed: nobody waits
            os.write(self._writer, b"!")

    def wait(self, seconds: float) -> None:
        """Until something is added, `wake`, or the time is over."""
        self._poll.poll(max(0.0, seconds) * 1000)
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._reader, 4096)) == 4096:
                pass

    def take(self) -> tuple[set[str], bool]:
        """What was added since the last time, and whether that was too much to remember."""
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
