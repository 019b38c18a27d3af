"""Wrapped lines."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jwtleak.core.unwrap.line_wrap import LineWrap

WORDS = st.text("abcXYZ019-_.", min_size=1, max_size=200).map(str.encode)


@given(
    text=WORDS,
    width=st.integers(1, 80),
    end=st.sampled_from([b"\n", b"\r\n", b"\n  ", b"\r\n\t"]),
    data=st.data(),
)
def test_wrapped_text_comes_back(text: bytes, width: int, end: bytes, data: st.DataObject) -> None:
    """Any width and indentation is undone, and a slice's original bytes join to that slice. Where a
    line happens to end at a dot, the text reads as one segment a line, whose end is another rule's
    to find.
    """
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    assume(not any(line.endswith(b".") for line in lines[:-1]))
    region = end.join(lines)
    view = LineWrap().unwrap(region)
    if view is None:
        assert len(text) <= width
        return
    start = data.draw(st.integers(0, len(text) - 1))
    stop = data.draw(st.integers(start + 1, len(text)))
    first, last = view.span(start, stop)
    assert view.data == text
    assert region[first:last].replace(end, b"") == text[start:stop]
    assert region[first:last] == region[first:last].strip()


@pytest.mark.parametrize(
    ("region", "data"),
    [(b"a\r\n  b\n\nc d", b"abc d"), (b"a \nb", b"a b"), (b"\na", b"a"), (b"a\rb\n", b"a\rb")],
)
def test_line_ends_and_indentation_disappear(region: bytes, data: bytes) -> None:
    """Blanks before a line end and a lone carriage return stay."""
    view = LineWrap().unwrap(region)
    assert view is not None
    assert view.data == data


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n    "])
@pytest.mark.parametrize(
    "first", [b"", b"token=", b"Bearer ", b"some words of a log line before it\n"]
)
def test_the_last_line_is_shorter(end: bytes, first: bytes) -> None:
    """The line behind the last, shorter line of what was wrapped is not joined to it."""
    view = LineWrap().unwrap(
        first + end.join([b"eyJ" + b"a" * 61, b"b" * 64, b"c" * 20]) + b"\n2026-01-15T12"
    )
    assert view is not None
    assert view.data.endswith(b"eyJ" + b"a" * 61 + b"b" * 64 + b"c" * 20 + b"\n2026-01-15T12")


def test_a_segment_may_end_in_a_short_line() -> None:
    """A line that ends at a dot, or is followed by one, goes on whatever its length."""
    view = LineWrap().unwrap(b"aaaa.\nbbbbbb.\ncc")
    assert view is not None
    assert view.data == b"aaaa.bbbbbb.cc"
    view = LineWrap().unwrap(b"aaaaaa\nbbb\n.cc")
    assert view is not None
    assert view.data == b"aaaaaabbb.cc"


def test_a_long_last_segment_on_its_own_line() -> None:
    """Where each segment has its line, the line behind the last is not joined, though the last is
    the longest.
    """
    view = LineWrap().unwrap(b"aaaa.\nbbbbbb.\ncccccccccc\n2026-01-15T12")
    assert view is not None
    assert view.data == b"aaaa.bbbbbb.cccccccccc\n2026-01-15T12"


def test_one_line_is_left_alone() -> None:
    """Without a line end there is nothing to undo."""
    assert LineWrap().unwrap(b"eyJ.a.b and more") is None
