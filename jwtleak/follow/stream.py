"""One stream: its state, every change to it, and the budget of open files.

Promises: only this module assigns a field of `FollowedStream` (a test parses the package for it).
Other modules decide, and call the transition. `Registry` calls those of paths and identity, and
`OpenFiles` those of the descriptor, because each keeps an index of them.
A file is closed to make room only when all of it was read and its path still leads to it; if there
is none, one with unread bytes that can be opened again by its path. A file without a path is never
closed with unread bytes.

    from      because                               to
    --------  ------------------------------------  --------------------------------------
    sought    its file was met                      followed, leaving or finished
    sought    it was not met at the first poll      orphan
    followed  its path leads elsewhere or nowhere   leaving; without an open file: orphan
    followed  its content was truncated away        orphan (the file begins a new stream)
    followed  a compressed file was read whole      finished
    leaving   it has a followed path again          followed
    leaving   all was read, stored, and is quiet    ended; orphan if its compressed form waits
    orphan    its rest was found                    followed, leaving or finished
    orphan    its rest was not found in time        ended
    finished  its path leads elsewhere or nowhere   orphan
"""

from __future__ import annotations

import os
import resource
from collections import OrderedDict
from itertools import islice
from typing import Literal, TypeAlias

import msgspec

from jwtleak.follow.compressed import CompressedFile
from jwtleak.follow.fingerprint import Key, digest
from jwtleak.follow.interface import Reason
from jwtleak.types import Cursor

# sought: known by a cursor, its file not met yet. followed: its path matches a target. leaving:
# read to its end from a file without such a path. orphan: no file to read from; a copy may be
# found. finished: a compressed file that was read whole, remembered so that it is not read again.
State: TypeAlias = Literal["sought", "followed", "leaving", "orphan", "finished"]


