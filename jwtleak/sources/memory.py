"""Bytes in memory as a stream, for the library.

Promises: reads like a file (peek, rewind), without a copy of the data and without any I/O.
"""

from __future__ import annotations

from jwtleak.sources.interface import SNIFF
from jwtleak.types import StreamInfo


class MemoryStream:
    """The bytes of `data`. `name` is the path that alerts show; None means `stdin`, as for a
    pipe.
    """

    def __init__(self, data: bytes, name: str | None = None, offset: int = 0) -> None:
        self._data = memoryview(data)
        self._position = offset
        self.info = StreamInfo("stdin" if name is None else "file", name, None, len(data))

    def peek(self) -> bytes:
        """The next bytes, up to `SNIFF`, without moving on."""
        return bytes(self._data[self._position : self._position + SNIFF])

    def rewind(self, offset: int = 0) -> None:
        """Go on from another offset."""
        self._position = offset

    def reopen(self, offset: int) -> MemoryStream:
        """A second stream of the same bytes, from `offset`."""
        return MemoryStream(self._data.obj, self.info.path, offset)  # type: ignore[arg-type]

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`; returns the number of bytes, 0 at the end."""
        part = self._data[self._position : self._position + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def close(self) -> None:
        """Nothing to close; the stream can be read on."""
