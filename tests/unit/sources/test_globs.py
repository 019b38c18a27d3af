"""Globs."""

from __future__ import annotations

import re

import pytest

from jwtleak.sources.globs import GlobFilter, Globs


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.log", "a.log", True),
        ("*.log", "d/a.log", True),
        ("*.log", "a.log.gz", False),
        ("d/*.log", "d/a.log", True),
        ("/d/*.log", "d/a.log", True),
        ("./d/*.log", "d/a.log", True),
        ("d/*.log", "d/e/a.log", False),
        ("d/**/*.log", "d/e/f/a.log", True),
        ("d/**/*.log", "d/a.log", True),
        ("**/e", "e", True),
        ("d/**", "d/e/f", True),
        ("a?c", "abc", True),
        ("a[b-d]c", "acc", True),
        ("a[!b]c", "abc", False),
        ("a[]]c", "a]c", True),
        ("a[b", "a[b", True),
        ("a.c", "abc", False),
        ("*", "new\nline", True),
    ],
)
def test_match(pattern: str, path: str, matches: bool):
    """A glob matches what its rules say."""
    assert Globs([pattern]).match(path) is matches


def test_several_patterns_are_alternatives():
    """One matching pattern is enough, and no pattern matches nothing."""
    assert Globs(["x", "a|b", "d/y"]).match("a|b")
    assert not Globs(["x", "a|b", "d/y"]).match("a")
    assert not Globs([]).match("a")
    assert not Globs([])


def test_invalid_class():
    """A class that runs backwards is refused."""
    with pytest.raises(re.error):
        Globs(["[z-a]"])


def test_selection():
    """Exclude wins, and what lies in an excluded directory is not reached."""
    selection = GlobFilter(["*.log"], ["secret", "x.*"])
    assert selection.matches("a.log")
    assert not selection.matches("x.log")
    assert not selection.matches("a.txt")
    assert selection.matches("secret/a.log")
    assert not selection.reaches("secret/a.log")
    assert not selection.descends("d/secret")
