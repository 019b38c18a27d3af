"""The compressed formats, recognised by their first bytes.

Promises: one shape for all decoders, that of `bz2.BZ2Decompressor`, so that one loop drives them;
no call returns more than it was asked for; the memory is known before a decoder is made. Whatever a
decoder raises means that its input is bad. Each library is loaded when its format is met: all of
them together take as long as scanning 20 MB.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Literal, Protocol

import msgspec


class Decoder(Protocol):
    """A decoder of one frame (gzip member, bzip2 or xz stream, zstd or lz4 frame)."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Decode `data` and return at most `max_length` bytes. Raises anything on damage."""


class Codec(msgspec.Struct, frozen=True):
    """A compressed format.

    `magic` begins every frame. `decoder(memory)` decodes one frame within `memory` bytes;
    `memory(head)` is what the frame that begins with `head` needs. `padded` allows zero bytes after
    a frame; `skippable` allows the frames without content of zstd and lz4.

    To add one: a `Codec` in CODECS below; its suffix in `follow/rotations.py`, if rotators use it;
    a row in `PACK` of `tests/support/archive_fixtures.py`, with which every test of codecs runs.
    """

    name: str
    magic: bytes
    decoder: Callable[[int], Decoder]
    memory: Callable[[bytes], int]
    padded: bool = False
    skippable: bool = False

    def starts(self, head: bytes) -> bool:
        """Whether a frame, or one without content, begins here."""
        return head.startswith(self.magic) or (self.skippable and is_skippable(head))

    def decodes(self, head: bytes, memory: int) -> bool:
        """Whether anything can be decoded of `head`, or it is too short to know."""
        if self.skippable and is_skippable(head):
            return True
        try:
            self.decoder(memory).decompress(head, 1)
        except Exception:  # whatever a decoder raises means that its input is bad
            # The damage may be further on: a decoder fails for all of its input, so only feeding it
            # byte by byte shows whether something can be decoded before that.
            return self._begins(head, memory)
        return True

    def _begins(self, head: bytes, memory: int) -> bool:
        decoder = self.decoder(memory)
        try:
            return any(decoder.decompress(head[at : at + 1], 1) for at in range(len(head)))
        except Exception:  # as above
            return False


# A frame without content begins with 0x50 to 0x5F, then these (RFC 8878 section 3.1.2; lz4 has the
# same).
_SKIPPABLE = b"\x2a\x4d\x18"


def is_skippable(head: bytes) -> bool:
    """Whether a frame without content begins here."""
    return head[1:4] == _SKIPPABLE and head[0] & 0xF0 == 0x50


class ZipLzma:
    """LZMA as zip stores it (APPNOTE.TXT section 5.8.8): the data of an `.lzma` file behind another
    header. A decoder in the shape of `bz2.BZ2Decompressor`.

    The header is two bytes of version, two for the length of the properties, then the properties:
    one byte, and four for the size of the dictionary. `size` is that of the content, or None when a
    mark ends the data.
    """

    _HEADER = 9

    def __init__(self, memory: int, size: int | None) -> None:
        import lzma

        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=memory)
        self._size = size
        self._head: bytes | None = b""

    @staticmethod
    def memory(head: bytes) -> int:
        """The memory in bytes that the data at the start of `head` asks for."""
        return int.from_bytes(head[5:9], "little") + (1 << 20)

    @property
    def eof(self) -> bool:
        """Whether the end was reached."""
        return self._decoder.eof

    @property
    def needs_input(self) -> bool:
        """Whether `decompress` can return nothing more without input."""
        return self._decoder.needs_input

    @property
    def unused_data(self) -> bytes:
        """The input behind the end."""
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Decode `data` and return at most `max_length` bytes. Raises `lzma.LZMAError` on
        damage.
        """
        if self._head is not None:
            # liblzma reads the header of an `.lzma` file: properties, then the size in 8 bytes. So
            # zip's header is collected whole and rewritten in that form.
            self._head += data
            if len(self._head) < self._HEADER:
                return b""
            size = (1 << 64) - 1 if self._size is None else self._size
            header, rest = self._head[: self._HEADER], self._head[self._HEADER :]
            data = header[4:] + struct.pack("<Q", size) + rest
            self._head = None
        return self._decoder.decompress(data, max_length)


class ZstdFrame:
    """One zstd frame, decoded block by block (RFC 8878 section 3.1.1). A decoder in the shape of
    `bz2.BZ2Decompressor`.

        magic 4 | descriptor 1 | window 0-1 | dictionary 0-4 | content size 0-8
        block header 3 | block <= 128 KiB      (until a header has the bit "last")
        checksum 0 or 4

    Promises: at most one block is ever decoded ahead of what was asked for. The library's own
    objects either have no bound on what one call returns, or do not distinguish a frame that is cut
    off from a whole one. Reading the block headers ourselves gives both, and every block before a
    damage.
    """

    _MAGIC = 4
    _BLOCK = 128 << 10  # the largest content of a block (section 3.1.1.2.4)
    _DICTIONARY_BYTES = (0, 1, 2, 4)
    _SIZE_BYTES = (0, 2, 4, 8)
    _SPARE = 1 << 20  # tables, and the library's own buffers for one block each way

    def __init__(self, memory: int) -> None:
        import zstandard

        # The library's own default refuses windows that we may have the memory for; it wants 1 KiB
        # at least.
        self._decoder = zstandard.ZstdDecompressor(
            max_window_size=max(1024, memory)
        ).decompressobj()
        self.unused_data: bytes | None = None
        self._input = bytearray()
        self._output = memoryview(b"")
        self._state: Literal["header", "block", "checksum", "end"] = "header"
        self._checksum = 0
        self.eof = False
        self.needs_input = True

    @classmethod
    def memory(cls, head: bytes) -> int:
        """The memory in bytes that the frame at the start of `head` asks for: its window (section
        3.1.1.1.2).
        """
        if len(head) <= cls._MAGIC + 1:
            return cls._SPARE
        window, dictionary, size = cls._lengths(head[cls._MAGIC])
        at = cls._MAGIC + 1
        if window:
            base = 1 << (10 + (head[at] >> 3))
            return base + (base >> 3) * (head[at] & 7) + cls._SPARE
        # A frame in a single segment has no window: all of its content stays in memory. A size of
        # two bytes counts from 256.
        at += dictionary
        content = int.from_bytes(head[at : at + size], "little") + (256 if size == 2 else 0)
        return content + cls._SPARE

    @classmethod
    def _lengths(cls, descriptor: int) -> tuple[int, int, int]:
        """Bytes of window, dictionary id and content size that follow a frame header descriptor."""
        single = descriptor >> 5 & 1
        size = cls._SIZE_BYTES[descriptor >> 6] or single
        return 1 - single, cls._DICTIONARY_BYTES[descriptor & 3], size

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Decode `data` and return at most `max_length` bytes. Raises `zstandard.ZstdError` or
        `ValueError` on damage.
        """
        self._input += data
        while not self._output and (unit := self._unit()):
            self._output = memoryview(self._decoder.decompress(bytes(self._input[:unit])))
            self._advance()
            del self._input[:unit]
        out = bytes(self._output[:max_length])
        self._output = self._output[max_length:]
        self.eof = self._state == "end" and not self._output
        self.needs_input = not self.eof and not self._output and not self._unit()
        if self.eof:
            self.unused_data = bytes(self._input)
        return out

    def _unit(self) -> int:
        """The length of the header, block or checksum that comes next; 0 until it is whole."""
        have = len(self._input)
        length = have + 1
        if self._state == "header" and have > self._MAGIC:
            length = self._MAGIC + 1 + sum(self._lengths(self._input[self._MAGIC]))
        elif self._state == "block" and have >= 3:
            header = int.from_bytes(self._input[:3], "little")
            # The library would refuse such a block only when it has it whole, up to 2 MiB.
            if header >> 3 > self._BLOCK:
                raise ValueError("zstd block too large")
            # Type 1 repeats one byte; of all others the size is that of their bytes.
            length = 3 + (1 if header >> 1 & 3 == 1 else header >> 3)
        elif self._state == "checksum":
            length = 4
        return length if length <= have and self._state != "end" else 0

    def _advance(self) -> None:
        """Set what comes after the unit at the start of the input."""
        if self._state == "header":
            self._checksum = self._input[self._MAGIC] >> 2 & 1
            self._state = "block"
        elif self._state == "checksum":
            self._state = "end"
        elif self._input[0] & 1:
            self._state = "checksum" if self._checksum else "end"


