"""Backslash escapes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtleak.core.unwrap.escapes import Escapes

ASCII = st.text(st.characters(max_codepoint=0x7F), max_size=60)


def unwrapped(region: bytes) -> bytes:
    view = Escapes().unwrap(region)
    return region if view is None else view.data


@given(text=ASCII)
def test_json_strings_come_back(text: str) -> None:
    """The content of any ASCII JSON string is undone as a JSON parser does."""
    assert unwrapped(json.dumps(text)[1:-1].encode()) == text.encode()


@given(text=ASCII)
def test_json_in_json_takes_two_passes(text: str) -> None:
    """A string inside a string is undone one level at a time."""
    assert unwrapped(unwrapped(json.dumps(json.dumps(text)[1:-1])[1:-1].encode())) == text.encode()


@given(text=st.text(st.characters(max_codepoint=0x7F), min_size=1, max_size=40), data=st.data())
def test_a_slice_comes_from_its_own_escapes(text: str, data: st.DataObject) -> None:
    """The original bytes of a slice are exactly that slice, escaped."""
    region = "".join(f"\\u{ord(one):04x}" if not one.isalnum() else one for one in text).encode()
    view = Escapes().unwrap(region)
    if view is None:
        return
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    first, last = view.span(start, end)
    assert unwrapped(region[first:last]) == text[start:end].encode()


@pytest.mark.parametrize(
    ("region", "data"),
    [
        (rb"\x22eyJ\x2Ea", b'"eyJ.a'),
        (rb"a\u002eb\u002E", b"a.b."),
        (rb"\\u002e", rb"\u002e"),
        (rb"\\\u002e", rb"\."),
        (rb"a\/b\"c\'d", b"a/b\"c'd"),
        (rb"a\_b\-c\.d\=", b"a_b-c.d="),
        (rb"\b\f\n\r\t", b"\b\f\n\r\t"),
        (rb"\u00e9\u0041\ud83d\ude00", b"?A??"),
        (rb"\x2E\q\u12", rb".\q\u12"),
    ],
)
def test_one_level_is_undone(region: bytes, data: bytes) -> None:
    """Each escape is one byte, once; what is no escape stays."""
    assert unwrapped(region) == data


def test_plain_text_is_left_alone() -> None:
    """Without an escape there is nothing to undo."""
    assert Escapes().unwrap(rb"eyJ.a.b \q") is None
