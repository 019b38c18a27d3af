"""An open file, looked at: who it is, how it begins, and whether it is what a stream was reading.

Promises: only regular files are opened for reading; what is compressed is compared by its decompressed bytes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from jwtleak.follow.compressed import Packed, codec_of
from jwtleak.follow.descriptors import FLAGS
from jwtleak.follow.fingerprint import HEAD_STEPS, Key, Match, compare, compare_head, digest, generation
from jwtleak.follow.stream import Stream

_HEAD = HEAD_STEPS[-1]

Tell = Callable[[str, str, str], None]


class Handle:
    """A file open for reading. Raises `OSError`; `NotRegular` for a pipe, socket, device or directory."""

    def __init__(self, path: str, tell: Tell) -> None:
        self.path = path
        self.fd = os.open(path, FLAGS)
        self.packed: Packed | None = None
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
            self.packed = Packed(self.fd, self.path, codec, lambda reason: tell("damaged", self.path, reason))
            self.head = self.packed.exactly(0, _HEAD)

    @property
    def key(self) -> Key:
        """Where it is."""
        return self.found.st_dev, self.found.st_ino

    def head_is(self, stream: Stream) -> Match:
        """Whether it begins as the stream did."""
        return compare_head(self.head, stream.head_length, stream.head)

    def anchor_is(self, stream: Stream) -> Match:
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