def _gzip(_memory: int) -> Decoder:
    from isal import igzip_lib

    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)


def _deflate(_memory: int) -> Decoder:
    from isal import igzip_lib

    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)


def _bzip2(_memory: int) -> Decoder:
    import bz2

    return bz2.BZ2Decompressor()


def _xz(memory: int) -> Decoder:
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=memory)


def _lz4(_memory: int) -> Decoder:
    import lz4.frame

    return lz4.frame.LZ4FrameDecompressor()  # type: ignore[no-any-return]


def _xz_memory(head: bytes) -> int:
    """What the first block asks for (xz format 3.1, 5.3.1), plus what liblzma needs besides its
    dictionary.
    """
    dictionary = 8 << 20
    at = head.find(b"\x21\x01", 13, 64)  # filter LZMA2 with one byte of properties
    if at >= 0 and at + 2 < len(head):
        bits = head[at + 2]
        dictionary = (1 << 32) if bits >= 40 else (2 | bits & 1) << (bits // 2 + 11)
    return dictionary + (1 << 20)


# 64 KiB of window and tables; bzip2's manual: 100 KiB + 4 times a block of 900 kB; lz4: two blocks
# of 4 MiB.
_SMALL, _BZIP2_MEMORY, _LZ4_MEMORY = 64 << 10, 4 << 20, 8 << 20

GZIP = Codec("gzip", b"\x1f\x8b", _gzip, lambda _: _SMALL, padded=True)
BZIP2 = Codec("bzip2", b"BZh", _bzip2, lambda _: _BZIP2_MEMORY, padded=True)
XZ = Codec("xz", b"\xfd7zXZ\x00", _xz, _xz_memory, padded=True)
ZSTD = Codec("zstd", b"\x28\xb5\x2f\xfd", ZstdFrame, ZstdFrame.memory, skippable=True)
LZ4 = Codec("lz4", b"\x04\x22\x4d\x18", _lz4, lambda _: _LZ4_MEMORY, skippable=True)


def zip_lzma(size: int | None) -> Codec:
    """LZMA as in a zip, for a member of `size` bytes, or one that ends with a mark."""
    return Codec("lzma", b"", lambda memory: ZipLzma(memory, size), ZipLzma.memory)


# Not recognised by itself, only inside a zip.
DEFLATE = Codec("deflate", b"", _deflate, lambda _: _SMALL)

# The formats that are recognised by their magic. `DEFLATE` and `zip_lzma` have none: only a zip
# says that they are there.
CODECS = (GZIP, ZSTD, BZIP2, XZ, LZ4)


def may_start(head: bytes) -> bool:
    """Whether `head`, not empty and cut anywhere, may be the beginning of a frame."""
    if any(head[: len(codec.magic)] == codec.magic[: len(head)] for codec in CODECS):
        return True
    return head[0] & 0xF0 == 0x50 and head[1:4] == _SKIPPABLE[: len(head[1:4])]
