"""Bounds of one archive."""

from __future__ import annotations

import pytest

from jwtleak.archives.budget import GRACE, Budget
from jwtleak.sources.interface import ArchiveLimits, Notice


@pytest.fixture
def notices() -> list[Notice]:
    """All notices."""
    return []


def test_ratio_counts_after_the_grace(notices: list[Notice]):
    """A small file may give 64 MiB whatever its size, and not a byte more than its ratio then."""
    budget = Budget("x", 100, ArchiveLimits(), notices.append)
    assert budget.spend(GRACE)
    assert not budget.inside("m").spend(1)
    assert notices == [Notice("bomb", "x", "m", "unfolds to more than 1000 times its size", GRACE)]


def test_total_is_absolute(notices: list[Notice]):
    """The bound on bytes holds for a file of any size."""
    budget = Budget("x", 1 << 40, ArchiveLimits(max_archive_bytes=10), notices.append)
    assert budget.spend(10)
    assert not budget.spend(1)
    assert notices[0].reason == "unfolds to more than 10 bytes"


def test_unknown_size_grows_with_what_was_read(notices: list[Notice]):
    """Of standard input the ratio is to the bytes that were read so far."""
    budget = Budget("-", None, ArchiveLimits(), notices.append)
    budget.count_read(1 << 20)
    assert budget.spend(GRACE * 2)
    assert budget.spend((1000 << 20) - GRACE * 2)
    assert not budget.spend(1)


def test_nothing_is_reported_after_the_end(notices: list[Notice]):
    """What follows from the end of an archive is no news."""
    budget = Budget("x", 1, ArchiveLimits(), notices.append)
    budget.stop("input/output error")
    budget.inside("m").report_damage("damaged")
    assert not budget.spend(1)
    assert [n.kind for n in notices] == ["unreadable"]
    assert not budget.damaged


def test_memory_is_shared(notices: list[Notice]):
    """Decoders of one archive share its memory and release it."""
    budget = Budget("x", 1, ArchiveLimits(max_memory=10), notices.append)
    assert budget.reserve(6)
    assert not budget.reserve(5)
    budget.release(6)
    assert budget.reserve(10)
    budget.inside("m").report_memory(5 << 20)
    assert notices[0].reason == "needs 5 MiB of memory to decompress"


def test_members_share_one_account(notices: list[Notice]):
    """The budget of a member differs by the name in its notices, and by nothing else."""
    budget = Budget("x", 1, ArchiveLimits(max_archive_bytes=10), notices.append)
    inner = budget.inside("a").inside("b")
    assert inner.spend(6)
    inner.report_damage("damaged", 6)
    assert budget.damaged
    assert not budget.spend(5)
    assert inner.stopped
    assert [(n.kind, n.member) for n in notices] == [("corrupt", "a!b"), ("bomb", None)]
