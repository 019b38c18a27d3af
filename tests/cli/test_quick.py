"""The short way to the options of a scan, held against click."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwtleak.cli import scan
from jwtleak.cli.group import invoke
from jwtleak.cli.quick import FORMATS, Options, understood


def by_click(args: list[str]) -> Options | None:
    """What click makes of `args`; None for wrong usage."""
    seen: list[Options] = []

    class Run:
        def __init__(self, options: Options) -> None:
            seen.append(options)

        def run(self) -> int:
            return 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "Run", Run)
        status = invoke(["scan", *args])
    assert status == (0 if seen else 2)
    return seen[0] if seen else None


UNDERSTOOD = [
    ["a.log"],
    ["a.log", "b"],
    ["--jobs", "2", "a"],
    ["--jobs=002", "a"],
    ["-j", "7", "a"],
    ["a", "--output", "out", "b"],
    ["-o", os.devnull, "a"],
    ["--format=json", "a"],
    ["-f", "sarif", "a"],
    ["--every", "--only-live", "--no-progress", "a"],
    ["--min-severity=low", "--min-severity=high", "a"],
    ["--min-confidence", "low", "--fail-on", "never", ""],
]


@pytest.mark.parametrize("args", UNDERSTOOD, ids=" ".join)
def test_what_is_understood_is_what_click_says(args: list[str]) -> None:
    """The options, and the defaults of all others, are those that click gives."""
    assert understood(args) is not None
    assert understood(args) == by_click(args)


LEFT = [
    [],
    ["-"],
    ["--", "a"],
    ["--help"],
    ["-j2", "a"],
    ["-j=2", "a"],
    ["--jobs"],
    ["--jobs", "0", "a"],
    ["--jobs=257", "a"],
    ["--jobs=+2", "a"],
    ["--jobs=\u0662", "a"],
    ["--every=1", "a"],
    ["--output", "-x", "a"],
    ["--output=.", "a"],
    ["--format=JSON", "a"],
    ["--fail-on", "", "a"],
    ["--include=*.log", "a"],
    ["--state", "s", "a"],
    ["--nothing", "a"],
]


@pytest.mark.parametrize("args", LEFT, ids=" ".join)
def test_what_is_left_to_click(args: list[str]) -> None:
    """What could be an error, and what is seldom given, is not understood here."""
    assert understood(args) is None


def test_a_file_that_click_refuses(tmp_path: Path) -> None:
    """A pipe, or a link that leads nowhere, is looked at by click."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("pipe", "link"):
        assert understood(["-o", str(tmp_path / name), "a"]) is None
    (tmp_path / "file").touch()
    assert understood(["-o", str(tmp_path / "file"), "a"]) is not None


WORDS = st.sampled_from(
    ["a", "", "-", "--", "1", "-1", "300", "x y", "never", "low", *FORMATS[:3], "--jobs", "-j", "-j3", "--jobs=4", "--output", "-o",
     "--output=o", "-oo", "--format", "-f", "--format=", "--every", "--only-live", "--no-progress", "--min-severity=high",
     "--min-confidence", "--fail-on", "--exclude", "--now=1", "--ever"]
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.lists(WORDS, max_size=7))
def test_whatever_is_understood_is_what_click_says(args: list[str]) -> None:
    """No arguments mean one thing here and another to click."""
    options = understood(args)
    assert options is None or options == by_click(args)
