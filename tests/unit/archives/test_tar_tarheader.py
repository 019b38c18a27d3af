"""Tar headers."""

from __future__ import annotations

import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtleak.archives.tar import gnu_segments, number, parse_header, pax_records


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"00000000017\0", 15),
        (b"      17 \0", 15),
        (b"17\0garbage", 15),
        (b"\0" * 12, 0),
        (b"\x80" + bytes(3) + (1 << 40).to_bytes(8, "big"), 1 << 40),
        (b"00000000018\0", None),
        (b"-1\0", None),
        (b"GET / HT", None),
    ],
)
def test_numbers(field: bytes, value: int | None):
    """Octal and base 256 are numbers, and nothing else is."""
    assert number(field) == value


@pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
def test_header(layout: int):
    """Name, size and time are read from a block whose checksum is right, and a changed block is no
    header.
    """
    info = tarfile.TarInfo("d/a.log")
    info.size, info.mtime = 1234, 99
    block = info.tobuf(layout)
    header = parse_header(block)
    assert header is not None
    assert (header.name, header.size, header.mtime, chr(header.type)) == (b"d/a.log", 1234, 99, "0")
    assert parse_header(block[:511]) is None
    assert parse_header(b"x" + block[1:]) is None


def test_prefix():
    """A long ustar name is put together from its two fields."""
    info = tarfile.TarInfo("p" * 120 + "/" + "n" * 90)
    header = parse_header(info.tobuf(tarfile.USTAR_FORMAT))
    assert header is not None
    assert header.name == info.name.encode()


def test_directories_and_links_have_no_content():
    """A size stated for a link is not that of content behind it."""
    info = tarfile.TarInfo("l")
    info.type, info.size = tarfile.LNKTYPE, 500
    header = parse_header(info.tobuf(tarfile.GNU_FORMAT))
    assert header is not None
    assert not header.has_content


def test_pax_records():
    """Records are read up to the first that is malformed."""
    assert pax_records(b"12 path=a=b\n9 size=1\nxx y=z\n") == [(b"path", b"a=b"), (b"size", b"1")]
    assert pax_records(b"0 a=b\n") == []


def test_gnu_segments():
    """The old sparse table ends at its first empty entry."""
    table = b"00000001000\0" + b"00000000005\0" + bytes(24)
    assert gnu_segments(table) == [(512, 5)]


@given(st.binary(min_size=512, max_size=512))
def test_arbitrary_blocks(block: bytes):
    """No block raises, also when its checksum is right."""
    fixed = bytearray(block)
    fixed[148:156] = b" " * 8
    fixed[148:156] = b"%06o\0 " % sum(fixed)
    parse_header(bytes(fixed))
    pax_records(block)
    gnu_segments(block)
