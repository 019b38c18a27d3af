"""The files that are held open, within a budget.

Promises: a file is closed to make room only when all of it was read and its name still leads to it; then, and only if
nothing of that kind is left, one that was not read to its end but can be opened again by its name. A file that has no name
is never closed with unread bytes.
"""

from __future__ import annotations

import os
import resource
from collections import OrderedDict
from itertools import islice

from jwtleak.follow.stream import Stream

# How many of the least recently used are looked at for one that can be closed.
_TRIES = 64

FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | getattr(os, "O_NOCTTY", 0)


def budget() -> int:
    """Half of what the system lets this process have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(4, 65536 if soft == resource.RLIM_INFINITY else soft // 2)


class Descriptors:
    """Which streams hold their file open, least recently used first."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit or budget()
        self._held: OrderedDict[str, Stream] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def keep(self, stream: Stream, fd: int) -> None:
        """The stream's file is open as `fd`; others may be closed for it."""
        self.release(stream)
        self.make_room(1)
        stream.fd = fd
        self._held[stream.name] = stream

    def use(self, stream: Stream) -> None:
        """The stream's file was used."""
        if stream.fd >= 0:
            self._held.move_to_end(stream.name)

    @property
    def roomy(self) -> bool:
        """Whether another file can be held without closing one."""
        return len(self._held) < self.limit

    def release(self, stream: Stream) -> None:
        """Close the stream's file."""
        if stream.fd >= 0:
            os.close(stream.fd)
            stream.fd = -1
            stream.packed = None
            self._held.pop(stream.name, None)

    def close(self) -> None:
        """Close all."""
        for stream in list(self._held.values()):
            self.release(stream)

    def make_room(self, count: int = 0) -> None:
        """Close what can be closed until `count` more fit."""
        while len(self._held) + count > self.limit:
            victim = self._victim()
            if victim is None:
                return
            self.release(victim)

    def _victim(self) -> Stream | None:
        """A file that can be closed: read and named, or at least named."""
        second = None
        for stream in list(islice(self._held.values(), _TRIES)):
            if not stream.named:
                continue
            if stream.caught_up and not stream.uncommitted:
                return stream
            second = second or stream
        return second
