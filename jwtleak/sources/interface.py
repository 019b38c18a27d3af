"""What a source promises to the runtime.

A source gives streams; the runtime reads each with `readinto` straight into the engine's buffer, so
no byte is copied twice. What cannot be read is told through a `Notice`, never passed over in
silence. A source never writes to disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

import msgspec

from jwtleak.types import StreamInfo

__all__ = ["ArchiveLimits", "ByteStream", "Notice", "NoticeKind", "Notify", "StreamInfo"]

NoticeKind: TypeAlias = Literal[
    "skipped", "unreadable", "truncated", "corrupt", "bomb", "depth", "encrypted", "unsupported"
]


class ByteStream(Protocol):
    """One decoded byte stream: a plain file, standard input, or one member of an archive."""

    @property
    def info(self) -> StreamInfo:
        """What is read here, for the report."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer` from its start and return the number of bytes; 0 is the end. Raises only
        `SourceError`.
        """

    def close(self) -> None:
        """Let go of what is held. May be called at any time and more than once."""


class Notice(msgspec.Struct, frozen=True):
    """What was not read, or not whole. Every kind but `skipped` means that a leak may have gone
    unseen.

    `bytes_read` counts the decompressed bytes that were delivered before it happened, where that is
    known.
    """

    kind: NoticeKind
    path: str
    member: str | None
    reason: str
    bytes_read: int | None = None


Notify: TypeAlias = Callable[[Notice], None]


class ArchiveLimits(msgspec.Struct, frozen=True):
    """How far an archive may unfold before it is called a bomb."""

    # Decompressed bytes of one archive file. At 1 GB/s this is a minute of work: larger than any
    # rotated log that is kept in one file, small enough that a hostile file cannot hold up a scan
    # for long.
    max_archive_bytes: int = 64 << 30
    # Decompressed bytes per byte of the file, asked only once 64 MiB have come out
    # (`budget.GRACE`). Deflate cannot exceed 1032; real logs stay under 100 with gzip and reach a
    # few hundred with xz, even when they repeat one line.
    max_ratio: int = 1000
    # Archives inside archives: `log.tar.gz` holding a zip that holds `x.gz` is 3. Backups of
    # backups end there.
    max_depth: int = 3
    # Memory that all decoders of one archive may hold together: `xz -9` needs 65 MiB and `zstd -21`
    # 64 MiB; with some 45 MB for the program itself that stays under the 150 MB which one process
    # may use on hostile input.
    max_memory: int = 68 << 20
