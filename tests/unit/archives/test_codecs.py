"""The table of compressed formats."""

from __future__ import annotations

import gzip
import lzma

import pytest

from jwtleak.archives.codecs import CODECS, GZIP, XZ


@pytest.mark.parametrize("preset", [0, 3, 6, 9])
def test_xz_memory_is_enough_and_close(preset: int):
    """The memory read from an xz header lets it be decoded, and is not much more than its
    dictionary.
    """
    packed = lzma.compress(b"x" * 1000, preset=preset)
    memory = XZ.memory(packed[:512])
    assert XZ.decoder(memory).decompress(packed, 2000) == b"x" * 1000
    assert memory <= {0: 2, 3: 6, 6: 10, 9: 66}[preset] << 20


def test_decodes(pack, codec):
    """What is damaged far from its beginning still begins well; what is no such format does not."""
    known = {c.name: c for c in CODECS}[codec]
    packed = pack(codec, b"some text")
    memory = known.memory(packed)
    assert known.decodes(packed, memory)
    assert known.decodes(packed[:-3], memory)
    assert not known.decodes(known.magic + b"\xee" * 100, memory)


def test_damage_after_the_first_bytes():
    """A member that gives something before its damage is taken for what it says."""
    packed = bytearray(gzip.compress(bytes(range(256)) * 2 + b"a" * 100))
    packed[-20:] = b"\xff" * 20
    assert GZIP.decodes(bytes(packed), 1 << 20)
