"""Newlines are counted, whatever the processor."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtleak.core.line_buffer import WAYS, count_newlines


@pytest.mark.parametrize("count", [*WAYS, count_newlines])
@given(
    st.lists(
        st.sampled_from([b"\n", b"\n\n\n", b"a line\n", b"\0\xff\x0b\x09", bytes(range(256))])
    ),
    st.integers(0, 70_000),
)
def test_every_way_counts_alike(
    count: Callable[[memoryview], int], parts: list[bytes], filler: int
) -> None:
    """Each way gives what a plain count gives, of pieces of any length and alignment."""
    data = b"".join(parts) + b"x\n" * filler
    for start in (0, 1, 63):
        assert count(memoryview(data)[start:]) == data[start:].count(b"\n")


@pytest.mark.parametrize("count", WAYS)
def test_nothing_and_only_newlines(count: Callable[[memoryview], int]) -> None:
    """Nothing has none, and as many as fit are counted."""
    assert count(memoryview(b"")) == 0
    assert count(memoryview(b"\n" * 1_000_000)) == 1_000_000
