"""Zip headers."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtleak.archives.zip import CONTAINER, parse_descriptor, parse_local, record_length


def _local(flags: int = 0, compressed: int = 5, size: int = 9, extra: bytes = b"") -> bytes:
    fixed = (b"PK\3\4", 20, flags, 8, 0x6000, 0x5865, 77, compressed, size, 1, len(extra))
    return struct.pack("<4s5H3L2H", *fixed) + b"n" + extra


def test_local_header():
    """Sizes, checksum, lengths and time (as UTC) are read."""
    header = parse_local(_local())
    assert header is not None
    assert (header.compressed, header.size, header.crc, header.length) == (5, 9, 77, 31)
    assert header.mtime_ms == 1709640000000
    assert not header.encrypted


def test_described_sizes_are_unknown():
    """With a descriptor behind the data, a size of 0 is no size."""
    header = parse_local(_local(flags=8, compressed=0, size=0))
    assert header is not None
    assert (header.compressed, header.size, header.crc, header.described) == (
        None,
        None,
        None,
        True,
    )


def test_zip64_sizes():
    """Sizes of 64 bits come from the extra field, behind other fields of it."""
    extra = struct.pack("<HHH", 7, 2, 0) + struct.pack("<HHQQ", 1, 16, 1 << 40, 1 << 39)
    header = parse_local(_local(compressed=0xFFFFFFFF, size=0xFFFFFFFF, extra=extra))
    assert header is not None
    assert (header.compressed, header.size) == (1 << 39, 1 << 40)
    missing = parse_local(_local(compressed=0xFFFFFFFF, size=0xFFFFFFFF, extra=b"\1\0\x20\0"))
    assert missing is not None
    assert missing.compressed is None


@pytest.mark.parametrize("signature", [b"", b"PK\x07\x08"])
@pytest.mark.parametrize(
    ("layout", "after"), [("<LLL", b"PK\1\2"), ("<LQQ", b"PK\3\4"), ("<LLL", b"")]
)
def test_descriptors(signature: bytes, layout: str, after: bytes):
    """All four forms are reported apart by the size that they repeat and by what follows."""
    data = signature + struct.pack(layout, 77, 5, 9)
    assert parse_descriptor(data + after, 5) == (len(data), 77)
    assert parse_descriptor(data + after, 6) is None


def test_record_lengths():
    """Records of the directory are as long as they say; a member is none."""
    assert record_length(b"PK\1\2" + bytes(24) + struct.pack("<3H", 1, 2, 3) + bytes(12)) == 52
    assert record_length(b"PK\5\6" + bytes(16) + struct.pack("<H", 7)) == 29
    assert record_length(b"PK\6\6" + struct.pack("<Q", 44)) == 56
    assert record_length(b"PK\6\7" + bytes(16)) == 20
    assert record_length(b"PK\5\6" + bytes(3)) is None
    assert record_length(_local()) is None


def test_starts():
    """A signature alone makes no zip."""
    assert CONTAINER.starts(_local())
    assert CONTAINER.starts(b"PK00" + _local())
    assert CONTAINER.starts(b"PK\5\6" + bytes(18))
    assert not CONTAINER.starts(b"PK\3\4" * 20)
    assert not CONTAINER.starts(b"PK\3\4")


@given(st.binary(max_size=200))
def test_arbitrary_bytes(data: bytes):
    """No bytes raise."""
    for signature in (b"PK\3\4", b"PK\1\2", b"PK\6\6"):
        parse_local(signature + data)
        record_length(signature + data)
        CONTAINER.starts(signature + data)
    parse_descriptor(data, len(data))
