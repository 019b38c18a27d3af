"""The table of compressed formats."""

from __future__ import annotations

import gzip
import lzma
import random
import struct

import pytest
import zstandard

from jwtleak.archives.codecs import CODECS, GZIP, XZ, ZipLzma, ZstdFrame


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


LOG = b"a line of a log\n" * 1000


@pytest.fixture
def zip_lzma_data() -> bytes:
    """Data behind a zip's header, with an end mark."""
    alone = lzma.compress(LOG, lzma.FORMAT_ALONE)
    return b"\x09\x14\x05\x00" + alone[:5] + alone[13:]


@pytest.mark.parametrize("size", [None, len(LOG)])
@pytest.mark.parametrize("step", [1, 4, 10, 10**6])
def test_zip_lzma_in_any_portions(zip_lzma_data: bytes, size, step):
    """The data comes out whole, with an end mark or a size, however it is fed."""
    decoder, out = ZipLzma(1 << 26, size), b""
    for at in range(0, len(zip_lzma_data), step):
        if not decoder.eof and (size is None or len(out) < size):
            out += decoder.decompress(zip_lzma_data[at : at + step], 1 << 20)
    assert out == LOG
    assert decoder.eof or size is not None


def test_zip_lzma_memory(zip_lzma_data: bytes):
    """The memory is that of the dictionary in the header, and a decoder keeps to it."""
    assert ZipLzma.memory(zip_lzma_data) == (8 << 20) + (1 << 20)
    huge = zip_lzma_data[:5] + struct.pack("<L", 1 << 30) + zip_lzma_data[9:]
    with pytest.raises(lzma.LZMAError):
        ZipLzma(1 << 20, None).decompress(huge, 10)


NOISE = random.Random(7).randbytes(300_000) + b"log line\n" * 50_000


def _decode(packed: bytes, step: int, most: int) -> tuple[bytes, ZstdFrame]:
    frame, out, at = ZstdFrame(1 << 26), bytearray(), 0
    while not frame.eof and (at < len(packed) or not frame.needs_input):
        data = packed[at : at + step] if frame.needs_input else b""
        at += len(data)
        got = frame.decompress(data, most)
        assert len(got) <= most
        out += got
    return bytes(out), frame


@pytest.mark.parametrize("checksum", [False, True])
@pytest.mark.parametrize("sized", [False, True])
@pytest.mark.parametrize("step", [1000, 65536, 10**7])
def test_whole_frames(checksum, sized, step):
    """Any frame is decoded whole with any size of input, and what follows it is left."""
    packer = zstandard.ZstdCompressor(write_checksum=checksum, write_content_size=sized)
    packed = packer.compress(NOISE)
    out, frame = _decode(packed, step, 4096)
    assert out == NOISE
    assert frame.eof
    out, frame = _decode(packed + b"tail", 10**7, 1 << 20)
    assert (out, frame.unused_data) == (NOISE, b"tail")


@pytest.mark.parametrize("size", [0, 1, 255, 256, 300, 65791, 65792, 70000])
def test_sizes(size):
    """Every way to write the content's length is understood."""
    assert _decode(zstandard.compress(bytes(size)), 1, 999)[0] == bytes(size)


def test_repeated_bytes_come_in_portions():
    """A megabyte frame that stands for a gigabyte gives no more than it is asked for."""
    block = (128 << 10 << 3 | 2).to_bytes(3, "little") + b"A"
    frame = ZstdFrame(1 << 26)
    head = b"\x28\xb5\x2f\xfd\x00\x58" + block * 5000
    assert frame.decompress(head, 1000) == b"A" * 1000
    assert not frame.needs_input
    assert len(frame.decompress(b"", 1 << 20)) <= 128 << 10


def test_oversized_block_is_refused():
    """A block larger than the format allows is damage, not a reason to wait for it."""
    with pytest.raises(ValueError, match="too large"):
        ZstdFrame(1 << 26).decompress(b"\x28\xb5\x2f\xfd\x00\x58\xff\xff\xff", 10)


@pytest.mark.parametrize("log", [17, 23, 27])
def test_memory_is_the_window(log):
    """The memory is that of the window in the header, with some room."""
    parameters = zstandard.ZstdCompressionParameters(window_log=log, write_content_size=False)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    packed = packer.compress(bytes(1000)) + packer.flush()
    assert 1 << log <= ZstdFrame.memory(packed) <= (1 << log) + (1 << 20)
    assert ZstdFrame.memory(zstandard.compress(bytes(5000))) <= 5000 + (1 << 20)
    assert ZstdFrame.memory(b"\x28\xb5") <= 1 << 20
