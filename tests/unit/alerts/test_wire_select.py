"""Selection: by severity, confidence and status."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from minting import jws
from msgspec.structs import replace

from jwtleak.alerts.alert import Alert
from jwtleak.alerts.wire import Selection, to_wire
from jwtleak.types import CONFIDENCES, SEVERITIES

Make = Callable[..., Alert]


def test_thresholds(make: Make) -> None:
    """An alert is wanted when it is at least as severe and as sure as asked for."""
    alert = make(jws())
    for asked, sure, severity, confidence in product(
        SEVERITIES, CONFIDENCES, SEVERITIES, CONFIDENCES
    ):
        record = to_wire(replace(alert, severity=severity, confidence=confidence))
        expected = SEVERITIES.index(severity) <= SEVERITIES.index(asked) and CONFIDENCES.index(
            confidence
        ) <= CONFIDENCES.index(sure)
        assert Selection(asked, sure).wants(record) == expected


def test_defaults(make: Make) -> None:
    """By default everything of medium confidence is wanted, whatever its severity."""
    alert = replace(make(jws()), severity="info")
    assert Selection().wants(to_wire(alert))
    assert not Selection().wants(to_wire(replace(alert, confidence="low")))


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [(frozenset(), True), (frozenset({"live"}), True), (frozenset({"expired"}), False)],
)
def test_statuses(make: Make, statuses: frozenset[str], expected: bool) -> None:
    """Where statuses are named, only theirs are wanted."""
    assert Selection(statuses=statuses).wants(to_wire(make(jws()))) == expected  # type: ignore[arg-type]


def test_pattern_hits_have_no_status(make: Make) -> None:
    """Naming statuses leaves out what has none."""
    record = to_wire(make(jws()))
    record.status = None
    assert Selection().wants(record)
    assert not Selection(statuses=frozenset({"live"})).wants(record)
