"""The command `tail`: its options. What it does is tested in tests/system/tail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tailing import leak, name

from .conftest import Run


def test_once(run: Run, work: Path) -> None:
    """Alerts go to standard output, words to standard error, the state where the variable says."""
    (work / "a.log").write_bytes(leak(1))
    done = run("tail", ".", "--once")
    assert (done.status, [one["token"]["sha256"] for one in done.alerts]) == (1, [name(1)])
    assert run("tail", ".", "--once").status == 0


def test_selection(run: Run, work: Path) -> None:
    """--include, --exclude and --min-severity narrow what is reported; --sink says where to."""
    for number, file in enumerate(("a.log", "b.log", "c.txt")):
        (work / file).write_bytes(leak(number))
    done = run(
        "tail",
        ".",
        "--once",
        "--include",
        "*.log",
        "--exclude",
        "b.*",
        "--sink",
        f"file:{work}/out.json",
    )
    assert (done.status, done.out) == (1, b"")
    assert [
        json.loads(line)["token"]["sha256"]
        for line in (work / "out.json").read_bytes().splitlines()
    ] == [name(0)]


def test_a_configuration_file(run: Run, work: Path) -> None:
    """The file says what to do, and options override it."""
    (work / "a.log").write_bytes(leak(1))
    (work / "tail.toml").write_text('[tail]\npaths = ["a.log"]\nmin_severity = "critical"\n')
    assert (
        run(
            "tail", "-c", "tail.toml", "--once", "--state", "one", "--min-confidence", "high"
        ).status
        == 1
    )
    assert run("tail", "-c", "tail.toml", "--once", "--state", "two", "nothing.log").status == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing to follow"),
        ((".", "--window", "soon"), "window"),
        ((".", "--sink", "nowhere://x"), "nowhere"),
        ((".", "--config", "missing.toml"), "missing.toml"),
        ((".", "--from", "middle"), "middle"),
        ((".", "--metrics", "web"), "metrics"),
        (("-", "."), "- cannot be followed together with other paths"),
    ],
)
def test_wrong_usage(run: Run, arguments: tuple[str, ...], said: str) -> None:
    """The status is 2, and the error says what is wrong."""
    done = run("tail", *arguments)
    assert done.status == 2
    assert said in done.err
    assert done.err.startswith("jwtleak: error: ")
