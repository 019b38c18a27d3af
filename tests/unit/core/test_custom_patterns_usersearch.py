"""User patterns over a stream: the same hits however the bytes come, each once."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwtleak.core.custom_patterns import BLOCK, REACH, UserPattern, UserPatterns, UserSearch

PATTERNS = UserPatterns(
    [
        UserPattern(
            id="acme.key", title="Acme key", regex=r"acme_[0-9a-f]{8}", keywords=("acme_",)
        ),
        UserPattern(
            id="acme.name",
            title="Name",
            regex=r"name=(?P<v>\w+)",
            keywords=("name=",),
            secret_group="v",
        ),
    ]
)
KEY = b"acme_0123abcd"
Hits = list[tuple[int, int, str]]


def run(data: bytes, cuts: Iterable[int] = (), patterns: UserPatterns = PATTERNS) -> Hits:
    """(Offset, end, pattern) of each hit, the buffer being the whole stream so far."""
    search = UserSearch(patterns)
    buffer = bytearray()
    hits = []
    for first, last in pairwise([0, *cuts, len(data)]):
        buffer += data[first:last]
        hits += search.scan(buffer, 0, len(buffer), final=False)
    hits += search.scan(buffer, 0, len(buffer), final=True)
    return [(hit.start, hit.end, hit.token.pattern) for hit in hits]


@pytest.mark.parametrize(
    "place",
    [0, 5, BLOCK - 13, BLOCK - 12, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK - 6, 3 * BLOCK + 77],
)
def test_hits_across_blocks(place: int) -> None:
    """A hit is given once wherever it stands to the borders of blocks."""
    data = b"." * place + KEY + b"." * BLOCK
    for step in (len(data), BLOCK, 10_007):
        assert run(data, range(step, len(data), step)) == [(place, place + len(KEY), "acme.key")]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40_000), st.booleans()), max_size=8),
    st.lists(st.integers(0, 400_000), max_size=5),
)
def test_any_cuts(parts: list[tuple[int, bool]], places: list[int]) -> None:
    """However a stream is cut, hits are the same, and each is where its text is."""
    data = b"".join(b" " * gap + (KEY if key else b"name=joe ") for gap, key in parts)
    hits = run(data, sorted({place % (len(data) + 1) for place in places}))
    assert hits == run(data)
    assert [name for _, _, name in hits] == ["acme.key" if key else "acme.name" for _, key in parts]
    assert all(data[start:end] in (KEY, b"joe") for start, end, _ in hits)


def test_a_flush_gives_a_hit_once() -> None:
    """What a pause brought out does not come again with the next bytes."""
    search = UserSearch(PATTERNS)
    buffer = bytearray(b"x " + KEY)
    assert len(search.scan(buffer, 0, len(buffer), final=True)) == 1
    buffer += b" and " + KEY + b" "
    (hit,) = search.scan(buffer, 0, len(buffer), final=True)
    assert hit.start == 20
    assert search.scan(buffer, 0, len(buffer), final=True) == []


def test_a_stream_may_begin_anywhere() -> None:
    """In the middle of a file blocks lie where they would lie from its beginning."""
    data = b"." * (BLOCK + 100) + KEY + b"." * (2 * BLOCK)
    begin = BLOCK - 500
    search = UserSearch(PATTERNS)
    search.open(begin)
    hits = search.scan(bytearray(data[begin:]), begin, len(data) - begin, final=True)
    assert [begin + hit.start for hit in hits] == [BLOCK + 100]


def test_an_unfinished_block_waits() -> None:
    """A block is run when all that its expressions may see is there."""
    search = UserSearch(PATTERNS)
    buffer = bytearray(KEY + b"." * (BLOCK + REACH - len(KEY) - 1))
    assert search.scan(buffer, 0, len(buffer), final=False) == []
    assert search.block == 0
    buffer += b"."
    assert len(search.scan(buffer, 0, len(buffer), final=False)) == 1
    assert search.block == BLOCK


def test_timeouts_are_counted() -> None:
    """An expression that takes too long is given up, and that is counted."""
    slow = UserPatterns(
        [UserPattern(id="bad.one", title="Bad", regex=r"key(a|aa)+b", keywords=("key",))],
        timeout=0.01,
    )
    search = UserSearch(slow)
    buffer = bytearray(b"key" + b"a" * 5000)
    assert search.scan(buffer, 0, len(buffer), final=True) == []
    assert search.timeouts == 1


def test_secrets_are_secret() -> None:
    """A hit holds its bytes as a secret only."""
    search = UserSearch(PATTERNS)
    (hit,) = search.scan(bytearray(KEY), 0, len(KEY), final=True)
    assert hit.token.raw.reveal() == KEY
    assert "0123" not in repr(hit)
