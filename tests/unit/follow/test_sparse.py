"""Where the written part of a file ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jwtleak.follow import sparse
from jwtleak.follow.sparse import data_after, written_end, written_on


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    """An empty file."""
    number = os.open(tmp_path / "a", os.O_RDWR | os.O_CREAT)
    yield number
    os.close(number)


@settings(suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.integers(0, 200_000), st.binary(min_size=1, max_size=20)), max_size=5),
    st.integers(0, 300_000),
)
def test_the_last_byte_that_is_not_nul(fd: int, writes: list[tuple[int, bytes]], size: int) -> None:
    """Whatever was written where, with holes between, and however large the file is."""
    os.ftruncate(fd, 0)
    for offset, data in writes:
        os.pwrite(fd, data, offset)
    os.ftruncate(fd, size)
    content = os.pread(fd, 1 << 20, 0)
    assert written_end(fd, 0, size) == len(content.rstrip(b"\0"))
    start = min(1000, size)
    assert written_end(fd, start, size) == max(start, len(content.rstrip(b"\0")))


def test_a_huge_hole_costs_nothing(fd: int) -> None:
    """The end of a terabyte of nothing is found at once."""
    os.pwrite(fd, b"abc", 0)
    os.ftruncate(fd, 1 << 40)
    assert written_end(fd, 0, 1 << 40) == 3
    assert data_after(fd, 1 << 30, 1 << 40) == 1 << 40


def test_a_file_in_too_many_pieces(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the size counts as the end."""
    monkeypatch.setattr(sparse, "_MAX_EXTENTS", 3)
    for number in range(10):
        os.pwrite(fd, b"x", number << 20)
    os.ftruncate(fd, 11 << 20)
    assert written_end(fd, 0, 11 << 20) == 11 << 20


def test_data_after(fd: int) -> None:
    """Where there is data it is the offset itself; in a hole the next data; behind the end, or in a
    pipe, the offset.
    """
    os.pwrite(fd, b"x" * 4096, 1 << 20)
    size = (1 << 20) + 4096
    assert data_after(fd, 0, size) == 1 << 20
    assert data_after(fd, (1 << 20) + 5, size) == (1 << 20) + 5
    assert data_after(fd, size, size) == size
    reader, writer = os.pipe()
    assert data_after(reader, 7, 10) == 7
    os.close(reader)
    os.close(writer)


def test_a_shrunk_file(fd: int) -> None:
    """What is known to be written is not more than the file has."""
    os.pwrite(fd, b"x" * 10, 0)
    assert written_end(fd, 20, 10) == 10


def test_looking_only_at_the_next_place(fd: int) -> None:
    """A writer that fills reserved space is found without reading all that is left of it."""
    os.ftruncate(fd, 1 << 20)
    assert written_on(fd, 0, 1 << 20) == 0
    os.pwrite(fd, b"abc", 0)
    assert written_on(fd, 0, 1 << 20) == 3
    os.pwrite(fd, b"abc", 1 << 19)
    assert written_on(fd, 3, 1 << 20) == 3
    assert written_on(fd, 1 << 20, 1 << 20) == 1 << 20
