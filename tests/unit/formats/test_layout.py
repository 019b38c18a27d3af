"""Layouts: facts into trees."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jwtleak.formats.layout import Field, Layout, encode_json, milliseconds, only_ascii


def test_a_layout_nests_and_converts():
    """Dots nest; values are converted; what is absent leaves nothing behind."""
    layout = Layout(
        [
            Field("a.b.c", "x"),
            Field("a.d", "y", convert=str.upper),
            Field("e.f", "absent"),
            Field("g", "no"),
        ]
    )
    assert layout.fill({"x": 1, "y": "up", "no": False}) == {
        "a": {"b": {"c": 1}, "d": "UP"},
        "g": False,
    }


def test_a_layout_adds_to_a_tree():
    """Fields that a tree has already stay in it."""
    assert Layout([Field("a.b", "x")]).fill({"x": 1}, {"a": {"c": 2}}) == {"a": {"b": 1, "c": 2}}


@pytest.mark.parametrize(
    ("time", "number"),
    [
        ("1970-01-01T00:00:00.000Z", 0),
        ("2026-01-15T12:02:31.123Z", 1768478551123),
        ("9999-12-31T23:59:59.999Z", 253402300799999),
    ],
)
def test_milliseconds(time, number):
    """Times become Unix milliseconds without a rounding error."""
    assert milliseconds(time) == number


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_only_ascii_is_what_json_dumps(text):
    """Escaped to ASCII, JSON says the same, as Python's own writer does."""
    data = only_ascii(encode_json({"a": text}))
    assert data.isascii()
    assert json.loads(data) == {"a": text}


_SCALARS = (
    st.text()
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | st.floats(0, 253_402_300_799).filter(lambda number: number == 0 or number > 1e-5)
)


# A loaded machine draws such trees slowly.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.text(), st.recursive(_SCALARS, st.lists, max_leaves=8)))
def test_documents_have_the_bytes_that_typed_values_have(tree: dict[str, object]) -> None:
    """orjson writes documents, msgspec writes alerts: one value has the same bytes in both."""
    assert encode_json(tree) == msgspec.json.encode(tree)
