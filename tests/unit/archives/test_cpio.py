"""Cpio archives: headers, padding, links, checksums, damage, hostile headers."""

from __future__ import annotations

import random
import shutil
import subprocess

import pytest
from archive_fixtures import cpio_entry, make_cpio
from hypothesis import given
from hypothesis import strategies as st

from jwtleak.archives.cpio import CONTAINER, MAX_NAME, parse_header
from jwtleak.sources.interface import ArchiveLimits

DATA = b"GET / HTTP/1.1\n" * 500
TRAILER = cpio_entry("TRAILER!!!", b"")


@pytest.mark.parametrize("checked", [False, True])
def test_members(unpack, checked):
    """Both formats give every member with its name, size and time, whatever the padding."""
    members = {f"./d/{'n' * n}": b"x" * n for n in range(1, 9)} | {"big": DATA}
    read = unpack(make_cpio(members, checked=checked))
    assert (read.members, read.notices) == (members, [])
    info = read.streams[-1][0]
    assert (info.size, info.mtime_ms, info.compressed) == (len(DATA), 1_700_000_000_000, False)


def test_hard_links_have_their_content_once(unpack):
    """Of three names of one file the last carries the content; the others give no stream."""
    links = b"".join(
        cpio_entry(name, data, ino=7, nlink=3)
        for name, data in (("a", b""), ("b", b""), ("c", b"content"))
    )
    assert unpack(links + TRAILER).members == {"c": b"content"}


def test_directories_and_links_without_content(unpack):
    """A directory gives no stream; the target of a symbolic link is content like any other."""
    data = cpio_entry("d", b"", mode=0o040755) + cpio_entry("l", b"/target", mode=0o120777)
    assert unpack(data + TRAILER).members == {"l": b"/target"}


def test_wrong_checksum_is_reported(unpack):
    """A member of the crc format whose bytes were changed is read, and reported."""
    data = make_cpio({"a": b"original", "b": b"b"}, checked=True).replace(b"original", b"0riginal")
    read = unpack(data)
    assert read.members == {"a": b"0riginal", "b": b"b", None: data}
    assert [(n.member, n.reason) for n in read.notices] == [("a", "the checksum is wrong")]


def test_concatenated(unpack):
    """A second archive behind the padding of the first is read too."""
    assert unpack(make_cpio({"a": b"1"}) + make_cpio({"b": b"2"})).members == {
        "a": b"1",
        "b": b"2",
    }


def test_something_else_behind_is_reported_and_read(unpack):
    """Bytes behind the trailer are reported, and the raw file is scanned as well."""
    data = make_cpio({"a": b"1"}) + b"hidden behind the end"
    read = unpack(data)
    assert read.members == {"a": b"1", None: data}
    assert [n.reason for n in read.notices] == ["something else after the cpio"]


@pytest.mark.parametrize("eighth", range(1, 8))
def test_truncated(unpack, eighth):
    """What is there before a cut is read, and the cut is reported."""
    members = {f"{n}.log": random.Random(n).randbytes(20_000) for n in range(8)}
    data = make_cpio(members)
    read = unpack(data[: len(data) * eighth // 8])
    assert set(read.kinds) == {"truncated"}
    assert all(members[name].startswith(content) for name, content in read.members.items())
    assert sum(map(len, read.members.values())) > len(data) * eighth // 8 - 2048


def test_missing_trailer_is_reported(unpack):
    """An archive that ends where a member ends may lack others; so may one cut in a header."""
    for tail in (b"", b"0707", cpio_entry("b", b"")[:60]):
        read = unpack(cpio_entry("a", b"a") + tail)
        assert (read.members, read.kinds) == ({"a": b"a"}, ["truncated"])
    assert unpack(make_cpio({"a": b"a"}) + b"070701 cut").kinds == ["truncated"]


def test_damage_costs_only_what_it_hits(unpack):
    """After a damaged header the next member is found, and one notice is enough for many."""
    entries = [cpio_entry(f"{n}", b"%d" % n * 600) for n in range(6)]
    for broken in (1, 3):
        entries[broken] = b"\xff" * 20 + entries[broken][20:]
    data = b"".join(entries) + TRAILER
    read = unpack(data)
    assert {name for name in read.members if name} == {"0", "2", "4", "5"}
    assert read.members[None] == data
    assert [n.reason for n in read.notices] == ["the cpio is damaged"]


@pytest.mark.parametrize(
    "fields",
    [{"namesize": 0}, {"namesize": MAX_NAME + 1}, {"namesize": 0xFFFFFFFF}],
)
def test_impossible_names_are_damage(unpack, fields):
    """A header that claims a name of gigabytes does not hide what follows."""
    read = unpack(cpio_entry("a", b"a") + cpio_entry("x", b"x", **fields) + make_cpio({"b": b"b"}))
    assert {"a", "b"} <= set(read.members)
    assert read.kinds == ["corrupt"]


def test_hostile_sizes_and_names(unpack):
    """A size of four gigabytes ends with the file; odd names are only names."""
    read = unpack(
        cpio_entry("../../etc/x\0hidden", b"ok") + cpio_entry("huge", b"x", filesize=2**32 - 1)
    )
    assert read.members["../../etc/x"] == b"ok"
    assert read.members["huge"].startswith(b"x")
    assert read.kinds == ["truncated"]


def test_many_members_stay_within_the_budget(unpack, pack):
    """Members count together against the bounds of the archive, and one notice ends it."""
    packed = pack("gzip", b"".join(cpio_entry("n", bytes(900)) for _ in range(5000)))
    read = unpack(packed, ArchiveLimits(max_archive_bytes=1 << 20))
    assert read.kinds == ["bomb"]
    assert sum(len(data) for _, data in read.streams) <= 1 << 20


def test_compressed_members_and_archives(unpack, pack):
    """`x.cpio.gz` is one archive, and what its members hold is unpacked."""
    data = pack("gzip", make_cpio({"a.log.xz": pack("xz", DATA), "in": make_cpio({"b": b"b"})}))
    read = unpack(data, ArchiveLimits(max_depth=2))
    assert read.members == {"a.log.xz": DATA, "in!b": b"b"}


@pytest.mark.parametrize(
    "head",
    [
        b"070701",
        b"070701 a line of a log that begins with a number" * 9,
        cpio_entry("a", b"")[:109],
        b"070701" + b"+0000001" * 13,
        b"070707" + b"000000" * 20,
    ],
)
def test_a_magic_alone_is_no_cpio(head):
    """Only a whole header with hexadecimal fields and a name begins one."""
    assert not CONTAINER.starts(head)


def test_header():
    """Sizes, time and checksum are read, in either case of digits."""
    header = parse_header(cpio_entry("name", b"xyz", checked=True).replace(b"A", b"a"))
    assert header is not None
    assert (header.size, header.mtime, header.name_size) == (3, 1_700_000_000, 5)
    assert (header.check, header.length) == (sum(b"xyz"), 116)


@given(st.binary(max_size=200))
def test_arbitrary_bytes(data: bytes):
    """No bytes raise."""
    parse_header(b"070701" + data)


@pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is not installed")
@pytest.mark.parametrize("layout", ["newc", "crc"])
def test_the_real_tool(unpack, tmp_path, layout):
    """What cpio writes is read, hard links included."""
    (tmp_path / "a").write_bytes(DATA)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    made = subprocess.run(
        ["cpio", "-o", "-H", layout], cwd=tmp_path, input=b"a\nb\n", capture_output=True, check=True
    )
    read = unpack(made.stdout)
    assert (list(read.members.values()), read.notices) == ([DATA], [])
