"""A compressed file as a stream with offsets.

Promises: reading on decompresses every byte once. A short step back (anchors, an engine that reads
behind its cursor) is served from a window; a longer one decompresses from the beginning again. The
bounds of archives hold. Damage is reported once and ends the stream.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from jwtleak.archives.budget import Budget
from jwtleak.archives.codecs import Codec
from jwtleak.archives.decompress import Decoded
from jwtleak.archives.reader import Reader
from jwtleak.archives.sniff import sniff
from jwtleak.errors import reason_of
from jwtleak.sources.interface import SNIFF, ArchiveLimits, Notice

_STEP = 256 * 1024
# How far an engine reads back when it starts in the middle (core.regions: LOOKBACK + LOOKAHEAD),
# and the anchor.
_WINDOW = 512 * 1024


def codec_of(head: bytes) -> Codec | None:
    """Return the compression of a file that begins with `head`.

    None for tar and zip: they are archives, not logs.
    """
    kind = sniff(head[:SNIFF])
    return kind if isinstance(kind, Codec) else None


class _Raw:
    """The compressed bytes of an open file from an offset on."""

    def __init__(self, fd: int, offset: int, budget: Budget) -> None:
        self._fd = fd
        self._offset = offset
        self._budget = budget
        self.broken = False

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`; 0 is the end, or an error that was reported."""
        try:
            # At an offset of its own: the descriptor is shared with comparisons of head and anchor.
            count = os.preadv(self._fd, [buffer], self._offset)
        except OSError as error:
            self._budget.stop(reason_of(error))
            self.broken = True
            return 0
        self._offset += count
        self._budget.count_read(count)
        return count


class CompressedFile:
    """The decompressed bytes of the file open as `fd`, which stays the caller's to close.

    `position` is how far it was decompressed; `ended`: nothing comes after it.
    """

    def __init__(self, fd: int, path: str, codec: Codec, report: Callable[[str], None]) -> None:
        self.fd = fd
        self._path = path
        self._codec = codec
        self._report = report
        self._reported = False
        self._begin()

    def _begin(self) -> None:
        self._window = b""
        self.position = 0
        self.ended = False
        # The budget allows a ratio of this size, so that a bomb ends the stream and not the memory.
        size = os.fstat(self.fd).st_size
        self._budget = Budget(self._path, size, ArchiveLimits(), self._notice)
        reader = Reader(
            _Raw(self.fd, 0, self._budget), lambda offset: _Raw(self.fd, offset, self._budget)
        )
        self._decoded = Decoded(reader, self._codec, self._budget)
        self._room = memoryview(bytearray(_STEP))

    def _notice(self, notice: Notice) -> None:
        # A step back meets the same damage again.
        if not self._reported:
            self._reported = True
            self._report(notice.reason)

    def _advance(self) -> bool:
        count = self._decoded.readinto(self._room)
        if not count:
            # An error ends it as well: what was damaged is reported, and nothing after it is known.
            self.ended = True
            self._decoded.close()
            return False
        self._window = (self._window + self._room[:count])[-_WINDOW:]
        self.position += count
        return True

    def read(self, offset: int, buffer: memoryview) -> int:
        """Read the bytes at `offset` into `buffer`; 0 only behind the end."""
        # Before the window: decompressors cannot step back. Rare, since the window holds all that
        # an engine reads behind its cursor.
        if offset < self.position - len(self._window):
            self._begin()
        while offset >= self.position:
            if self.ended or not self._advance():
                return 0
        start = len(self._window) - (self.position - offset)
        count = min(len(buffer), self.position - offset)
        buffer[:count] = self._window[start : start + count]
        return count

    def exactly(self, offset: int, length: int) -> bytes:
        """Return the `length` bytes at `offset`, fewer only at the end."""
        data = bytearray(length)
        done = 0
        while done < length and (count := self.read(offset + done, memoryview(data)[done:])):
            done += count
        return bytes(data[:done])
