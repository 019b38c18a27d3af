"""What is known of one stream between two looks."""

from __future__ import annotations

import os
import resource
from collections import OrderedDict
from itertools import islice
from typing import Literal, TypeAlias

import msgspec

from jwtleak.follow.compressed import CompressedFile
from jwtleak.follow.fingerprint import Key
from jwtleak.follow.interface import Reason
from jwtleak.types import Cursor

# sought: has a cursor, was not met yet; followed: its name is one that is asked for; leaving: it is
# read to its end from a file that has no such name any more; orphan: there is nothing to read it
# from, perhaps a copy is found; finished: a compressed file that was read whole, kept so that it is
# not read again.
State: TypeAlias = Literal["sought", "followed", "leaving", "orphan", "finished"]


class FollowedStream(msgspec.Struct, kw_only=True, eq=False, gc=False):
    """A stream. `size` and times are those of the last look; `end` is how much of it is written."""

    name: str
    path: str
    stored: Cursor  # as the caller last stored it, or as it was opened
    state: State = "sought"
    reason: Reason = "rotated"

    device: int = 0
    inode: int = 0
    generation: int | None = None
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    end: int = 0
    reserved: bool = False  # NUL bytes stood behind `end` at the last look

    head_length: int = 0
    head: bytes = b""
    read_to: int = 0
    anchor_length: int = 0  # of the bytes before `read_to`
    anchor: bytes = b""

    named: bool = False  # `path` leads to the file, so that it can be opened again
    aliases: list[str] = []  # other names of the same file
    real: str = ""  # where `path` leads to, if it is a link
    fd: int = -1
    packed: CompressedFile | None = None
    opened: bool = False  # the caller knows of it
    told: int = 0  # the size that the caller was told
    uncommitted: bool = False
    stalled: bool = False
    confirm: bool = (
        False  # it changed, perhaps again within the same tick of the file system's clock
    )
    changed_at: float = 0.0
    left_at: float = 0.0
    lost: int = 0
    rewrites: int = 0  # in a row, without growth between

    @property
    def key(self) -> Key:
        """Where its file is."""
        return self.device, self.inode

    @property
    def caught_up(self) -> bool:
        """Whether all that can be read was read."""
        if self.packed is not None:
            return self.packed.ended and self.read_to >= self.packed.position
        return self.read_to >= self.end


# The files that are held open, within a budget.
#
# Promises: a file is closed to make room only when all of it was read and its name still leads to
# it; then, and only if nothing of that kind is left, one that was not read to its end but can be
# opened again by its name. A file that has no name is never closed with unread bytes.

# How many of the least recently used are looked at for one that can be closed.
_TRIES = 64

FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | getattr(os, "O_NOCTTY", 0)


def budget() -> int:
    """Half of what the system lets this process have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(4, 65536 if soft == resource.RLIM_INFINITY else soft // 2)


class OpenFiles:
    """Which streams hold their file open, least recently used first."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit or budget()
        self._held: OrderedDict[str, FollowedStream] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def keep(self, stream: FollowedStream, fd: int) -> None:
        """The stream's file is open as `fd`; others may be closed for it."""
        self.release(stream)
        self.make_room(1)
        stream.fd = fd
        self._held[stream.name] = stream

    def use(self, stream: FollowedStream) -> None:
        """The stream's file was used."""
        if stream.fd >= 0:
            self._held.move_to_end(stream.name)

    @property
    def roomy(self) -> bool:
        """Whether another file can be held without closing one."""
        return len(self._held) < self.limit

    def release(self, stream: FollowedStream) -> None:
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

    def _victim(self) -> FollowedStream | None:
        """A file that can be closed: read and named, or at least named."""
        second = None
        for stream in list(islice(self._held.values(), _TRIES)):
            if not stream.named:
                continue
            if stream.caught_up and not stream.uncommitted:
                return stream
            second = second or stream
        return second
