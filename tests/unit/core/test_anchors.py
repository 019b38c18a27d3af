"""Anchors: every needle's places, in order."""

from __future__ import annotations

import pytest
from encodings_of_tokens import BINARY, TEXT
from hypothesis import given
from hypothesis import strategies as st
from minting import kinds

from jwtleak.core import anchors
from jwtleak.core.anchors import LONGEST, Anchors, Needle
from jwtleak.core.unwrap.base64_twice import Base64Twice

LITERALS = [b"eyJ", b"ImFsZ", b"JhbGci", b"iYWxn", b"ZXlK", b"V5S", b"leU"]
TWICE = list(Base64Twice.needles)
SPREAD = [b"\0".join(bytes([byte]) for byte in literal) for literal in LITERALS]
TEXTS = st.lists(
    st.sampled_from([*LITERALS, *SPREAD, *TWICE, b"\0", b"e", b"y", b"x"]), max_size=20
).map(b"".join)


def walk(data: bytes, start: int = 0, end: int | None = None) -> list[tuple[int, Needle]]:
    walked = Anchors(data, start, len(data) if end is None else end)
    found = []
    at = start
    while (hit := walked.next(at)) is not None:
        found.append(hit)
        at = hit[0] + 1
    walked.release()
    return found


@given(TEXTS, st.integers(0, 40), st.integers(0, 80), st.sampled_from([1, 2, 5, 16, 128 * 1024]))
def test_places_are_those_of_a_plain_search(data: bytes, start: int, end: int, window: int) -> None:
    """Every place at which a needle stands whole within the limits comes up once, in order, however
    it is searched.
    """
    start, end = min(start, len(data)), min(end, len(data))
    expected = {
        at
        for literal in [*LITERALS, *SPREAD, *TWICE]
        for at in range(start, end)
        if data[at : min(end, at + len(literal))] == literal
    }
    wide = {b"\0\0\0".join(bytes([byte]) for byte in literal) for literal in LITERALS}
    expected |= {
        at
        for literal in wide
        for at in range(start, end)
        if data[at : min(end, at + len(literal))] == literal
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anchors, "_WINDOW", window)
        places = [place for place, _ in walk(data, start, end)]
    assert sorted(expected) == places


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("encoding", {**TEXT, **BINARY})
def test_an_anchor_stands_in_every_token(kind: str, encoding: str) -> None:
    """Each kind of token in each encoding has an anchor in it: without one it would never be looked
    at.
    """
    encode, _ = {**TEXT, **BINARY}[encoding]
    assert walk(encode(kinds()[kind]))


@pytest.mark.parametrize(
    "data", [b"eyJhbGci", b"JhbGciYWxn", b"eyJhbGciYWxn", b"ImFsZXlK", b"eyJ\0h\0b\0G\0c\0i"]
)
def test_a_needle_inside_another_is_not_hidden(data: bytes) -> None:
    """A search gives matches that do not overlap; needles that share bytes with one all come up."""
    assert len(walk(data)) == sum(data.count(literal) for literal in [*LITERALS, *SPREAD]) > 1


def test_the_search_stays_in_its_fast_mode() -> None:
    """There are no more needles than the search library looks for at full speed."""
    assert len(anchors.NEEDLES) <= anchors.MAX_NEEDLES


def test_longest_is_the_longest() -> None:
    """What must stay in a buffer so that a cut needle is seen whole is the length of the
    longest.
    """
    assert LONGEST == 21  # six characters of UTF-32 without the last one's NUL bytes
    assert (
        max(len(b"\0\0\0".join(bytes([byte]) for byte in literal)) for literal in LITERALS)
        == LONGEST
    )


def test_skip_settles_one_role() -> None:
    """Needles of one role before a place are left out, and those of others are not."""
    data = b"eyJ ImFsZ eyJ ImFsZ eyJ"
    walked = Anchors(data, 0, len(data))
    walked.skip("header", 12)
    found = []
    at = 0
    while (hit := walked.next(at)) is not None:
        found.append((hit[0], hit[1].role))
        at = hit[0] + 1
    walked.release()
    assert found == [(4, "alg"), (14, "alg"), (20, "header")]


def test_the_buffer_is_let_go() -> None:
    """After `release` the owner may change the length of its buffer."""
    buffer = bytearray(b"eyJ x")
    walked = Anchors(buffer, 0, len(buffer))
    walked.next(0)
    walked.release()
    buffer.extend(b"more")


def test_no_needle_ends_inside_another() -> None:
    """What is hidden in a match is looked for by the byte behind it: so it must go on there."""
    literals = [needle.literal for needle in anchors.NEEDLES]
    assert not [
        (one, other) for one in literals for other in literals if one is not other and one in other
    ]
