"""Records: an alert written once, finished later, and readable again."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minting import NOW, jws, kinds

import jwtleak
from jwtleak.alerts.alert import Alert, to_json
from jwtleak.alerts.wire import WireAlert, to_wire


def alerts_of(text: str) -> list[Alert]:
    return [
        jwtleak.alert(one, now=NOW, key=b"k", path="a.log") for one in jwtleak.scan(text.encode())
    ]


@pytest.mark.parametrize("kind", kinds())
def test_a_record_is_its_alert(kind):
    """Writing and reading give the same alert, and the same text."""
    (alert,) = alerts_of(f"x {kinds()[kind]} y\n")
    record = to_wire(alert)
    assert record.alert() == alert
    assert record.json() == to_json(alert)
    assert record.id == alert.id


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_texts_that_look_like_the_end_do_not_cut(text):
    """A claim or a name that reads `,"line":` does not end the head."""
    token = jws({"iss": ',"line":' + text, "sub": "s"}, kid='","line":1,"column":' + text)
    (alert,) = alerts_of(f'{{"line": "{token}"}}\n')
    record = to_wire(alert)
    record.line, record.column, record.count = 77, 5, 3
    moved = record.alert()
    assert (moved.location.line, moved.location.column, moved.sightings.count) == (77, 5, 3)
    assert moved.token == alert.token


def test_a_record_travels():
    """What one process packs another unpacks."""
    (alert,) = alerts_of(jws())
    record = to_wire(alert)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=WireAlert) == record
