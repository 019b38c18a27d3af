"""Cursors, positions and sightings as rows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jwtleak.core.redaction import redact_text
from jwtleak.store import Position, streams
from jwtleak.types import Cursor

_BIG = st.integers(0, 2**64 - 1)
_COUNT = st.integers(0, 2**63 - 1)
_DIGEST = st.sampled_from([b"", b"\0" * 32, bytes(range(32))])
# Hypothesis knows the constants of our modules, needles and headers among them. A path that holds a
# piece of a token is stored redacted (test_no_token); here is everything else.
_PATHS = (
    st.binary(min_size=1, max_size=300)
    .map(lambda raw: raw.replace(b"\0", b"/").decode("utf-8", "surrogateescape"))
    .filter(lambda path: redact_text(path) == path)
)


@given(
    st.builds(
        Cursor,
        stream=st.uuids().map(lambda one: one.hex),
        path=_PATHS,
        device=_BIG,
        inode=_BIG,
        generation=st.none() | _BIG,
        head_length=_COUNT,
        head=_DIGEST,
        anchor_length=_COUNT,
        anchor=_DIGEST,
        offset=_COUNT,
        reported=_COUNT,
        read=_COUNT,
        lines=_COUNT,
        line_start=_COUNT,
        size=_COUNT,
        mtime_ns=st.integers(-(2**63), 2**63 - 1),
        state=st.sampled_from(["followed", "rotated", "finished"]),
        provisional=st.none() | st.just("f" * 40),
    )
)
def test_every_cursor_comes_back(memory, cursor):
    """Whatever a file system names and numbers: what is read is what was written."""
    streams.put_cursors(memory, [cursor], 1)
    assert list(streams.cursors(memory)) == [cursor]
    streams.forget(memory, [cursor.stream])
    assert list(streams.cursors(memory)) == []


@given(
    st.builds(
        Position,
        source=st.text("abc:/", max_size=20),
        stream=st.uuids().map(lambda one: one.hex),
        position=st.binary(min_size=1, max_size=1024),
        identity=_DIGEST,
        start=st.just(0),
        offset=_COUNT,
        lines=_COUNT,
        line_start=_COUNT,
    )
)
def test_every_position_comes_back(memory, position):
    """A position is opaque bytes; it belongs to its source, and goes with its stream."""
    streams.put_positions(memory, [position], 1)
    assert list(streams.positions(memory, position.source)) == [position]
    assert list(streams.positions(memory, "another")) == []
    streams.forget(memory, [position.stream])
    assert list(streams.positions(memory, position.source)) == []


@given(_BIG)
def test_signs(number):
    """Every unsigned number of 64 bits fits into a signed one and comes back."""
    assert -(2**63) <= streams.signed(number) < 2**63
    assert streams.unsigned(streams.signed(number)) == number