class FollowedStream(msgspec.Struct, kw_only=True, eq=False, gc=False):
    """A stream as of the last poll. `end` is how much of its file is written."""

    name: str
    path: str
    stored: Cursor  # as the caller last stored it, or as it was opened
    state: State = "sought"
    reason: Reason = "rotated"  # why it will end

    device: int = 0
    inode: int = 0
    generation: int | None = None
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    end: int = 0
    reserved: bool = False  # NUL bytes follow `end`

    head_length: int = 0
    head: bytes = b""
    read_to: int = 0
    anchor_length: int = 0  # of the bytes before `read_to`
    anchor: bytes = b""

    named: bool = False  # `path` leads to the file, so that it can be opened again
    aliases: tuple[str, ...] = ()  # other paths of the same file
    real: str = ""  # where `path` leads to, if it is a link
    fd: int = -1
    compressed: CompressedFile | None = None
    opened: bool = False  # `Opened` was emitted
    reported_size: int = 0  # in the last `Opened` or `Grown`
    uncommitted: bool = False  # bytes were read whose results are not stored yet
    stalled: bool = False  # reported bytes could not be read: report them again
    confirm: bool = False  # inspect again: it may have changed within one tick of the file's clock
    heir: bool = False  # its compressed form waits for it to end
    changed_at: float = 0.0
    left_at: float = 0.0
    lost: int = 0
    rewrites: int = 0  # in a row, without growth between

    @property
    def key(self) -> Key:
        """Device and inode of its file."""
        return self.device, self.inode

    @property
    def caught_up(self) -> bool:
        """Whether everything readable was read."""
        # The size of a compressed file says nothing: only its decompressor knows the end.
        if self.compressed is not None:
            return self.compressed.ended and self.read_to >= self.compressed.position
        return self.read_to >= self.end

    # State. `Lifecycle` calls these.

    def attach(self, state: State, now: float, *, changed_at: float | None = None) -> None:
        """Record that its file was met, and when it last changed, by default just now."""
        self.state = state
        # Also where it did not leave: a file that is opened as a rotated generation is `leaving`
        # from the start, and its quiet time begins here.
        self.left_at = now
        self.changed_at = now if changed_at is None else changed_at

    def recognize(self) -> None:
        """Record that its file is as its cursor says. It was idle, so it has no time of change."""
        self.state = "finished" if self.stored.state == "finished" else "followed"

    def follow_again(self) -> None:
        """Record that its file has a followed path again."""
        if self.state == "leaving":
            self.state = "followed"

    def leave(self, now: float, reason: Reason) -> None:
        """Record that its path leads elsewhere or nowhere; an open file is read to its end."""
        if self.state != "leaving":  # the first loss counts: `rotate_quiet` runs from there
            self.left_at, self.reason = now, reason
        if self.fd >= 0 and self.state != "finished":
            self.state = "leaving"

    def set_reason(self, reason: Reason) -> None:
        """Correct the reason: a file that is found beside its path was rotated, not removed."""
        self.reason = reason

    def truncate(self, now: float) -> None:
        """Record that its content was truncated away, and give up its inode."""
        self.left_at, self.reason = now, "truncated"
        # 0 is no inode number. The file belongs to the next generation; were the numbers kept, it
        # would be recognized as the stream's own file and be read on from the old offset.
        self.device = self.inode = 0

    def miss(self, now: float, reason: Reason) -> None:
        """Record that the first poll did not meet its file: its patience as an orphan starts."""
        self.left_at, self.reason = now, reason

    def lose(self) -> None:
        """Record that it has no file to read from."""
        self.state = "orphan"

    def expect_heir(self) -> None:
        """Record that its compressed form waits until it is read to its end."""
        self.heir = True

    def pass_on(self, now: float) -> None:
        """Let its compressed form continue it, now that it is read to its end."""
        self.heir = False
        # Patience starts now: the time since it left its path is over already, and the compressed
        # form, which may have been renamed since, is compared only later in the same poll.
        self.left_at = now

    def remember(self, cursor: Cursor) -> None:
        """Keep the cursor that identifies a finished file after a restart."""
        self.stored = cursor
        # `Ended` was emitted for it. Should its file go, another `Opened` has to come first.
        self.opened = False

    def finish(self) -> None:
        """Record that nothing is left to read in a compressed file."""
        self.state = "finished"

    # Paths and identity. `Registry` calls these, and keeps its indexes in step.

    def bind(self, key: Key, generation: int | None) -> None:
        """Record which file it is read from."""
        self.device, self.inode = key
        self.generation = generation

    def rename(self, path: str) -> None:
        """Record that `path` leads to its file."""
        self.path = path
        self.named = True

    def unname(self) -> None:
        """Record that its path does not lead to its file any more."""
        self.named = False

    def link(self, real: str) -> None:
        """Record where its path leads; empty when it is no link."""
        self.real = real

    def set_aliases(self, paths: tuple[str, ...]) -> None:
        """Replace the other paths of its file."""
        self.aliases = paths

    # The descriptor. `OpenFiles` calls these.

    def hold(self, fd: int, compressed: CompressedFile | None) -> None:
        """Record that its file is open."""
        self.fd, self.compressed = fd, compressed

    def release(self) -> None:
        """Record that its file is closed."""
        self.fd, self.compressed = -1, None

    # Content. `Lifecycle` and `Reading` call these.

    def observe(self, found: os.stat_result) -> None:
        """Record what `stat` says of its file."""
        self.size, self.mtime_ns, self.ctime_ns = (
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
        )

    def observe_metadata(self, found: os.stat_result) -> None:
        """As `observe`, where the time of change is the stored one and must stay comparable."""
        self.size, self.ctime_ns = found.st_size, found.st_ctime_ns

    def set_end(self, end: int, *, reserved: bool) -> None:
        """Record how much of it is written, and whether NUL bytes follow."""
        self.end, self.reserved = end, reserved

    def reopen_at(self, offset: int) -> None:
        """Set its end to the stored offset, so that nothing is left to read."""
        self.end = offset

    def set_confirm(self, confirm: bool) -> None:
        """Record whether it may have changed within the tick of the last poll."""
        self.confirm = confirm

    def change(self, now: float) -> None:
        """Record a change, after which another may come within the same tick."""
        # The clock of many file systems ticks so slowly that a second write leaves the same time
        # stamp: inspected once more after a tick, it cannot be missed.
        self.changed_at, self.confirm = now, True

    def lose_bytes(self, count: int) -> None:
        """Count bytes that a poll saw and that are gone unread."""
        self.lost += count

    def learn_head(self, head: bytes) -> None:
        """Keep a digest of its first bytes."""
        self.head_length, self.head = len(head), digest(head)

    def advance(self, offset: int, before: bytes) -> None:
        """Record that it was read up to `offset`; `before` are the bytes before that."""
        self.read_to = offset
        # Shorter than `ANCHOR` near the beginning of the file, so the length belongs to it.
        self.anchor_length, self.anchor = len(before), digest(before)

    def report(self) -> None:
        """Record that the caller knows of everything up to `end`."""
        self.reported_size, self.stalled = self.end, False

    def open(self) -> None:
        """Record that `Opened` was emitted. A stall stays: unread bytes are reported again."""
        self.reported_size, self.opened = self.end, True

    def stall(self) -> None:
        """Record that reported bytes could not be read, or its path not be inspected."""
        self.stalled = True

    def mark_uncommitted(self) -> None:
        """Record that bytes were read whose results are not stored yet."""
        self.uncommitted = True

    def commit(self) -> None:
        """Record that the results of everything read are stored."""
        self.uncommitted = False

    def store(self, cursor: Cursor) -> None:
        """Record the cursor that the caller stores."""
        self.stored = cursor

    def count_rewrites(self, rewrites: int) -> None:
        """Set how often in a row it was rewritten in place; 0 after growth or rotation."""
        self.rewrites = rewrites


