"""One zstd frame, decoded block by block (RFC 8878 section 3.1.1).

Promises: at most one block (128 KiB) is ever decoded ahead of what was asked for. The library's own objects either
have no bound on what one call gives, or do not tell a frame that is cut off from one that is whole; walking the block
headers gives both, and every block before the damage.
"""

from __future__ import annotations

_MAGIC = 4
_BLOCK = 128 << 10  # the largest content of a block (section 3.1.1.2.4)
_DICTIONARY_BYTES = (0, 1, 2, 4)
_SIZE_BYTES = (0, 2, 4, 8)
_SPARE = 1 << 20  # tables, and the library's own buffers for one block each way


def _lengths(descriptor: int) -> tuple[int, int, int]:
    """Bytes of window descriptor, dictionary id and content size that follow a frame header descriptor."""
    single = descriptor >> 5 & 1
    size = _SIZE_BYTES[descriptor >> 6] or single
    return 1 - single, _DICTIONARY_BYTES[descriptor & 3], size


def zstd_memory(head: bytes) -> int:
    """The memory in bytes that the frame at the start of `head` asks for: its window (section 3.1.1.1.2)."""
    if len(head) <= _MAGIC + 1:
        return _SPARE
    descriptor = head[_MAGIC]
    window, dictionary, size = _lengths(descriptor)
    if window:
        base = 1 << (10 + (head[_MAGIC + 1] >> 3))
        return base + (base >> 3) * (head[_MAGIC + 1] & 7) + _SPARE
    at = _MAGIC + 1 + dictionary
    return int.from_bytes(head[at : at + size], "little") + (256 if size == 2 else 0) + _SPARE


class ZstdFrame:
    """A decoder in the shape of `bz2.BZ2Decompressor`."""

    def __init__(self, memory: int) -> None:
        import zstandard

        # The library's own default refuses windows that we may have the memory for; it wants 1 KiB at least.
        self._decoder = zstandard.ZstdDecompressor(max_window_size=max(1024, memory)).decompressobj()
        self.unused_data: bytes | None = None
        self._input = bytearray()
        self._output = memoryview(b"")
        self._state = "header"
        self._checksum = 0
        self.eof = False
        self.needs_input = True

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Take `data` and give at most `max_length` bytes. Raises `zstandard.ZstdError` or `ValueError` on damage."""
        self._input += data
        while not self._output and (unit := self._unit()):
            self._output = memoryview(self._decoder.decompress(bytes(self._input[:unit])))
            self._advance()
            del self._input[:unit]
        given = bytes(self._output[:max_length])
        self._output = self._output[max_length:]
        self.eof = self._state == "end" and not self._output
        self.needs_input = not self.eof and not self._output and not self._unit()
        if self.eof:
            self.unused_data = bytes(self._input)
        return given

    def _unit(self) -> int:
        """The length of the header, block or checksum that comes next; 0 while it is not here whole."""
        have = len(self._input)
        length = have + 1
        if self._state == "header" and have > _MAGIC:
            length = _MAGIC + 1 + sum(_lengths(self._input[_MAGIC]))
        elif self._state == "block" and have >= 3:
            length = 3 + self._block()
        elif self._state == "checksum":
            length = 4
        return length if length <= have and self._state != "end" else 0

    def _block(self) -> int:
        """Bytes of the block whose header comes next."""
        header = int.from_bytes(self._input[:3], "little")
        if header >> 3 > _BLOCK:
            raise ValueError("zstd block too large")
        return 1 if header >> 1 & 3 == 1 else header >> 3  # type 1 repeats one byte

    def _advance(self) -> None:
        """What comes after the unit at the start of the input."""
        if self._state == "header":
            self._checksum = self._input[_MAGIC] >> 2 & 1
            self._state = "block"
        elif self._state == "checksum":
            self._state = "end"
        elif self._input[0] & 1:
            self._state = "checksum" if self._checksum else "end"
