"""docs/generate.py: what the pages say is what the program says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import get_args

import jsonschema
import pytest

from jwtleak.alerts.alert import json_schema
from jwtleak.assess.severity import RULES, base
from jwtleak.types import Status

Load = Callable[[str], ModuleType]
PAGES = (
    "README.md",
    "docs/reference/cli.md",
    "docs/reference/alert.md",
    "docs/reference/severity.md",
    "docs/reference/bounds.md",
    "docs/reference/metrics.md",
    "docs/reference/configuration.md",
    "docs/reference/formats.md",
    "docs/reference/issuers.md",
    "docs/reference/weaknesses.md",
    "docs/reference/policy.md",
    "docs/how-to/mask-tokens.md",
)


@pytest.mark.parametrize("name", PAGES)
def test_generated_parts_are_up_to_date(load: Load, root: Path, name: str) -> None:
    """Writing the generated parts anew changes nothing: if this fails, run `python
    docs/generate.py`.
    """
    text = (root / name).read_text(encoding="utf-8")
    assert load("docs/generate.py").generated(text) == text


def test_every_page_with_a_generated_part_is_written(load: Load, root: Path) -> None:
    """A generated part stands only in pages that the script writes, and each of them has one."""
    found = [
        str(path.relative_to(root))
        for path in [root / "README.md", *(root / "docs").rglob("*.md")]
        if "<!-- generated:" in path.read_text(encoding="utf-8")
    ]
    assert sorted(found) == sorted(PAGES) == sorted(load("docs/generate.py").PAGES)


def test_the_sample_alert_is_valid(load: Load) -> None:
    """The alert that the README shows obeys the JSON Schema."""
    text = load("docs/generate.py").sample_alert()
    jsonschema.validate(
        json.loads(text.removeprefix("```json\n").removesuffix("```\n")), json_schema()
    )


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (65536, "bytes", "64 KiB"),
        (64 << 30, "bytes", "64 GiB"),
        (1000, "bytes", "1,000 bytes"),
        (0.02, "seconds", "0.02 seconds"),
        (8192, "", "8,192"),
    ],
)
def test_values_are_shown_with_their_unit(load: Load, value: float, unit: str, told: str) -> None:
    """Sizes are shown in the largest binary unit that leaves no rest."""
    assert load("docs/generate.py").shown(value, unit) == told


def test_cells_cannot_break_a_table(load: Load) -> None:
    """A bar inside a cell is escaped."""
    assert load("docs/generate.py").table(["a"], [["x|y"]]) == "| a |\n| --- |\n| x\\|y |\n"


def test_json_is_laid_out(load: Load) -> None:
    """What fits stands on one line, and what is laid out is the same JSON."""
    value = {"a": [1, 2], "b": {"c": "x" * 120, "d": ["y" * 70, "z" * 70]}}
    text = load("docs/generate.py").pretty(value)
    assert json.loads(text) == value
    assert '"a": [1, 2],\n' in text


def test_the_severity_table_has_every_status(load: Load) -> None:
    """Every status has its rows, and `expired` one for each answer to whether it was live."""
    lines = list(load("docs/generate.py").severity_rows())
    assert {line[0] for line in lines} == set(get_args(Status))
    assert len(lines) == len(set(lines)) == 4 * (len(get_args(Status)) + 1)
    for status, live, signed, place, level in lines:
        channel = "url_query" if place == "spreads" else "json_field"
        assert base(status, live == "yes", signed=signed == "yes", channel=channel) == level


def test_adjustments_are_the_rules(load: Load) -> None:
    """The documented table has every rule once, and shows its effect on the common cases."""
    lines = list(load("docs/generate.py").adjustment_rows())
    assert [line[0] for line in lines] == [rule.code for rule in RULES]
    assert {len(line) for line in lines} == {3 + 4}
    (example,) = (line for line in lines if line[0] == "known_example")
    assert set(example[3:]) == {"info"}