# How many of the least recently used files are considered for closing.
_TRIES = 64

FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | getattr(os, "O_NOCTTY", 0)


def budget() -> int:
    """Return half of the open files that the system allows this process."""
    # The other half is for sinks, the store, the endpoint, and files that are opened to compare.
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(4, 65536 if soft == resource.RLIM_INFINITY else soft // 2)


class OpenFiles:
    """The streams whose file is open, least recently used first."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit or budget()
        self._open: OrderedDict[str, FollowedStream] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def keep(
        self, stream: FollowedStream, fd: int, compressed: CompressedFile | None = None
    ) -> None:
        """Keep the stream's file open as `fd`; others may be closed for it."""
        self.release(stream)
        # Room before it is registered, so that the file just opened is never the one to close.
        self.make_room(1)
        stream.hold(fd, compressed)
        self._open[stream.name] = stream

    def use(self, stream: FollowedStream) -> None:
        """Make the stream's file the most recently used."""
        if stream.fd >= 0:
            self._open.move_to_end(stream.name)

    def release(self, stream: FollowedStream) -> None:
        """Close the stream's file."""
        if stream.fd >= 0:
            os.close(stream.fd)
            stream.release()
            self._open.pop(stream.name, None)

    def close(self) -> None:
        """Close all files."""
        for stream in list(self._open.values()):
            self.release(stream)

    def make_room(self, count: int = 0) -> None:
        """Close files until `count` more fit, as far as files may be closed."""
        while len(self._open) + count > self._limit:
            victim = self._victim()
            if victim is None:
                return  # all of them would lose bytes: the budget gives way, and data does not
            self.release(victim)

    def _victim(self) -> FollowedStream | None:
        second = None
        for stream in list(islice(self._open.values(), _TRIES)):
            # Its path leads elsewhere: closed, the file could not be opened again.
            if not stream.named:
                continue
            # Uncommitted: its reader is in the middle of a round, and would open it again at once.
            if stream.caught_up and not stream.uncommitted:
                return stream
            # Closing this one costs an open and a comparison at its next read, and risks its
            # unread bytes if it is rotated away before that.
            second = second or stream
        return second
