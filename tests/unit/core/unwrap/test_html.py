"""Character references."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtleak.core.unwrap.html import Html

FORMS = ("&#{};", "&#0{};", "&#x{:x};", "&#X{:X};", "&#x{:04X};")


def unwrapped(region: bytes) -> bytes:
    view = Html().unwrap(region)
    return region if view is None else view.data


@given(text=st.text(st.characters(min_codepoint=1, max_codepoint=0x7F), max_size=60))
def test_what_the_library_escapes_comes_back(text: str) -> None:
    """`html.escape` is undone."""
    assert unwrapped(html.escape(text).encode()) == text.encode()


@given(
    text=st.text(st.characters(max_codepoint=0x7F), min_size=1, max_size=40),
    form=st.sampled_from(FORMS),
    data=st.data(),
)
def test_a_slice_comes_from_its_own_references(text: str, form: str, data: st.DataObject) -> None:
    """The original bytes of a slice are exactly that slice, encoded."""

    def encode(part: str) -> bytes:
        return "".join(one if one.isalnum() else form.format(ord(one)) for one in part).encode()

    view = Html().unwrap(encode(text))
    if view is None:
        return
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    first, last = view.span(start, end)
    assert view.data == text.encode()
    assert encode(text)[first:last] == encode(text[start:end])


@pytest.mark.parametrize(
    ("region", "data"),
    [
        (b"a&#46;b&#x2E;c&period;", b"a.b.c."),
        (b"&lowbar;&hyphen;&#45;&equals;&quot;&amp;&sol;", b'_--="&/'),
        (b"&amp;#46;", b"&#46;"),
        (b"&eacute;&#233;&#x1F600;&nbsp;", b"????"),
        (b"&#46;&bogus;&#46&#;&;", b".&bogus;&#46&#;&;"),
    ],
)
def test_one_level_is_undone(region: bytes, data: bytes) -> None:
    """Each reference is one byte, once; what is no reference stays."""
    assert unwrapped(region) == data


def test_plain_text_is_left_alone() -> None:
    """A query string's ampersands are no references."""
    assert Html().unwrap(b"?a=1&amp=2&token=eyJ") is None
