"""Recognising formats."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtleak.archives.codecs import Codec
from jwtleak.archives.interface import load
from jwtleak.archives.sniff import is_undecided, sniff

SKIPPABLE = b"\x5e\x2a\x4d\x18\x03\0\0\0abc"


def test_each_format(pack, codec):
    """Every compressed format is recognised, and named."""
    found = sniff(pack(codec, b"x"))
    assert isinstance(found, Codec)
    assert found.name == codec


def test_containers(tar, zipped):
    """Tar and zip are recognised."""
    assert sniff(tar({"a": b"a"})[:512]) is load("tar")
    assert sniff(zipped({"a": b"a"})[:512]) is load("zip")


@pytest.mark.parametrize("name", ["zstd", "lz4"])
def test_behind_skippable_frames(pack, name):
    """The format of frames behind those without content is found; zstd it is when they go on beyond
    what is seen.
    """
    found = sniff(SKIPPABLE * 3 + pack(name, b"x"))
    assert isinstance(found, Codec)
    assert found.name == name
    assert sniff(SKIPPABLE * 50) is not None


@pytest.mark.parametrize(
    "head", [b"", b"P", b"PK", b"127.0.0.1 - - [", b"\x1f", b"BZ", b"\x28\xb5\x2f", b"*M\x18"]
)
def test_plain(head: bytes):
    """Text, and bytes too few to tell, are plain."""
    assert sniff(head) is None


def test_beginnings_are_undecided(pack, codec, tar, zipped):
    """Every cut of an archive's first bytes is recognised or waits for more."""
    for whole in (pack(codec, b"x" * 99), tar({"a": b"a"}), zipped({"a": b"a"}), SKIPPABLE * 9):
        for length in range(1, min(len(whole), 512)):
            assert sniff(whole[:length]) is not None or is_undecided(whole[:length])


@pytest.mark.parametrize(
    "head", [b"", b"GET / HTTP/1.1\n", b"x" * 101, b"\n", b"{}\n", b"#1/ar\n", bytes(512)]
)
def test_text_waits_for_nothing(head):
    """A line, or more printable bytes than a tar's first name has room for, is decided."""
    assert not is_undecided(head)


@given(st.binary(max_size=600))
def test_arbitrary_bytes(head: bytes):
    """No bytes raise."""
    is_undecided(head)
    sniff(head)
    sniff(b"\x50\x2a\x4d\x18" + head)
