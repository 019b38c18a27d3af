"""What a file is known by."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jwtleak.follow.fingerprint import (
    compare,
    compare_head,
    digest,
    generation,
    head_length,
    same_generation,
)


@pytest.mark.parametrize(
    ("end", "length"),
    [
        (0, 0),
        (1, 1),
        (63, 63),
        (64, 64),
        (127, 64),
        (128, 128),
        (1023, 512),
        (1024, 1024),
        (9999, 1024),
    ],
)
def test_how_much_of_the_head_is_hashed(end: int, length: int) -> None:
    """Steps that double, and all of what is shorter than the first."""
    assert head_length(end) == length


def test_a_generation_stays_with_its_file(tmp_path: Path) -> None:
    """Renaming and cutting a file leave it; where the file system has none, it is None and fits
    any.
    """
    path = tmp_path / "a"
    path.write_bytes(b"x")
    with path.open("r+b") as file:
        before = generation(file.fileno())
        path.rename(tmp_path / "b")
        file.truncate(0)
        assert generation(file.fileno()) == before
    path.write_bytes(b"x")
    with path.open("rb") as file:
        other = generation(file.fileno())
    assert (before is None) == (other is None)
    assert before is None or before != other


def test_a_number_that_is_none_fits_any() -> None:
    """Only two numbers can contradict each other."""
    assert same_generation(None, 1)
    assert same_generation(1, None)
    assert same_generation(1, 1)
    assert not same_generation(1, 2)


def test_what_has_no_generation() -> None:
    """A pipe has none."""
    reader, writer = os.pipe()
    assert generation(reader) is None
    os.close(reader)
    os.close(writer)


def test_comparisons(tmp_path: Path) -> None:
    """The same bytes, other bytes, too few, none to compare, and an unreadable file all differ."""
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    fd = os.open(path, os.O_RDONLY)
    assert compare(fd, 2, 3, digest(b"234")) == "same"
    assert compare(fd, 2, 3, digest(b"235")) == "differs"
    assert compare(fd, 8, 3, digest(b"89")) == "differs"
    assert compare(fd, 2, 0, b"") == "none"
    os.close(fd)
    assert compare(fd, 2, 3, digest(b"234")) == "unread"


def test_heads() -> None:
    """The same for a head that was read already."""
    assert compare_head(b"abcdef", 3, digest(b"abc")) == "same"
    assert compare_head(b"abcdef", 3, digest(b"abd")) == "differs"
    assert compare_head(b"ab", 3, digest(b"ab")) == "differs"
    assert compare_head(b"ab", 0, b"") == "none"
