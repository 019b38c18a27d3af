"""The compressed formats, recognised by their first bytes.

Promises: one shape for all decoders, that of `bz2.BZ2Decompressor`, so that one loop drives them; no call gives more
than it was asked for; memory is known before a decoder is made. Whatever a decoder raises means that its input is bad.
Each library is loaded when its format is met: all of them take as long as scanning 20 MB.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from jwtleak.archives.ziplzma import ZipLzma, zip_lzma_memory
from jwtleak.archives.zstdframe import ZstdFrame, zstd_memory


class Decoder(Protocol):
    """A decoder of one frame (gzip member, bzip2 or xz stream, zstd or lz4 frame)."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Take `data` and give at most `max_length` bytes. Raises anything on damage."""


class Codec(msgspec.Struct, frozen=True):
    """A format: its magic, how to decode one frame within `memory` bytes, and how much memory a frame's head asks for.

    `padded` allows zero bytes after a frame; `skippable` allows the frames without content of zstd and lz4.
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
        """Whether anything can be decoded of `head`, or it is too short to tell."""
        if self.skippable and is_skippable(head):
            return True
        try:
            self.decoder(memory).decompress(head, 1)
        except Exception:  # the whole may fail for a damage further on: what comes of it bit by bit?
            return self._begins(head, memory)
        return True

    def _begins(self, head: bytes, memory: int) -> bool:
        decoder = self.decoder(memory)
        try:
            return any(decoder.decompress(head[at : at + 1], 1) for at in range(len(head)))
        except Exception:  # as above
            return False


def is_skippable(head: bytes) -> bool:
    """Whether a frame without content begins here (RFC 8878 section 3.1.2; the same in lz4)."""
    return head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50


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
    """What the first block asks for (xz format 3.1, 5.3.1), plus what liblzma needs besides its dictionary."""
    dictionary = 8 << 20
    at = head.find(b"\x21\x01", 13, 64)  # filter LZMA2 with one byte of properties
    if at >= 0 and at + 2 < len(head):
        bits = head[at + 2]
        dictionary = (1 << 32) if bits >= 40 else (2 | bits & 1) << (bits // 2 + 11)
    return dictionary + (1 << 20)


# 64 KiB of window and tables; bzip2's manual: 100 KiB + 4 times a block of 900 kB; lz4: two blocks of 4 MiB.
_SMALL, _BZIP2_MEMORY, _LZ4_MEMORY = 64 << 10, 4 << 20, 8 << 20

GZIP = Codec("gzip", b"\x1f\x8b", _gzip, lambda _: _SMALL, padded=True)
BZIP2 = Codec("bzip2", b"BZh", _bzip2, lambda _: _BZIP2_MEMORY, padded=True)
XZ = Codec("xz", b"\xfd7zXZ\x00", _xz, _xz_memory, padded=True)
ZSTD = Codec("zstd", b"\x28\xb5\x2f\xfd", ZstdFrame, zstd_memory, skippable=True)
LZ4 = Codec("lz4", b"\x04\x22\x4d\x18", _lz4, lambda _: _LZ4_MEMORY, skippable=True)


def zip_lzma(size: int | None) -> Codec:
    """LZMA as in a zip, for a member of `size` bytes, or one that ends with a mark."""
    return Codec("lzma", b"", lambda memory: ZipLzma(memory, size), zip_lzma_memory)


# Not recognised by itself, only inside a zip.
DEFLATE = Codec("deflate", b"", _deflate, lambda _: _SMALL)

CODECS = (GZIP, ZSTD, BZIP2, XZ, LZ4)
