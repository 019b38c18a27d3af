"""What the loop knows of one stream.

Promises: `offset` is what a crash would go back to, as far as the loop has judged; `read` is how far bytes were taken;
what stands before `told` is read again only when more comes, since all that it holds was given.
A record is small: fifty thousand of them are in memory at once.
"""

from __future__ import annotations

from jwtleak.follow.interface import Opened
from jwtleak.types import Cursor


class Stream:
    """One stream. `early` holds, by offset, the ids of alerts that were given before their token had ended."""

    __slots__ = (
        "cursor", "early", "home", "line_start", "lines", "mtime_ms", "name", "offset", "packed", "path", "read",
        "size", "told",
    )  # fmt: skip

    def __init__(self, opened: Opened) -> None:
        self.name = opened.stream
        self.path = self.home = opened.path  # `home` is the path at which it appeared
        self.size = opened.size
        self.packed = opened.packed
        self.cursor = opened.cursor  # as last stored, or as given
        self.mtime_ms = opened.cursor.mtime_ns // 1_000_000 or None
        self.offset = opened.cursor.offset
        self.told = self.read = max(opened.cursor.told, self.offset)
        self.lines = opened.cursor.lines
        self.line_start = opened.cursor.line_start
        self.early: dict[int, str] = {}

    @property
    def backlog(self) -> int:
        """Bytes that are there and were not taken yet."""
        return max(0, self.size - self.read)

    def again(self) -> None:
        """Read once more what is held at the end, although nothing came."""
        self.read = self.offset

    def stored(self, cursor: Cursor) -> None:
        """`cursor` is on disk."""
        self.cursor = cursor
        self.mtime_ms = cursor.mtime_ns // 1_000_000 or None
