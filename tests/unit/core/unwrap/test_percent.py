"""Percent-encoding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtleak.core.unwrap.percent import Percent

TEXT = st.binary(max_size=80)


def encode(text: bytes, every: bool, lower: bool) -> bytes:
    form = "%%%02x" if lower else "%%%02X"
    return b"".join(
        (form % byte).encode() if every or not bytes((byte,)).isalnum() else bytes((byte,))
        for byte in text
    )


@given(text=TEXT, every=st.booleans(), lower=st.booleans())
def test_what_was_encoded_comes_back(text: bytes, every: bool, lower: bool) -> None:
    """Any bytes survive the way there and back, in either case."""
    region = encode(text, every, lower)
    view = Percent().unwrap(region)
    assert (region if view is None else view.data) == text


@given(text=st.binary(min_size=1, max_size=40), every=st.booleans(), data=st.data())
def test_a_slice_comes_from_its_own_escapes(text: bytes, every: bool, data: st.DataObject) -> None:
    """The original bytes of a slice are exactly that slice, encoded."""
    view = Percent().unwrap(encode(text, every, False))
    if view is None:
        return
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    first, last = view.span(start, end)
    assert encode(text, every, False)[first:last] == encode(text[start:end], every, False)


@pytest.mark.parametrize(
    ("region", "data"),
    [
        (b"eyJ%2Eb%2e", b"eyJ.b."),
        (b"a%252Eb", b"a%2Eb"),
        (b"%3DeyJ%", b"=eyJ%"),
        (b"%ZZ%2%2E", b"%ZZ%2."),
        (b"%FF", b"\xff"),
    ],
)
def test_one_level_is_undone(region: bytes, data: bytes) -> None:
    """Each `%XX` is one byte, once; anything else stays."""
    view = Percent().unwrap(region)
    assert view is not None
    assert view.data == data


def test_plain_text_is_left_alone() -> None:
    """Without an escape there is nothing to undo."""
    assert Percent().unwrap(b"eyJ.a.b 100% +") is None
