"""Tar archives: layouts, extensions, sparse files, damage."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtleak.archives.tar import gnu_segments, number, parse_header, pax_records
from jwtleak.sources.interface import ArchiveLimits

END = bytes(1024)
DATA = b"GET / HTTP/1.1\n" * 500


def _entry(
    name: str, data: bytes, *, kind: bytes = tarfile.REGTYPE, pax: dict[str, str] | None = None
) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.pax_headers = len(data), kind, pax or {}
    return info.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % 512)


def _old_sparse(segments: list[tuple[int, int]], data: bytes, size: int) -> bytes:
    """A GNU sparse entry: four segments in the header, the rest in blocks of 21."""
    info = tarfile.TarInfo("s")
    info.size, info.type = len(data), b"S"
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    table = b"".join(b"%011o\0%011o\0" % segment for segment in segments)
    block[386:482], rest = table[:96].ljust(96, b"\0"), table[96:]
    block[482], block[483:495] = bool(rest), b"%011o\0" % size
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    extra = b""
    while rest:
        extra += rest[:504].ljust(504, b"\0") + bytes([len(rest) > 504]) + bytes(7)
        rest = rest[504:]
    return bytes(block) + extra + data + bytes(-len(data) % 512)


@pytest.mark.parametrize("count", [1, 4, 5, 30])
def test_old_gnu_sparse(unpack, count):
    """Holes of old sparse files are zeros, so that offsets are those of the file."""
    segments = [(1000 * n, 10) for n in range(count)]
    data = b"".join(b"%010d" % n for n in range(count))
    expected = b"".join(b"%010d" % n + bytes(990) for n in range(count))
    read = unpack(_old_sparse(segments, data, 1000 * count) + _entry("next", b"n") + END)
    assert read.members == {"s": expected, "next": b"n"}
    assert read.notices == []


@pytest.mark.parametrize("version", ["0.1", "1.0"])
def test_pax_sparse(unpack, version):
    """Both ways of pax to write a sparse map are understood, and the name is the real one."""
    pax = {"GNU.sparse.realsize": "3000", "GNU.sparse.name": "real.log"}
    content = b"abcde"
    if version == "0.1":
        pax |= {"GNU.sparse.map": "1000,2,2000,3"}
    else:
        pax |= {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
        content = b"2\n1000\n2\n2000\n3\n".ljust(512, b"\0") + content
    read = unpack(_entry("GNUSparseFile/x", content, pax=pax) + END)
    assert read.members == {"real.log": bytes(1000) + b"ab" + bytes(998) + b"cde" + bytes(997)}


def test_huge_hole_is_a_bomb(unpack):
    """A hole of four gigabytes is not filled with zeros."""
    read = unpack(_old_sparse([(0, 5), (1 << 32, 5)], b"abcdefghij", (1 << 32) + 5) + END)
    assert read.kinds == ["bomb"]
    assert read.streams[0][1][:5] == b"abcde"


def test_long_names(unpack, tar):
    """Names longer than a header come from GNU and pax extensions, and are cut at 1024."""
    for layout in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        name = "d/" * 400 + "n"
        assert list(unpack(tar({name: b"x"}, layout)).members) == [name]
        assert list(unpack(tar({"n" * 5000: b"x"}, layout)).members) == ["n" * 1024]


def test_oversized_extension_is_reported(unpack):
    """An extended header of megabytes is passed over, and the next member is read."""
    read = unpack(_entry("x", bytes(3 << 20), kind=b"x") + _entry("a", b"a") + END)
    assert read.members["a"] == b"a"
    assert read.notices[0].reason == "an extended tar header is too large"


def test_links_directories_and_devices(unpack):
    """Entries without content give no stream."""
    kinds = (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE)
    data = b"".join(_entry("x", b"", kind=kind) for kind in kinds)
    assert unpack(data + _entry("a", b"a") + END).members == {"a": b"a"}


def test_old_tar_without_magic(unpack):
    """A tar from before POSIX is recognised by its checksum."""
    block = bytearray(_entry("a", b"a"))
    block[257:265] = bytes(8)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    assert unpack(bytes(block) + END).members == {"a": b"a"}


def test_missing_end_mark_is_reported(unpack, tar):
    """A tar that ends where a member ends may still lack others."""
    read = unpack(_entry("a", b"a"), ArchiveLimits())
    assert (read.members, read.kinds) == ({"a": b"a"}, ["truncated"])


def test_truncated_inside_compression_is_reported_once(unpack, pack, tar):
    """The layer that ends early tells; those above it only end."""
    noise = io.BytesIO(bytes(range(256)) * 400).read()
    packed = pack("zstd", tar({"a": noise + b"1", "b": noise[::-1]}))
    read = unpack(packed[:-50])
    assert read.kinds == ["truncated"]


@pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar_layouts(unpack, tar, layout):
    """ustar, GNU and pax archives give every member with its name and size."""
    members = {
        "a.log": DATA,
        "dir/" + "n" * 90 + ".log": b"x" * 511,
        "empty": b"",
        "b.log": b"y" * 1024,
    }
    read = unpack(tar(members, layout))
    assert read.members == {name: data for name, data in members.items() if data}
    assert read.streams[0][0].size == len(DATA)
    assert read.streams[0][0].mtime_ms == 1_700_000_000_000
    assert read.notices == []


def test_damaged_tar_goes_on(unpack, tar):
    """After a damaged header the next member is found."""
    data = bytearray(tar({"a": b"a" * 600, "b": b"b" * 600, "c": b"c" * 600}))
    data[1536:1700] = b"\xff" * 164
    read = unpack(bytes(data))
    assert read.members["a"] == b"a" * 600
    assert read.members["c"] == b"c" * 600
    assert read.kinds == ["corrupt"]


def test_concatenated_tars(unpack, tar):
    """A tar behind the end of another is read too."""
    assert unpack(tar({"a": b"1"}) + tar({"b": b"2"})).members == {"a": b"1", "b": b"2"}


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
