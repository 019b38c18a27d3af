"""Ar archives: deb, long names of GNU and BSD, padding, damage, hostile headers."""

from __future__ import annotations

import random

import pytest
from archive_fixtures import ar_entry, make_ar
from hypothesis import given
from hypothesis import strategies as st

from jwtleak.archives.ar import CONTAINER, MAX_NAMES, parse_header
from jwtleak.sources.interface import ArchiveLimits

MAGIC = b"!<arch>\n"
DATA = b"GET / HTTP/1.1\n" * 501


def test_members(unpack):
    """Every member has its name, size and time; the byte behind an odd size is padding."""
    members = {"debian-binary": b"2.0\n", "odd": b"123", "even": b"1234", "big": DATA}
    read = unpack(make_ar(members))
    assert (read.members, read.notices) == (members, [])
    info = read.streams[-1][0]
    assert (info.size, info.mtime_ms, info.compressed) == (len(DATA), 1_700_000_000_000, False)


def test_missing_padding(unpack):
    """Writers that forget the padding, between members or at the end, are understood."""
    data = MAGIC + ar_entry(b"a", b"123")[:-1] + ar_entry(b"b", b"12345")[:-1]
    read = unpack(data)
    assert (read.members, read.notices) == ({"a": b"123", "b": b"12345"}, [])


def test_gnu_long_names(unpack):
    """Names in the table are found by their place in it; short ones end in a slash."""
    table = b"a long name of an object.o/\nanother one with blanks .o/\n"
    second = table.index(b"another")
    data = MAGIC + ar_entry(b"/", b"\0\0\0\0", b"0") + ar_entry(b"//", table)
    data += ar_entry(b"/0", b"1") + ar_entry(b"/%d" % second, b"2") + ar_entry(b"short.o/", b"3")
    read = unpack(data)
    assert read.members == {
        "/": b"\0\0\0\0",
        "a long name of an object.o": b"1",
        "another one with blanks .o": b"2",
        "short.o": b"3",
    }
    assert read.notices == []


def test_bsd_long_names(unpack):
    """A name in front of the content is no part of it, and counts for the padding."""
    for name in (b"a name that is longer than sixteen", b"odd\0\0"):
        body = name + b"content"
        data = MAGIC + ar_entry(b"#1/%d" % len(name), body) + ar_entry(b"next", b"n")
        read = unpack(data)
        assert read.members == {name.rstrip(b"\0").decode(): b"content", "next": b"n"}
        assert read.streams[0][0].size == len(b"content")
        assert read.notices == []


@pytest.mark.parametrize("name", [b"/99", b"#1/99", b"#1/x", b"/", b"", b"/SYM64/", b"\xff"])
def test_names_that_point_nowhere(unpack, name):
    """A name that means nothing is a name; a BSD name is never longer than its member."""
    read = unpack(MAGIC + ar_entry(name, b"12345") + ar_entry(b"next", b"n"))
    assert read.members["next"] == b"n"
    assert sum(map(len, read.members.values())) in (1, 6)
    assert read.notices == []


def test_large_table_of_names_is_reported(unpack):
    """A table of names beyond the bound is skipped, and the members are read."""
    data = MAGIC + ar_entry(b"//", b"n/\n" * MAX_NAMES) + ar_entry(b"/0", b"x")
    read = unpack(data)
    assert read.members["/0"] == b"x"
    assert [n.reason for n in read.notices] == ["the table of names in the ar is too large"]


def test_deb_is_unpacked_at_the_default_depth(unpack, pack, tar):
    """A package gives its control files and its data, and a compressed file in that too."""
    for codec, suffix in (("gzip", "gz"), ("xz", "xz"), ("zstd", "zst")):
        files = {"./etc/app.conf": DATA, "./usr/share/doc/app/changelog.gz": pack("gzip", b"log")}
        data = make_ar(
            {
                "debian-binary": b"2.0\n",
                f"control.tar.{suffix}": pack(codec, tar({"./control": b"Package: app\n"})),
                f"data.tar.{suffix}": pack(codec, tar(files)),
            }
        )
        read = unpack(data)
        assert read.members == {
            "debian-binary": b"2.0\n",
            f"control.tar.{suffix}!./control": b"Package: app\n",
            f"data.tar.{suffix}!./etc/app.conf": DATA,
            f"data.tar.{suffix}!./usr/share/doc/app/changelog.gz": b"log",
        }
        assert read.notices == []


