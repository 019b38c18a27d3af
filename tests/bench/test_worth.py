"""The measurement of what tables cost runs and finds what there is to find."""

from __future__ import annotations

import pytest
from bench import worth
from bench.data import MB


def test_the_lines_are_repeated() -> None:
    """The second log holds a few hundred tokens and no more."""
    lines = b"".join(worth.repeated(3, MB)).splitlines()
    assert len({line for line in lines if b"access_token" in line}) == 256
    assert len(lines) > 3 * 256


@pytest.mark.slow
def test_both_sides_find_the_same() -> None:
    """A smoke run gives both ratios, and would stop if one side found less."""
    assert [row.name.split()[0] for row in worth.rows(MB, 1)] == ["distinct", "repeated"]
