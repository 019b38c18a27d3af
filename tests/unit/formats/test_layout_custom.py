"""The fields of jwtleak.*."""

from __future__ import annotations

from sample_alerts import full, kept_back, leaves, pattern_hit

from jwtleak.formats.facts import facts
from jwtleak.formats.interface import DEFAULT
from jwtleak.formats.layout import CUSTOM

ELSEWHERE = {
    "id",
    "title",
    "location.path",
    "location.host",
    "time",
    "started",
    "action",
    "rule.id",
    "rule.name",
    "attack",
    "host_again",
}
PYTHON = {"keyword": str, "date": str, "long": int, "boolean": bool}


def test_every_fact_is_here_or_has_a_home_of_its_own():
    """Nothing is left out but what all formats have a field for."""
    known = {one.source for one in CUSTOM.fields}
    missing = (
        {*facts(full(), DEFAULT), *facts(pattern_hit(), DEFAULT), *facts(kept_back(), DEFAULT)}
        - known
        - ELSEWHERE
    )
    assert missing == {
        f"location.container.{name}" for name in ("namespace", "pod", "pod_uid", "name", "id")
    }


def test_values_have_the_types_that_the_table_states():
    """Every emitted value is of the stated type, lists item by item."""
    types = {one.target: PYTHON[one.type] for one in CUSTOM.fields}
    for alert in (full(), pattern_hit()):
        for path, value in leaves(CUSTOM.fill(facts(alert, DEFAULT))):
            assert type(value) is types[path], path


def test_targets_and_sources_are_named_once():
    """No field is written twice."""
    assert (
        len({one.target for one in CUSTOM.fields})
        == len({one.source for one in CUSTOM.fields})
        == len(CUSTOM.fields)
    )
