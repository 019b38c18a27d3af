"""Frames behind each other, skippable frames, and memory."""

from __future__ import annotations

import random

import pytest
import zstandard

from jwtleak.archives.budget import Budget
from jwtleak.archives.codecs import GZIP
from jwtleak.archives.decompress import Decoded
from jwtleak.archives.reader import Reader
from jwtleak.sources.interface import ArchiveLimits

SKIPPABLE = b"\x53\x2a\x4d\x18\x05\0\0\0abcde"


def _window(log: int, data: bytes) -> bytes:
    parameters = zstandard.ZstdCompressionParameters(window_log=log, write_content_size=False)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize("name", ["zstd", "lz4"])
def test_skippable_frames_anywhere(unpack, pack, name):
    """Frames without content are passed over before, between and behind others."""
    read = unpack(SKIPPABLE + pack(name, b"one") + SKIPPABLE * 2 + pack(name, b"two") + SKIPPABLE)
    assert (read.content, read.notices) == (b"onetwo", [])


def test_skippable_frames_alone(unpack):
    """A file of nothing else is an empty stream."""
    assert unpack(SKIPPABLE * 100).content == b""


def test_each_frame_has_its_own_memory(unpack):
    """A frame may have a larger window than the one before; one that has too large a window is
    reported.
    """
    data = random.Random(3).randbytes(5000)
    read = unpack(zstandard.compress(b"small") + _window(24, data))
    assert (read.content, read.notices) == (b"small" + data, [])
    read = unpack(_window(10, b"small") + _window(24, data), ArchiveLimits(max_memory=8 << 20))
    assert read.streams[0][1] == b"small"
    assert read.kinds == ["unsupported"]


def test_memory_is_given_back(unpack, tar):
    """Members decoded one after another share the memory of one."""
    data = _window(24, b"x" * 100)
    read = unpack(tar({str(n): data for n in range(5)}), ArchiveLimits(max_memory=20 << 20))
    assert len(read.members) == 5
    assert read.notices == []


def test_damage_in_a_member_of_a_plain_tar(unpack, pack, tar):
    """Where the file can be read again, all before a damage inside a member comes out too, and
    other members whole.
    """
    text = b"".join(b"%d %x\n" % (n, n * 2654435761) for n in range(20_000))
    packed = bytearray(pack("gzip", text))
    half = len(packed) // 2
    whole = unpack(tar({"cut": bytes(packed[:half])})).members["cut"]
    packed[half:] = random.Random(1).randbytes(100_000)
    read = unpack(tar({"bad": bytes(packed), "good": pack("gzip", b"good")}))
    assert read.members["bad"].startswith(whole)
    assert read.members["good"] == b"good"
    assert read.kinds == ["corrupt"]


def test_damage_inside_compression_costs_little(unpack, pack, tar):
    """Where bytes come only once, at most one small step before a damage is lost."""
    text = b"".join(b"%d %x\n" % (n, n * 2654435761) for n in range(20_000))
    packed = bytearray(pack("gzip", text))
    half = len(packed) // 2
    whole = unpack(tar({"cut": bytes(packed[:half])})).members["cut"]
    packed[half:] = random.Random(1).randbytes(100_000)
    read = unpack(pack("zstd", tar({"bad": bytes(packed), "good": b"good"})))
    assert len(read.members["bad"]) > len(whole) - 64 * 1024
    assert read.members["good"] == b"good"


class _Pieces:
    """Gives its pieces one by one, and counts them."""

    broken = False

    def __init__(self, *pieces: bytes) -> None:
        self._left = list(pieces)
        self.reads = 0

    def readinto(self, buffer: memoryview) -> int:
        piece = self._left.pop(0) if self._left else b""
        self.reads += 1
        buffer[: len(piece)] = piece
        return len(piece)


def test_a_read_is_filled_from_the_input_at_hand(pack):
    """A read takes several steps; but it waits for no input once it has something to give."""
    text = bytes(range(256)) * 4096
    source = _Pieces(pack("gzip", text), pack("gzip", b"more"))
    decoded = Decoded(Reader(source), GZIP, Budget("a.gz", 10_000, ArchiveLimits(), lambda _: None))
    buffer = memoryview(bytearray(len(text)))
    first = decoded.readinto(buffer)
    assert (first > len(text) // 2, source.reads) == (True, 1)
    rest = b""
    while count := decoded.readinto(buffer[first:]):
        rest += bytes(buffer[first : first + count])
    assert bytes(buffer[:first]) + rest == text + b"more"
