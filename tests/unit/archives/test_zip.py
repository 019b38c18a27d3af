"""Zip archives: methods, descriptors, encryption, damage."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest
import zstandard

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
