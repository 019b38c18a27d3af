"""The map of a view, and what every unwrapper of text promises."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwtleak.core.unwrap import ALL, LINES, REGIONS, Unwrapper, View
from jwtleak.core.unwrap.interface import WORD, rewrite

# Bytes from which escapes of every kind arise often.
HOSTILE = st.lists(
    st.sampled_from(
        [bytes((one,)) for one in b"%\\&#;=xXu0123456789abcdefABCDEF\r\n\t \0.eyJ"]
        + [
            b"%2E",
            b"\\u002e",
            b"\\u20ac",
            b"\\x2E",
            b"\\\\",
            b'\\"',
            b"&#46;",
            b"&#x2E;",
            b"&period;",
            b"=2E",
            b"=\r\n",
            b"\xff",
        ]
        + [
            b"ZXlKaGJHY2lPaUpJVXpJMU5pSjk",
            b"V5S",
            b"leU",
            b"\n  ",
            b"e\0y\0J\0",
            b"e\0\0\0y\0\0\0J\0\0\0",
        ]
        + [
            b"\n2026-01-02T03:04:05Z stdout P ",
            b"\n2026-01-02T03:04:05Z stderr F ",
            b'{"log":"',
            b'","stream":"stdout"}\n',
        ]
    ),
    max_size=60,
).map(b"".join)


def every_span(view: View) -> list[tuple[int, int]]:
    return [view.span(at, at + 1) for at in range(len(view.data))]


@pytest.mark.parametrize("unwrapper", ALL, ids=lambda one: one.name)
@settings(max_examples=60, deadline=None)
@given(region=HOSTILE)
def test_spans_lie_in_the_region_in_order_without_overlap(
    unwrapper: Unwrapper, region: bytes
) -> None:
    """Decoded bytes come from disjoint, ascending places of the region, whatever it holds."""
    view = unwrapper.unwrap(region)
    if view is None:
        return
    spans = every_span(view)
    assert all(0 <= start < end <= len(region) for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


@pytest.mark.parametrize("unwrapper", ALL, ids=lambda one: one.name)
@settings(max_examples=60, deadline=None)
@given(region=HOSTILE, cut=st.integers(0, 200))
def test_a_longer_region_changes_only_the_end(
    unwrapper: Unwrapper, region: bytes, cut: int
) -> None:
    """What a prefix of a region decodes to is a prefix of the whole, but for an escape that the cut
    broke.
    """
    part, whole = unwrapper.unwrap(region[:cut]), unwrapper.unwrap(region)
    if part is not None:
        assert whole is not None
        assert whole.data.startswith(part.data[:-12])


@pytest.mark.parametrize("unwrapper", ALL, ids=lambda one: one.name)
@settings(max_examples=60, deadline=None)
@given(region=HOSTILE)
def test_nothing_to_undo_means_none(unwrapper: Unwrapper, region: bytes) -> None:
    """A view is returned only when it differs from the region."""
    view = unwrapper.unwrap(region)
    assert view is None or view.data != region


@settings(max_examples=100, deadline=None)
@given(region=st.one_of(st.binary(max_size=300), HOSTILE))
def test_no_bytes_make_an_unwrapper_raise(region: bytes) -> None:
    """Arbitrary bytes, at any hit, are decoded or declined."""
    for unwrapper in (*ALL, *LINES):
        unwrapper.unwrap(region)
    for unwrapper in LINES:
        unwrapper.applies(region)
    for hit in range(0, len(region) + 2, 5):
        for decoder in REGIONS:
            decoder.plausible(region, hit)
            decoder.unwrap_at(region, hit)


@pytest.mark.parametrize("unwrapper", ALL, ids=lambda one: one.name)
def test_alphabets_hold_whole_words(unwrapper: Unwrapper) -> None:
    """Every alphabet contains a compact token's bytes and the bytes at which a plain match
    stops.
    """
    assert set(WORD) <= set(unwrapper.alphabet)
    assert set(unwrapper.stops) <= set(unwrapper.alphabet)


def test_names_are_those_of_the_alert_contract() -> None:
    """`channel.encodings` shows these names."""
    names = [one.name for one in (*ALL, *LINES)]
    assert names == ["percent", "json", "html", "quoted_printable", "line_wrap", "cri", "docker"]


@pytest.mark.parametrize(("start", "end"), [(0, 0), (1, 1), (2, 1), (-1, 1), (0, 4)])
def test_a_span_of_nothing_is_an_error(start: int, end: int) -> None:
    """A span is of at least one byte, all of it decoded."""
    with pytest.raises(ValueError, match="at least one"):
        View(b"abc", ((0, 0, 1, 1),)).span(start, end)


def test_fractional_segments_round_outwards() -> None:
    """A base64 byte occupies every character that holds a bit of it."""
    view = View(b"abcdef", ((0, 10, 4, 3),))
    assert every_span(view) == [(10, 12), (11, 13), (12, 14), (14, 16), (15, 17), (16, 18)]


def test_a_gap_belongs_to_the_span_around_it_only() -> None:
    """Deleted bytes are covered between two decoded bytes, not before or after them."""
    view = View(b"ab", ((0, 0, 1, 1), (1, 5, 1, 1)))
    assert (view.span(0, 1), view.span(0, 2), view.span(1, 2)) == ((0, 1), (0, 6), (5, 6))


def test_a_view_does_not_show_its_data() -> None:
    """Neither repr nor str of a view contains what was decoded, and it cannot be pickled."""
    view = View(b"eyJ-private", ((0, 0, 1, 1),))
    assert "eyJ" not in f"{view!r} {view} {list(view.__rich_repr__())}"
    with pytest.raises(TypeError, match="pickled"):
        view.__reduce__()


def test_rewrite_keeps_what_decode_declines() -> None:
    """A match for which `decode` says None stays as it is."""
    pattern = re.compile(rb"<.>")
    assert rewrite(b"a<b>c", pattern, lambda match: None) is None
    view = rewrite(b"<1><2>", pattern, lambda match: b"2" if match[0] == b"<2>" else None)
    assert view is not None
    assert (view.data, view.span(3, 4)) == (b"<1>2", (3, 6))


@pytest.mark.parametrize(
    "escape",
    [
        b"%2E",
        b"\\u002e",
        b"\\x2e",
        b'\\"',
        b"&#46;",
        b"=2E",
        b"=\n",
        b"\r\n",
        b"&&#",
        b"\\",
        b"=   ",
    ],
)
def test_a_large_region_costs_segments_not_bytes(escape: bytes) -> None:
    """256 KiB of any escape gives at most one segment for each escape, and one run of escapes gives
    one.
    """
    region = escape * (256 * 1024 // len(escape))
    for unwrapper in ALL:
        view = unwrapper.unwrap(region)
        assert view is None or len(view.segments) <= len(region) // len(escape) + 1


def test_pieces_leave_out_what_stands_between_segments() -> None:
    """The pieces of a part of the decoded text are those of its segments, each cut where the part
    begins and ends.
    """
    view = View(b"abcdef", ((0, 10, 1, 1), (3, 20, 1, 1), (5, 40, 1, 1)))
    assert view.pieces(1, 6) == ((11, 13), (20, 22), (40, 41))
    assert view.pieces(3, 5) == ((20, 22),)
