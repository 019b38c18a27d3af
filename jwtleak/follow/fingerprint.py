"""What identifies a file: its inode, its first bytes, and the bytes before the reading position.

Promises: only digests are kept, never bytes. A comparison that could not be made (`unread`) is
distinct from one that failed (`differs`).

The generation makes an inode number unique: ext4 assigns the number of a deleted file to the next
one created, with another generation. Where a file system has none (tmpfs, overlayfs, network file
systems), content decides alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
from typing import Literal, TypeAlias

Key: TypeAlias = tuple[int, int]  # device, inode
Match: TypeAlias = Literal["same", "differs", "none", "unread"]

# How much of the beginning is hashed as the file grows. The first line of a log holds a time, so
# 64 bytes mostly distinguish two generations; 1024 exceed the header that some programs write into
# each log.
HEAD_STEPS = (64, 128, 256, 512, 1024)
# The bytes before the offset: a line or two. After the file was truncated and has grown again, the
# lines at this place differ from them in their time. Splunk compares as many.
ANCHOR = 256

# _IOR('v', 1, long); the kernel writes an int (ioctl_iflags(2), linux/fs.h).
_FS_IOC_GETVERSION = 0x80087601


def generation(fd: int) -> int | None:
    """Return the inode's generation; None where the file system has none."""
    if not sys.platform.startswith("linux"):
        return None
    # `long` in the request's number, though 4 bytes are written: room for either.
    answer = bytearray(8)
    try:
        fcntl.ioctl(fd, _FS_IOC_GETVERSION, answer)
    except OSError:
        # ENOTTY: the file system has none. A sandbox that forbids ioctl is treated alike.
        return None
    return int.from_bytes(answer[:4], sys.byteorder)


def same_generation(left: int | None, right: int | None) -> bool:
    """Return whether two generations can belong to one file."""
    # Unknown is not different: a cursor of a machine without generations must still be recognized.
    return left is None or right is None or left == right


def digest(data: bytes | memoryview) -> bytes:
    """Return the SHA-256 that is kept in place of bytes."""
    return hashlib.sha256(data).digest()


def head_length(end: int) -> int:
    """Return how many first bytes are hashed of a file with `end` bytes written."""
    # Below the first step all of it, so that a short log is recognized at all; it grows past that
    # with its next line.
    return max((step for step in HEAD_STEPS if step <= end), default=max(end, 0))


def compare(fd: int, offset: int, length: int, expected: bytes) -> Match:
    """Return whether the `length` bytes at `offset` have the digest `expected`."""
    if not length:
        return "none"
    try:
        found = os.pread(fd, length, offset)
    except OSError:
        # An I/O error or a network file system that is away says nothing about the content.
        return "unread"
    return "same" if len(found) == length and digest(found) == expected else "differs"


def compare_head(head: bytes, length: int, expected: bytes) -> Match:
    """Return whether a file begins as expected.

    `head` is its first 1024 bytes, or all of a shorter file.
    """
    if not length:
        return "none"
    # Too short is different here: the caller knows whether the file may still be growing.
    return "same" if len(head) >= length and digest(head[:length]) == expected else "differs"
