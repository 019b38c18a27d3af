"""An open file: its identity, how it begins, whether it continues a stream, whether it is our own.

Promises: only regular files are opened. A compressed file is compared by its decompressed bytes.
What this program writes is recognized by device and inode, also after it was rotated away; files of
the state are never even opened.
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

Report = Callable[[str, str, str], None]  # kind of trouble, path, reason


class NotRegularError(OSError):
    """The path leads to a pipe, socket, device or directory."""

    def __init__(self, path: str) -> None:
        super().__init__(0, "not a regular file", path)


class OpenedFile:
    """A file open for reading. Raises `OSError`; `NotRegularError` for anything but a file."""

    def __init__(self, path: str, report: Report) -> None:
        self.path = path
        self.fd = os.open(path, FLAGS)
        self.compressed: CompressedFile | None = None
        # Nobody else knows the descriptor yet: an interrupt in here would leak it.
        try:
            self._inspect(report)
        except BaseException:
            self.close()
            raise

    def _inspect(self, report: Report) -> None:
        # All facts come from the descriptor: the path may lead to another file by now.
        self.found = found = os.fstat(self.fd)
        if not stat.S_ISREG(found.st_mode):
            raise NotRegularError(self.path)
        self.generation = generation(self.fd)
        self.head = os.pread(self.fd, _HEAD, 0)
        # By content, not by suffix: rotation scripts name compressed files as they like.
        codec = codec_of(self.head) if self.head else None
        if codec is not None:
            self.compressed = CompressedFile(
                self.fd, self.path, codec, lambda reason: report("damaged", self.path, reason)
            )
            # The stream's head is that of its plain bytes, whatever form its file has by now.
            self.head = self.compressed.exactly(0, _HEAD)

    @property
    def key(self) -> Key:
        """Device and inode."""
        return self.found.st_dev, self.found.st_ino

    def compare_head(self, stream: FollowedStream) -> Match:
        """Return whether it begins as the stream does."""
        return compare_head(self.head, stream.head_length, stream.head)

    def compare_anchor(self, stream: FollowedStream) -> Match:
        """Return whether the bytes before the stream's reading position are the same."""
        length, offset = stream.anchor_length, stream.read_to - stream.anchor_length
        if self.compressed is None:
            return compare(self.fd, offset, length, stream.anchor)
        # Nothing to compare must not decompress up to `offset` for it.
        if not length:
            return "none"
        data = self.compressed.exactly(offset, length)
        return "same" if len(data) == length and digest(data) == stream.anchor else "differs"

    def detach(self) -> int:
        """Return the descriptor, which the caller has to close."""
        fd, self.fd = self.fd, -1
        return fd

    def close(self) -> None:
        """Close the file, unless it was detached."""
        if self.fd >= 0:
            os.close(self.detach())


class OwnFiles:
    """Our own output files, including rotated ones, and the sealed files of the state.

    `outputs` and `sealed` return the present ones by device and inode.
    """

    def __init__(
        self,
        outputs: Callable[[], frozenset[Key]],
        sealed: Callable[[], frozenset[Key]] = frozenset,
    ) -> None:
        self._list_outputs = outputs
        self._list_sealed = sealed
        self._outputs: frozenset[Key] | None = None
        self._sealed: frozenset[Key] | None = None
        self._seen: dict[Key, tuple[int | None, bytes]] = {}

    def refresh(self) -> None:
        """List the files again when next asked: outputs are opened and rotated meanwhile."""
        self._outputs = self._sealed = None

    def is_sealed(self, key: Key) -> bool:
        """Return whether a file must not even be opened.

        Closing any descriptor of a file drops SQLite's locks on it in this process (fcntl(2),
        "Advisory record locking").
        """
        if self._sealed is None:
            self._sealed = self._list_sealed()
        return key in self._sealed

    def has(self, file: OpenedFile) -> bool:
        """Return whether a file is or was our output."""
        # Listed once a poll, and only when a new file asks: the list costs a `stat` of each output.
        if self._outputs is None:
            self._outputs = self._list_outputs()
        # 64 bytes: an output's first line, which stays the same while the output grows.
        mark = file.generation, digest(file.head[: HEAD_STEPS[0]])
        if file.key in self._outputs:
            # The mark of its latest state: a file that was ours stays so when it is rotated away.
            self._seen[file.key] = mark
            return True
        seen = self._seen.get(file.key)
        if seen is None:
            return False
        # The inode number of a deleted output may be a log's by now. Without a generation only the
        # first bytes can say so.
        return same_generation(seen[0], mark[0]) and (seen[0] is not None or seen[1] == mark[1])
