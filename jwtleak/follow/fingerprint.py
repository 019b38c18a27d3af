"""What a file is known by: where its inode is, how it begins, and what stands just before the place
that was read.

Promises: only digests are kept, never bytes; a comparison that could not be made is told apart from
one that failed.

The generation number is what makes an inode number unique: ext4 gives the number of a deleted file
to the next one created, with another generation. File systems without it (tmpfs, overlayfs, network
file systems) say so, and content decides alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
from typing import Literal, TypeAlias

Key: TypeAlias = tuple[int, int]
Match: TypeAlias = Literal["same", "differs", "none", "unread"]

# How much of the beginning is hashed, as the file grows. The first line of a log holds a time, so
# 64 bytes mostly tell two generations apart; 1024 pass a header that a program writes into each of
# its logs.
HEAD_STEPS = (64, 128, 256, 512, 1024)
# The bytes before the offset: a line or two, which differ in their time from what is there after
# the file was cut and has grown again. Splunk looks at as many.
ANCHOR = 256

_FS_IOC_GETVERSION = (
    0x80087601  # _IOR('v', 1, long); the kernel writes an int (ioctl_iflags(2), linux/fs.h)
)


def generation(fd: int) -> int | None:
    """The inode's generation; None where the file system has none."""
    if not sys.platform.startswith("linux"):
        return None
    answer = bytearray(8)
    try:
        fcntl.ioctl(fd, _FS_IOC_GETVERSION, answer)
    except OSError:
        return None
    return int.from_bytes(answer[:4], sys.byteorder)


def same_generation(one: int | None, other: int | None) -> bool:
    """Whether two generations can be those of one file."""
    return one is None or other is None or one == other


def digest(data: bytes | memoryview) -> bytes:
    """What is kept in place of bytes."""
    return hashlib.sha256(data).digest()


def head_length(end: int) -> int:
    """How many of a file's first bytes are hashed when `end` bytes of it are written."""
    return max((step for step in HEAD_STEPS if step <= end), default=max(end, 0))


def compare(fd: int, offset: int, length: int, expected: bytes) -> Match:
    """Whether the `length` bytes at `offset` have the digest `expected`."""
    if not length:
        return "none"
    try:
        found = os.pread(fd, length, offset)
    except OSError:
        return "unread"
    return "same" if len(found) == length and digest(found) == expected else "differs"


def compare_head(head: bytes, length: int, expected: bytes) -> Match:
    """Whether a file that begins with `head` (at least 1024 bytes, if there are as many) begins as
    expected.
    """
    if not length:
        return "none"
    return "same" if len(head) >= length and digest(head[:length]) == expected else "differs"
