"""Directories and what is in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jwtleak.follow import directories as module
from jwtleak.follow.directories import DirectoryIndex, listing
from jwtleak.follow.targets import Filter, targets


def grow(
    *paths: Path | str, links: bool = True
) -> tuple[DirectoryIndex, list[tuple[str, str, str]]]:
    """A index of some arguments, and its troubles."""
    troubles: list[tuple[str, str, str]] = []
    arguments = [str(path) for path in paths]
    index = DirectoryIndex(
        targets(arguments),
        Filter([], []),
        links=links,
        interval=5.0,
        pace=5.0,
        report=lambda *trouble: troubles.append(trouble),
        recovered=lambda path: None,
    )
    return index, troubles


def fresh(index: DirectoryIndex, now: float, *hints: Path) -> set[str]:
    """The base names that came with a refresh."""
    changed = index.refresh(now, [str(hint) for hint in hints])
    return {name for directory in changed for name in directory.fresh}


def test_only_changes_are_returned(tmp_path: Path) -> None:
    """A listing gives new names and names that lead to another inode."""
    (tmp_path / "a").touch()
    index, _ = grow(tmp_path)
    assert fresh(index, 0) == {"a"}
    (tmp_path / "b").touch()
    (tmp_path / "a").rename(tmp_path / "c")
    (tmp_path / "a").touch()
    assert fresh(index, 1) == set()
    assert fresh(index, 5) == {"a", "b", "c"}
    assert fresh(index, 10) == set()


def test_a_hint_makes_a_directory_due(tmp_path: Path) -> None:
    """At once, and whatever its time stamp says."""
    index, _ = grow(tmp_path)
    fresh(index, 0)
    before = os.stat(tmp_path)
    (tmp_path / "a").touch()
    os.utime(tmp_path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert fresh(index, 0.1, tmp_path) == {"a"}


def test_a_directory_that_does_not_change_is_not_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With events, once its time stamp is old enough to be trusted, only once a minute."""
    index, _ = grow(tmp_path)
    fresh(index, 0)
    index.set_coverage(frozenset({str(tmp_path)}))
    calls: list[str] = []

    def counted(path: str) -> dict[str, int]:
        calls.append(path)
        return listing(path)

    monkeypatch.setattr(module, "listing", counted)
    for now in range(5, 66, 5):
        index.refresh(now)
    assert len(calls) == 2


def test_new_directories_are_entered_at_once(tmp_path: Path) -> None:
    """With all that is below them."""
    index, _ = grow(tmp_path / "**" / "*.log")
    fresh(index, 0)
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "x" / "y" / "a.log").touch()
    assert fresh(index, 5) == {"x", "y", "a.log"}
    assert index.matches_path(str(tmp_path / "x" / "y" / "a.log"))
    assert set(index.present()) == {str(tmp_path), str(tmp_path / "x"), str(tmp_path / "x" / "y")}


def test_without_events_time_stamps_are_checked_more_often(tmp_path: Path) -> None:
    """A new name is found at the pace of files; with events, at the interval of directories."""
    index = DirectoryIndex(
        targets([str(tmp_path)]),
        Filter([], []),
        links=True,
        interval=5.0,
        pace=1.0,
        report=print,
        recovered=print,
    )
    fresh(index, 0)
    (tmp_path / "a").touch()
    assert fresh(index, 1) == {"a"}
    index.set_coverage(frozenset({str(tmp_path)}))
    fresh(index, 2)
    (tmp_path / "b").touch()
    assert fresh(index, 3) == set()
    assert fresh(index, 7) == {"b"}


def test_a_failure_is_not_an_empty_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was known stays known, all below is frozen, and it ends with the first listing that
    works.
    """
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").touch()
    index, troubles = grow(tmp_path)
    fresh(index, 0)

    def refuse(path: str) -> dict[str, int]:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(module, "listing", refuse)
        assert fresh(index, 5, tmp_path) == set()
    assert ("unreadable", str(tmp_path), "too many open files") in troubles
    directory = index.get(str(tmp_path))
    assert directory is not None
    assert "a" in directory.entries
    assert index.frozen(str(tmp_path / "a"))
    assert index.frozen(str(tmp_path / "sub" / "b"))
    index.refresh(10)
    assert not index.frozen(str(tmp_path / "sub" / "b"))


def test_a_directory_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    """What was found below is; what was named is waited for."""
    (tmp_path / "x" / "y").mkdir(parents=True)
    index, troubles = grow(tmp_path / "x")
    fresh(index, 0)
    (tmp_path / "x" / "y").rmdir()
    (tmp_path / "x").rmdir()
    fresh(index, 5)
    assert (len(index), str(tmp_path / "x") in index) == (1, True)
    assert list(index.present()) == []
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a").touch()
    assert fresh(index, 10) == {"a"}
    assert troubles == []


def test_a_renamed_directory_is_entered_under_its_new_name(tmp_path: Path) -> None:
    """Its old name is forgotten."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a").touch()
    index, _ = grow(tmp_path)
    fresh(index, 0)
    (tmp_path / "x").rename(tmp_path / "z")
    assert fresh(index, 5) == {"z", "a"}
    fresh(index, 10)
    assert set(index.present()) == {str(tmp_path), str(tmp_path / "z")}
    assert len(index) == 2


def test_a_directory_has_one_path(tmp_path: Path) -> None:
    """A second link to it adds nothing, a loop ends, and with links left out none is entered."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").touch()
    (tmp_path / "in" / "one").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "two").symlink_to(tmp_path / "out")
    (tmp_path / "out" / "back").symlink_to(tmp_path / "in")
    index, _ = grow(tmp_path / "in")
    fresh(index, 0)
    assert len(index) == 2
    index, _ = grow(tmp_path / "in", links=False)
    assert fresh(index, 0) == {"one", "two"}
    assert not index.matches_path(str(tmp_path / "in" / "one"))
    assert len(index) == 1


def test_what_would_be_asked_for(tmp_path: Path) -> None:
    """A path that is not there can be asked about."""
    index, _ = grow(tmp_path / "*.log", tmp_path / "none.txt")
    assert index.would_match(str(tmp_path / "a.log"))
    assert index.would_match(str(tmp_path / "none.txt"))
    assert not index.would_match(str(tmp_path / "a.txt"))
    assert not index.would_match("/elsewhere/a.log")
