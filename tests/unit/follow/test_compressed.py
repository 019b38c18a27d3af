"""Compressed files as streams with offsets."""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from jwtleak.follow.compressed import CompressedFile, codec_of

DATA = b"".join(b"%d %d\n" % (number, number * number) for number in range(200_000))


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[bytes], tuple[CompressedFile, list[str]]]:
    """Write bytes to a file and open it as a compressed file; return it with its reports."""

    def run(packed: bytes) -> tuple[CompressedFile, list[str]]:
        path = tmp_path / "a"
        path.write_bytes(packed)
        fd = os.open(path, os.O_RDONLY)
        codec = codec_of(packed)
        assert codec is not None
        reports: list[str] = []
        return CompressedFile(fd, str(path), codec, reports.append), reports

    return run


def read_all(packed: CompressedFile, offset: int = 0, step: int = 100_000) -> bytes:
    """From an offset to the end."""
    out, buffer = bytearray(), bytearray(step)
    while count := packed.read(offset + len(out), memoryview(buffer)):
        out += buffer[:count]
    return bytes(out)


def test_every_codec(
    opened: Callable[[bytes], tuple[CompressedFile, list[str]]],
    codec: str,
    pack: Callable[..., bytes],
) -> None:
    """All formats are read to the end, and end there."""
    packed, reports = opened(pack(codec, DATA))
    assert read_all(packed) == DATA
    assert packed.ended
    assert packed.position == len(DATA)
    assert reports == []
    os.close(packed.fd)


def test_any_order(opened: Callable[[bytes], tuple[CompressedFile, list[str]]]) -> None:
    """Forwards, a little back and far back give the same bytes."""
    packed, _ = opened(gzip.compress(DATA, 1))
    chance = random.Random(7)
    for _ in range(60):
        offset = chance.randrange(len(DATA) + 10)
        assert packed.exactly(offset, 1000) == DATA[offset : offset + 1000]
    os.close(packed.fd)


def test_several_members(opened: Callable[[bytes], tuple[CompressedFile, list[str]]]) -> None:
    """A file that was appended to in frames is one stream."""
    packed, _ = opened(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    assert read_all(packed) == b"one\ntwo\n"
    os.close(packed.fd)


def test_damage(opened: Callable[[bytes], tuple[CompressedFile, list[str]]]) -> None:
    """The bytes before the damage are read; it is reported once, even when they are read again."""
    whole = gzip.compress(DATA)
    packed, reports = opened(whole[: len(whole) // 2])
    first = read_all(packed)
    assert 0 < len(first) < len(DATA)
    assert DATA.startswith(first)
    assert read_all(packed) == first
    assert len(reports) == 1
    os.close(packed.fd)


def test_what_is_compressed() -> None:
    """Codecs are; archives with members and plain text are not."""
    assert codec_of(gzip.compress(b"x")) is not None
    assert codec_of(b"PK\x03\x04" + bytes(100)) is None
    assert codec_of(b"2026-01-01 hello") is None
    assert codec_of(b"") is None
