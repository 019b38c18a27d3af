"""UTF-16 and UTF-32."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwtleak.core.unwrap.interface import View
from jwtleak.core.unwrap.utf16 import Utf16

ENCODINGS = ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]
TOKEN = "eyJhbGciOiJub25lIn0"
BESIDE = ["", "\ufeff", "\0", "\0\0\0", "é", "é\0", "€", "日本", "\u4e00", "\U0001f600"]


def hit_of(region: bytes, encoding: str) -> int:
    gap = b"\0" * (3 if "32" in encoding else 1)
    return region.find(gap.join((b"e", b"y", b"J")))


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=60, deadline=None)
@given(
    before=st.text(
        st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="e"), max_size=30
    ),
    after=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=3000),
    data=st.data(),
)
def test_ascii_comes_back(encoding: str, before: str, after: str, data: st.DataObject) -> None:
    """Any ASCII around a needle is decoded whole, and a slice's original bytes are that slice,
    encoded.
    """
    text = before + "eyJ" + after
    region = text.encode(encoding)
    found = Utf16().unwrap_at(region, hit_of(region, encoding))
    assert found is not None
    name, view = found
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    first, last = view.span(start, end)
    assert name == encoding[:3] + encoding[4:6]
    assert view.data == text.encode()
    assert region[first:last] == text[start:end].encode(encoding)


def token_in(region: bytes, encoding: str) -> tuple[View, bytes]:
    found = Utf16().unwrap_at(region, hit_of(region, encoding))
    assert found is not None
    view = found[1]
    at = view.data.index(TOKEN.encode())
    first, last = view.span(at, at + len(TOKEN))
    return view, region[first:last]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("beside", BESIDE)
def test_byte_order_follows_from_one_neighbour(encoding: str, beside: str) -> None:
    """Units are cut where the encoder cut them, whatever stands on one side: marks, NUL characters,
    other scripts.
    """
    for text in (beside + TOKEN, TOKEN + beside, beside + TOKEN + " ", " " + TOKEN + beside):
        assert token_in(text.encode(encoding), encoding)[1] == TOKEN.encode(encoding), text


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("before", BESIDE)
def test_a_token_between_any_two_neighbours_is_whole(encoding: str, before: str) -> None:
    """Even where the byte order cannot be told, the token's characters are all there (little
    endian), or all but where both neighbours are above U+00FF (big endian).
    """
    for after in BESIDE:
        if (
            encoding.endswith("be")
            and max(before[-1:], "a") > "\xff"
            and max(after[:1], "a") > "\xff"
        ):
            continue
        assert token_in((before + TOKEN + after).encode(encoding), encoding)[1]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_unit_cut_by_the_end_is_what_there_is_of_it(encoding: str) -> None:
    """However many bytes of the last unit are missing, a character that is there is decoded and no
    span leaves.
    """
    region = "eyJhbGci".encode(encoding)
    for cut in range(1, 4 if "32" in encoding else 2):
        part = region[:-cut]
        found = Utf16().unwrap_at(part, hit_of(part, encoding))
        assert found is not None
        view = found[1]
        assert view.data == (b"eyJhbGci" if encoding.endswith("le") else b"eyJhbGc")
        first, last = view.span(0, 7)
        assert part[first:last].replace(b"\0", b"") == b"eyJhbGc"
        assert view.span(0, len(view.data))[1] <= len(part)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_region_may_begin_inside_a_unit(encoding: str) -> None:
    """A region cut at its beginning loses at most the unit that the cut broke, and no span leaves
    the region.
    """
    region = ("A" + TOKEN + " x").encode(encoding)
    for cut in range(1, 4 if "32" in encoding else 2):
        view, original = token_in(region[cut:], encoding)
        assert original.replace(b"\0", b"") == TOKEN.encode()
        assert view.span(0, 1)[0] >= 0
        assert view.span(0, len(view.data))[1] <= len(region) - cut


@pytest.mark.parametrize(
    ("region", "hit"),
    [(b"", 0), (b"eyJ", 0), (b"e\0y\0", 0), (b"\0e\0y\0J", 0), (b"e\0\0\0y", 0), (b"abc", 9)],
)
def test_what_is_no_run_is_declined(region: bytes, hit: int) -> None:
    """Fewer than three wide characters, or a hit that is no character, give nothing."""
    assert Utf16().unwrap_at(region, hit) is None


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_long_runs_are_whole(encoding: str) -> None:
    """A run far longer than the first look on either side is decoded to both ends."""
    text = "a" * 9000 + TOKEN + "b" * 9000
    view, original = token_in(("\u20ac" + text).encode(encoding), encoding)
    assert view.data == text.encode()
    assert original == TOKEN.encode(encoding)
