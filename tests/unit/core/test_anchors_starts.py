"""Where headers may begin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minting import b64

from jwtleak.core.anchors import BASE64URL, Anchors, header_starts, run_before

OPENINGS = ['{"', '{ "', '{\n"', '{\r\n"', '{\t"', "{\n  "]


def starts(data: bytes) -> list[int]:
    """The starts that the `alg` anchors of `data` propose."""
    anchors = Anchors(data, 0, len(data))
    found = []
    at = 0
    while (hit := anchors.next(at)) is not None:
        place, needle = hit
        at = place + 1
        if needle.role == "alg":
            found += header_starts(data, 0, place, needle.phase)
    anchors.release()
    return found


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("filler", ["", "a", "$b", "1bc", "é"])
@pytest.mark.parametrize("before", [b"", b"x", b"ghs_1", b"=", b"eyJ", b"eyJh", b"eyJhb", b"-_-_-"])
def test_every_opening_is_proposed(opening: str, filler: str, before: bytes) -> None:
    """However a header opens and whatever runs into it, its beginning is among the proposals."""
    name = '"' if opening.endswith('"') else ""
    text = f'{opening}{filler}":1,"alg":"x"}}' if name else f'{opening}"{filler}":1,"alg":"x"}}'
    data = before + b64(text).encode() + b".e30.x"
    assert len(before) in starts(data)


@given(st.binary(max_size=300))
def test_proposals_are_openings(data: bytes) -> None:
    """Only places where an opening stands are proposed, in order, and few for each anchor."""
    found = list(header_starts(data + b"ImFsZ", 0, len(data), 0))
    assert found == sorted(found)
    assert len(found) <= 16
    for at in found:
        assert data[at : at + 2] in (b"ey", b"ew")
        assert (len(data) - at) % 4 == 0


def test_hostile_runs_of_openings_are_bounded() -> None:
    """A run of openings gives at most sixteen proposals for an anchor."""
    data = b"eyJh" * 5000 + b"ImFsZ"
    assert len(list(header_starts(data, 0, len(data) - 5, 0))) == 16


@given(st.binary(max_size=700), st.integers(0, 700), st.integers(0, 700))
def test_runs_end_where_the_alphabet_does(data: bytes, floor: int, place: int) -> None:
    """`run_before` is the obvious walk backwards."""
    floor, place = sorted((min(floor, len(data)), min(place, len(data))))
    at = place
    while at > floor and data[at - 1] in BASE64URL:
        at -= 1
    assert run_before(data, floor, place) == at


@pytest.mark.parametrize("count", [1, 255, 256, 257, 511, 512, 5000])
def test_long_runs(count: int) -> None:
    """Runs of any length are walked whole, as far as the floor."""
    data = b". " + b"a" * count
    assert run_before(data, 0, len(data)) == 2
    assert run_before(data, 3, len(data)) == min(3, len(data))
