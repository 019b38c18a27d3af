"""Bounds of one archive."""

from __future__ import annotations

import pytest

from jwtleak.archives.budget import GRACE, Budget
from jwtleak.sources.interface import ArchiveLimits, Notice


@pytest.fixture
def notices() -> list[Notice]:
    """What was told."""
    return []


def test_ratio_counts_after_the_grace(notices: list[Notice]):
    """A small file may give 64 MiB whatever its size, and not a byte more than its ratio then."""
    budget = Budget("x", 100, ArchiveLimits(), notices.append)
    assert budget.spend(GRACE, None)
    assert not budget.spend(1, "m")
    assert notices == [Notice("bomb", "x", "m", "unfolds to more than 1000 times its size", GRACE)]


def test_total_is_absolute(notices: list[Notice]):
    """The bound on bytes holds for a file of any size."""
    budget = Budget("x", 1 << 40, ArchiveLimits(max_archive_bytes=10), notices.append)
    assert budget.spend(10, None)
    assert not budget.spend(1, None)
    assert notices[0].reason == "unfolds to more than 10 bytes"


def test_unknown_size_grows_with_what_was_read(notices: list[Notice]):
    """Of standard input the ratio is to the bytes that were read so far."""
    budget = Budget("-", None, ArchiveLimits(), notices.append)
    budget.taken = 1 << 20
    assert budget.spend(GRACE * 2, None)
    assert budget.spend((1000 << 20) - GRACE * 2, None)
    assert not budget.spend(1, None)


def test_nothing_is_told_after_the_end(notices: list[Notice]):
    """What follows from the end of an archive is no news."""
    budget = Budget("x", 1, ArchiveLimits(), notices.append)
    budget.stop("input/output error")
    budget.damage("m", "damaged")
    assert not budget.spend(1, None)
    assert [n.kind for n in notices] == ["unreadable"]
    assert not budget.damaged


def test_memory_is_shared(notices: list[Notice]):
    """Decoders of one archive share its memory, and give it back."""
    budget = Budget("x", 1, ArchiveLimits(max_memory=10), notices.append)
    assert budget.reserve(6)
    assert not budget.reserve(5)
    budget.release(6)
    assert budget.reserve(10)
    budget.lacks("m", 5 << 20)
    assert notices[0].reason == "needs 5 MiB of memory to decompress"
