"""Zip archives: methods, descriptors, encryption, damage."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from jwtleak.archives.zip import CONTAINER, parse_descriptor, parse_local, record_length

DATA = b"GET / HTTP/1.1\n" * 500


def _member(
    name: bytes, method: int, packed: bytes, *, flags: int = 0, sizes: bool = True, crc: int = 0
) -> bytes:
    length = len(packed) if sizes else 0
    return (
        struct.pack("<4s5H3L2H", b"PK\3\4", 63, flags, method, 0, 33, crc, length, 0, len(name), 0)
        + name
        + packed
    )


def _directory() -> bytes:
    return b"PK\5\6" + bytes(18)


def test_zstd_method(unpack):
    """Method 93 is zstd."""
    data = _member(b"z", 93, zstandard.compress(DATA), crc=zlib.crc32(DATA)) + _directory()
    read = unpack(data)
    assert (read.members, read.notices) == ({"z": DATA}, [])


@pytest.mark.parametrize("signature", [b"", b"PK\x07\x08"])
@pytest.mark.parametrize("layout", ["<LLL", "<LQQ"])
def test_descriptors(unpack, signature, layout):
    """A deflated member of unknown length ends where deflate does, and any form of descriptor is
    passed over.
    """
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(DATA) + packer.flush()
    described = _member(b"a", 8, packed, flags=8, sizes=False)
    described += signature + struct.pack(layout, zlib.crc32(DATA), len(packed), len(DATA))
    read = unpack(described + _member(b"b", 0, b"b", crc=zlib.crc32(b"b")) + _directory())
    assert (read.members, read.notices) == ({"a": DATA, "b": b"b"}, [])


@pytest.mark.parametrize("size", [0, 5, 32_768, 100_000])
def test_stored_without_length(unpack, size):
    """A stored member of unknown length goes up to the descriptor that states its length, and past
    all others.
    """
    content = (b"x" * size + b"PK\x07\x08" * 10 + b"y" * 40_000)[: size + 40] if size else b""
    tail = b"PK\x07\x08" + struct.pack("<LLL", zlib.crc32(content), len(content), len(content))
    data = (
        _member(b"a", 0, content, flags=8, sizes=False)
        + tail
        + _member(b"b", 0, b"b", crc=zlib.crc32(b"b"))
    )
    for step in (7000, 1 << 19):
        read = unpack(data + _directory(), step=step)
        assert (read.members, read.notices) == ({"a": content, "b": b"b"}, [])


def test_encrypted_of_unknown_length(unpack):
    """An encrypted member whose length is behind it is reported, and the next one is found."""
    data = _member(b"s", 8, bytes(range(200, 256)) * 9, flags=9, sizes=False)
    read = unpack(data + _member(b"b", 0, b"b", crc=zlib.crc32(b"b")) + _directory())
    assert (read.members, read.kinds) == ({"b": b"b"}, ["encrypted"])


def test_comments_and_concatenation(unpack, zipped):
    """A comment at the end, and another zip behind it, are no damage."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.comment = b"a comment"
        archive.writestr("a", b"1")
    read = unpack(out.getvalue() + zipped({"b": b"2"}))
    assert (read.members, read.notices) == ({"a": b"1", "b": b"2"}, [])


def test_bytes_between_members_are_reported_and_read(unpack, zipped):
    """Bytes between members are reported, and the raw file is scanned as well."""
    first = zipped({"a": b"1"})
    data = first[: first.index(b"PK\1\2")] + b"something hidden" + zipped({"b": b"2"})
    read = unpack(data)
    assert read.members == {"a": b"1", "b": b"2", None: data}
    assert read.kinds == ["corrupt"]


def test_empty_and_split_marks(unpack, zipped):
    """A zip without members, and one that begins with the mark of a split, are zips."""
    assert unpack(_directory()).streams == []
    assert unpack(b"PK00" + zipped({"a": b"1"})).members == {"a": b"1"}


def test_names_that_are_not_utf8(unpack):
    """A name of arbitrary bytes is kept as it is, as text."""
    read = unpack(_member(b"\xff\xfe", 0, b"1", crc=zlib.crc32(b"1")) + _directory())
    assert [name.encode("utf-8", "surrogateescape") for name in read.members] == [b"\xff\xfe"]


def test_deflate_that_ends_early_is_reported(unpack):
    """Bytes behind the end of the compressed data, inside the member, are reported."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(b"1") + packer.flush() + b"hidden"
    read = unpack(_member(b"a", 8, packed, crc=zlib.crc32(b"1")) + _directory())
    assert read.members["a"] == b"1"
    assert read.notices[0].reason == "something else after the compressed data"


def test_overlapping_bomb_is_decoded_once(unpack):
    """A member inside another one's data is not decoded again and again."""
    packer = zlib.compressobj(wbits=-15)
    kernel = packer.compress(bytes(1 << 20)) + packer.flush()
    inner = _member(b"i", 8, kernel, crc=zlib.crc32(bytes(1 << 20)))
    outer = _member(b"o", 0, inner, crc=zlib.crc32(inner))
    central = b"PK\1\2" + bytes(24) + struct.pack("<3H", 0, 0, 0) + bytes(12)
    read = unpack(outer + central * 1000 + _directory())
    assert sum(len(data) for _, data in read.streams) == 1 << 20


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_zip_methods(unpack, zipped, method, streamed):
    """Stored, deflated, bzip2 and LZMA members come out, with their sizes before or behind the
    data.
    """
    members = {"a.log": DATA, "b/c.log": b"x", "PK": b".PK\x07\x08PK\x03\x04" * 9}
    read = unpack(zipped(members, method, streamed=streamed))
    assert read.members == members
    assert read.notices == []


def test_encrypted_member_is_reported(unpack, zipped):
    """A member under a password is reported, and the others are read."""
    data = bytearray(zipped({"secret": b"x" * 50, "open": b"y"}))
    data[6] |= 1
    read = unpack(bytes(data))
    assert read.members == {"open": b"y"}
    assert [(n.kind, n.member) for n in read.notices] == [("encrypted", "secret")]


def test_unknown_zip_method_is_reported(unpack, zipped):
    """A method that nobody decodes is reported by its number."""
    data = bytearray(zipped({"odd": b"x" * 50, "open": b"y"}))
    data[8] = 98
    read = unpack(bytes(data))
    assert read.members == {"open": b"y"}
    assert read.notices[0].reason == "compressed with zip method 98"


def test_wrong_checksum_is_reported(unpack, zipped):
    """A stored member whose bytes were changed is read, and reported."""
    data = zipped({"a": b"original content"}, zipfile.ZIP_STORED).replace(b"original", b"0riginal")
    read = unpack(data)
    assert read.members["a"] == b"0riginal content"
    assert read.notices[0].reason == "the checksum is wrong"


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
def test_descriptor_headers(signature: bytes, layout: str, after: bytes):
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
