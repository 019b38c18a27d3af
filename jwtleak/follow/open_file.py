"""An open file, looked at: who it is, how it begins, and whether it is what a stream was reading.

Promises: only regular files are opened for reading; what is compressed is compared by its
decompressed bytes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from jwtleak.follow.compressed import CompressedFile, codec_of
from jwtleak.follow.fingerprint import (
    HEAD_STEPS,
    Key,
    Match,
    compare,
    compare_head,
    digest,
    generation,
    same_generation,
)
from jwtleak.follow.stream import FLAGS, FollowedStream

_HEAD = HEAD_STEPS[-1]

Tell = Callable[[str, str, str], None]


class OpenedFile:
    """A file open for reading. Raises `OSError`; `NotRegular` for a pipe, socket, device or
    directory.
    """

    def __init__(self, path: str, tell: Tell) -> None:
        self.path = path
        self.fd = os.open(path, FLAGS)
        self.packed: CompressedFile | None = None
        try:
            self._look(tell)
        except BaseException:
            self.close()
            raise

    def _look(self, tell: Tell) -> None:
        self.found = found = os.fstat(self.fd)
        if not stat.S_ISREG(found.st_mode):
            raise NotRegularError(self.path)
        self.generation = generation(self.fd)
        self.head = os.pread(self.fd, _HEAD, 0)
        codec = codec_of(self.head) if self.head else None
        if codec is not None:
            self.packed = CompressedFile(
                self.fd, self.path, codec, lambda reason: tell("damaged", self.path, reason)
            )
            self.head = self.packed.exactly(0, _HEAD)

    @property
    def key(self) -> Key:
        """Where it is."""
        return self.found.st_dev, self.found.st_ino

    def head_is(self, stream: FollowedStream) -> Match:
        """Whether it begins as the stream did."""
        return compare_head(self.head, stream.head_length, stream.head)

    def anchor_is(self, stream: FollowedStream) -> Match:
        """Whether the bytes before the place where the stream was read to are the same."""
        length, offset = stream.anchor_length, stream.read_to - stream.anchor_length
        if self.packed is None:
            return compare(self.fd, offset, length, stream.anchor)
        if not length:
            return "none"
        data = self.packed.exactly(offset, length)
        return "same" if len(data) == length and digest(data) == stream.anchor else "differs"

    def give(self) -> int:
        """The descriptor, now the caller's."""
        fd, self.fd = self.fd, -1
        return fd

    def close(self) -> None:
        """Close it, unless it was given away."""
        if self.fd >= 0:
            os.close(self.give())


class NotRegularError(OSError):
    """There is something, but not a file."""

    def __init__(self, path: str) -> None:
        super().__init__(0, "not a regular file", path)


# Our own files: what this program writes must not be read by it.
#
# Promises: outputs are known by (device, inode), also after they were rotated away; files of the
# state are never opened.


class OwnFiles:
    """Files that this program writes, also after they were rotated and are its own no more."""

    def __init__(
        self, ask: Callable[[], frozenset[Key]], sealed: Callable[[], frozenset[Key]] = frozenset
    ) -> None:
        self._ask = ask
        self._ask_sealed = sealed
        self._sealed: frozenset[Key] | None = None
        self._now: frozenset[Key] | None = None
        self._known: dict[Key, tuple[int | None, bytes]] = {}

    def ask_again(self) -> None:
        """What is ours may have changed."""
        self._now = self._sealed = None

    def seals(self, key: Key) -> bool:
        """Whether a file must not even be opened: closing any descriptor of it lets go of SQLite's
        locks in this process (fcntl(2), "Advisory record locking").
        """
        if self._sealed is None:
            self._sealed = self._ask_sealed()
        return key in self._sealed

    def has(self, handle: OpenedFile) -> bool:
        """Whether a file is or was ours. An inode number that another file has by now does not
        count.
        """
        if self._now is None:
            self._now = self._ask()
        mark = handle.generation, digest(handle.head[: HEAD_STEPS[0]])
        if handle.key in self._now:
            self._known[handle.key] = mark
            return True
        known = self._known.get(handle.key)
        if known is None:
            return False
        return same_generation(known[0], mark[0]) and (known[0] is not None or known[1] == mark[1])
