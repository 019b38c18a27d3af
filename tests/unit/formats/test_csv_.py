"""CSV, read back with Python's reader."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from sample_alerts import alerts, fields, filled_with, full, hostile, kept_back, least, pattern_hit

from jwtleak.formats.csv_ import COLUMNS, make
from jwtleak.formats.interface import DEFAULT, Ending


def table(*samples):
    """The rows, by column."""
    form = make(DEFAULT)
    data = (
        form.begin()
        + form.between.join(form.encode(one) for one in samples)
        + form.end(Ending("", ""))
    )
    return list(csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True))


def test_every_field_has_a_column():
    """The columns are the fields of the alert, each once."""
    assert set(COLUMNS) == set(fields(kept_back())) | {"pattern"}
    assert len(COLUMNS) == len(set(COLUMNS))


def test_a_row():
    """Values stand in their columns; lists are joined; what is absent is empty."""
    first, second = table(full(), least())
    assert (first["id"], first["token.kid"], first["token.expires_in"]) == (
        full().id,
        "prod-2025-11",
        "3599",
    )
    assert (first["token.scopes"], first["live_when_logged"]) == (
        "orders.read; stock.write",
        "true",
    )
    assert (second["token.kid"], second["location.path"], second["sightings.count"]) == (
        "",
        "",
        "1",
    )


def test_no_cell_is_a_formula():
    """No text begins with what a spreadsheet takes for a formula, also behind blanks; numbers are
    numbers.
    """
    for _, alert in hostile():
        (row,) = table(alert)
        for name, cell in row.items():
            assert not cell.lstrip().startswith(("=", "+", "-", "@")), name
    (row,) = table(filled_with("  =1+1"))
    assert row["token.kid"] == "'  =1+1"
    (row,) = table(full(token=pattern_hit().token))
    assert row["token.length"] == "20"


@given(alerts())
@settings(max_examples=100, deadline=None)
def test_any_alert_is_one_row(alert):
    """Whatever the alert, a strict reader finds one row with every column."""
    (row,) = table(alert)
    assert None not in row
    assert None not in row.values()
    assert row["id"] == alert.id


@pytest.mark.parametrize("text", ['a"b', "a,b", "a;b", " a ", '"', ",", "'"])
def test_cells_come_back_as_they_were(text):
    """Quotes, commas and blanks survive."""
    (row,) = table(filled_with(text))
    assert row["token.kid"] == text
