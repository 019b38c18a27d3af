"""zstd frames block by block."""

from __future__ import annotations

import random

import pytest
import zstandard

from jwtleak.archives.codecs import ZstdFrame

DATA = random.Random(7).randbytes(300_000) + b"log line\n" * 50_000


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
    packed = packer.compress(DATA)
    out, frame = _decode(packed, step, 4096)
    assert out == DATA
    assert frame.eof
    out, frame = _decode(packed + b"tail", 10**7, 1 << 20)
    assert (out, frame.unused_data) == (DATA, b"tail")


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
