"""Arguments, and which paths fit them."""

from __future__ import annotations

from pathlib import Path

import pytest

from jwtleak.errors import UsageError
from jwtleak.follow.targets import Filter, Target, targets


@pytest.mark.parametrize(
    ("pattern", "matching", "left"),
    [
        ("*.log", ["a.log"], ["a.txt", "x/a.log", ".a.log"]),
        ("**/*.log", ["a.log", "x/a.log", "x/y/a.log"], [".x/a.log", "a.txt"]),
        ("*/a.log", ["x/a.log"], ["a.log", "x/y/a.log"]),
        ("app-[0-9].log", ["app-1.log"], ["app-x.log", "app-12.log"]),
        (".app/*.log", [".app/a.log"], [".other/a.log", ".app/.a.log"]),
        ("**/.app/**", ["x/.app/a"], ["x/.other/a", "x/.app/.b"]),
    ],
)
def test_globs(pattern: str, matching: list[str], left: list[str]) -> None:
    """`*` stays in a name, `**` does not, and a dot must be written."""
    target = Target("/base", pattern)
    assert [target.matches(path) for path in matching] == [True] * len(matching)
    assert [target.matches(path) for path in left] == [False] * len(left)


@pytest.mark.parametrize(
    ("pattern", "entered", "left"),
    [
        ("*.log", [], ["x", "x/y"]),
        ("x*/*/a.log", ["x1", "x1/y"], ["z", "x1/y/z"]),
        ("x/**/a.log", ["x", "x/y", "x/y/z"], ["z", "z/x"]),
        ("**", ["x", "x/y"], [".x", "x/.y"]),
    ],
)
def test_directories(pattern: str, entered: list[str], left: list[str]) -> None:
    """Only directories below which something may fit are listed."""
    target = Target("/base", pattern)
    assert [target.enters(path) for path in entered] == [True] * len(entered)
    assert [target.enters(path) for path in left] == [False] * len(left)


def test_what_an_argument_is(tmp_path: Path) -> None:
    """A directory, a file, a glob, or a name that is not there yet and may become a file or a
    directory.
    """
    (tmp_path / "a.log").touch()
    (tmp_path / "b[1].log").touch()
    kinds = {
        argument: [(target.base, target.plain) for target in targets([f"{tmp_path}/{argument}"])]
        for argument in ("", "a.log", "*.log", "new", "new/", "b[1].log")
    }
    here = str(tmp_path)
    assert kinds == {
        "": [(here, None)],
        "a.log": [(here, f"{here}/a.log")],
        "*.log": [(here, None)],
        "new": [(here, f"{here}/new"), (f"{here}/new", None)],
        "new/": [(f"{here}/new", None)],
        "b[1].log": [(here, f"{here}/b[1].log")],
    }


def test_a_glob_begins_below_its_last_plain_directory(tmp_path: Path) -> None:
    """Nothing above it is listed, and `/*.log` begins at the root."""
    (target,) = targets([f"{tmp_path}/x/y*/z/*.log"])
    assert target.base == f"{tmp_path}/x"
    assert target.matches("y1/z/a.log")
    (target,) = targets(["/*.log"])
    assert target.base == "/"
    assert target.matches("a.log")


def test_paths_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart from another directory follows the same files."""
    monkeypatch.chdir(tmp_path)
    assert targets(["a/*.log"])[0].base == f"{tmp_path}/a"


@pytest.mark.parametrize("argument", ["", "a\0b", "x[z-a]*"])
def test_what_means_nothing(argument: str) -> None:
    """Is a usage error."""
    with pytest.raises(UsageError):
        targets([argument])


def test_filters() -> None:
    """On the relative or the whole path; a glob that means nothing is a usage error."""
    chosen = Filter(["*.log"], ["tmp/**", "/var/log/x.log"])
    assert chosen.includes("a/b.log", "/var/log/a/b.log")
    assert not chosen.includes("a/b.txt", "/var/log/a/b.txt")
    assert chosen.excludes("tmp/b.log", "/var/log/tmp/b.log")
    assert chosen.excludes("x.log", "/var/log/x.log")
    assert not Filter([], []).excludes("x.log", "/var/log/x.log")
    with pytest.raises(UsageError, match="invalid glob"):
        Filter(["[z-a]"], [])