@pytest.mark.parametrize("eighth", range(1, 8))
def test_truncated(unpack, eighth):
    """What is there before a cut is read, and the cut is reported."""
    members = {f"{n}.log": random.Random(n).randbytes(20_001) for n in range(8)}
    data = make_ar(members)
    read = unpack(data[: len(data) * eighth // 8 - 100])  # not where a member ends
    assert read.kinds == ["truncated"]
    assert all(members[name].startswith(content) for name, content in read.members.items())
    assert sum(map(len, read.members.values())) > len(data) * eighth // 8 - 1024


def test_cut_in_a_header_or_in_the_names(unpack):
    """A header or a table of names that is cut off is reported."""
    for tail in (ar_entry(b"b", b"")[:30], ar_entry(b"//", b"name/\n" * 9)[:70]):
        read = unpack(make_ar({"a": b"aa"}) + tail)
        assert (read.members, read.kinds) == ({"a": b"aa"}, ["truncated"])


def test_damage_costs_only_what_it_hits(unpack):
    """After a damaged header the next member is found, and one notice is enough for many."""
    entries = [ar_entry(b"%d" % n, b"%d" % n * 600) for n in range(6)]
    for broken in (1, 3):
        entries[broken] = b"\xff" * 20 + entries[broken][20:48] + b"?" * 12 + entries[broken][60:]
    data = MAGIC + b"".join(entries)
    read = unpack(data)
    assert {name for name in read.members if name} == {"0", "2", "4", "5"}
    assert read.members[None] == data
    assert [n.reason for n in read.notices] == ["the ar is damaged"]


def test_hostile_sizes_and_names(unpack):
    """A size of gigabytes ends with the file, a negative one is damage, odd names are just
    names.
    """
    huge = ar_entry(b"huge", b"").replace(b"0         `\n", b"9999999999`\n")
    read = unpack(make_ar({"../../x\0y": b"ok"}) + huge + b"x")
    assert read.members == {"../../x\0y": b"ok", "huge": b"x"}
    assert read.kinds == ["truncated"]
    negative = ar_entry(b"bad", b"").replace(b"0         `\n", b"-1        `\n")
    read = unpack(make_ar({"a": b"aa"}) + negative + ar_entry(b"b", b"b"))
    assert {"a", "b"} <= set(read.members)
    assert read.kinds == ["corrupt"]


def test_many_members_stay_within_the_budget(unpack, pack):
    """Members count together against the bounds of the archive, and one notice ends it."""
    packed = pack("gzip", MAGIC + ar_entry(b"n", bytes(900)) * 5000)
    read = unpack(packed, ArchiveLimits(max_archive_bytes=1 << 20))
    assert read.kinds == ["bomb"]
    assert sum(len(data) for _, data in read.streams) <= 1 << 20


@pytest.mark.parametrize(
    "head", [b"!<arch>", b"!<arch>\nhello", b"!<thin>\n" + ar_entry(b"a", b""), b"!<arch>\n" * 20]
)
def test_a_magic_alone_is_no_ar(head):
    """Only a header, or nothing, follows the magic; a thin archive holds no content."""
    assert not CONTAINER.starts(head)


def test_empty_archive(unpack):
    """An archive without members gives no stream."""
    read = unpack(MAGIC)
    assert (read.streams, read.notices) == ([], [])


@given(st.binary(max_size=80))
def test_arbitrary_bytes(data: bytes):
    """No bytes raise."""
    parse_header(data)
    parse_header(data[:58].ljust(58, b"0") + b"`\n")
