"""Quoted-printable."""

from __future__ import annotations

import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtleak.core.unwrap.quoted_printable import QuotedPrintable


def unwrapped(region: bytes) -> bytes:
    view = QuotedPrintable().unwrap(region)
    return region if view is None else view.data


@given(
    text=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=300).map(
        str.encode
    )
)
def test_what_the_library_encodes_comes_back(text: bytes) -> None:
    """Words that the standard library encodes and breaks are undone."""
    assert unwrapped(quopri.encodestring(text)) == text


@given(text=st.binary(min_size=1, max_size=40), data=st.data())
def test_a_slice_comes_from_its_own_escapes(text: bytes, data: st.DataObject) -> None:
    """The original bytes of a slice, soft breaks inside it included, decode to that slice."""
    region = b"=\r\n".join(b"=%02X" % byte for byte in text)
    view = QuotedPrintable().unwrap(region)
    assert view is not None
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    first, last = view.span(start, end)
    assert region[first:last] == b"=\r\n".join(b"=%02X" % byte for byte in text[start:end])


@pytest.mark.parametrize(
    ("region", "data"),
    [
        (b"a=2Eb=2e", b"a.b."),
        (b"a=\r\nb=\nc= \t\r\nd", b"abcd"),
        (b"a=3D=3D", b"a=="),
        (b"a=3D2E", b"a=2E"),
        (b"YQ== YQ=2E", b"YQ== YQ."),
        (b"=\r=\n", b"=\r"),
    ],
)
def test_one_level_is_undone(region: bytes, data: bytes) -> None:
    """Escapes and soft breaks are undone once; padding stays."""
    assert unwrapped(region) == data


def test_plain_text_is_left_alone() -> None:
    """Padding before a blank and hard line breaks are no escapes."""
    assert QuotedPrintable().unwrap(b"eyJhIjoxfQ== x\r\ny") is None
