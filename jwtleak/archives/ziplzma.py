"""LZMA as zip stores it (APPNOTE.TXT section 5.8.8): the same data as an `.lzma` file behind another header."""

from __future__ import annotations

import struct

# Version and length of the properties, then the properties: one byte, and the dictionary size in bytes.
_HEADER = 9


def zip_lzma_memory(head: bytes) -> int:
    """The memory in bytes that the data at the start of `head` asks for."""
    return int.from_bytes(head[5:9], "little") + (1 << 20)


class ZipLzma:
    """A decoder in the shape of `bz2.BZ2Decompressor`. `size` is None when a mark ends the data."""

    def __init__(self, memory: int, size: int | None) -> None:
        import lzma

        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=memory)
        self._size = size
        self._head: bytes | None = b""

    @property
    def eof(self) -> bool:
        """Whether all was given."""
        return self._decoder.eof

    @property
    def needs_input(self) -> bool:
        """Whether `decompress` has nothing left to give by itself."""
        return self._decoder.needs_input

    @property
    def unused_data(self) -> bytes:
        """What followed the end."""
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Take `data` and give at most `max_length` bytes. Raises `lzma.LZMAError` on damage."""
        if self._head is not None:
            self._head += data
            if len(self._head) < _HEADER:
                return b""
            size = (1 << 64) - 1 if self._size is None else self._size
            data = self._head[4:_HEADER] + struct.pack("<Q", size) + self._head[_HEADER:]
            self._head = None
        return self._decoder.decompress(data, max_length)
