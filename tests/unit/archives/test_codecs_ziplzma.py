"""LZMA as zip stores it."""

from __future__ import annotations

import lzma
import struct

import pytest

from jwtleak.archives.codecs import ZipLzma

DATA = b"a line of a log\n" * 1000


@pytest.fixture
def packed() -> bytes:
    """Data behind a zip's header, with an end mark."""
    alone = lzma.compress(DATA, lzma.FORMAT_ALONE)
    return b"\x09\x14\x05\x00" + alone[:5] + alone[13:]


@pytest.mark.parametrize("size", [None, len(DATA)])
@pytest.mark.parametrize("step", [1, 4, 10, 10**6])
def test_any_portions(packed: bytes, size, step):
    """The data comes out whole, with an end mark or a size, however it is fed."""
    decoder, out = ZipLzma(1 << 26, size), b""
    for at in range(0, len(packed), step):
        if not decoder.eof and (size is None or len(out) < size):
            out += decoder.decompress(packed[at : at + step], 1 << 20)
    assert out == DATA
    assert decoder.eof or size is not None


def test_memory(packed: bytes):
    """The memory is that of the dictionary in the header, and a decoder keeps to it."""
    assert ZipLzma.memory(packed) == (8 << 20) + (1 << 20)
    huge = packed[:5] + struct.pack("<L", 1 << 30) + packed[9:]
    with pytest.raises(lzma.LZMAError):
        ZipLzma(1 << 20, None).decompress(huge, 10)
