"""Loading pattern files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jwtleak.errors import PatternError
from jwtleak.patterns.loader import (
    builtin_directory,
    load_channels,
    load_shapes,
    load_user_patterns,
)

Write = Callable[[str, str], Path]
GOOD = 'id = "a.b.c"\ntitle = "t"\nregex = "abc="\nkeywords = ["abc="]\n'


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes one file and gives its directory."""

    def put(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path

    return put


def test_builtin_patterns_load() -> None:
    """What comes with jwtleak is there and is typed."""
    assert len(load_channels()) > 20
    assert {shape.kind for shape in load_shapes()} >= {"jws", "unsecured", "detached", "jwe"}


def test_package_data_first(tmp_path: Path) -> None:
    """Patterns inside the package win over those beside it."""
    inside, beside = tmp_path / "_patterns", tmp_path / "patterns"
    for place in (inside, beside):
        place.mkdir()
        (place / "channels.toml").write_text("")
    assert builtin_directory((inside, beside)) == inside


def test_beside_the_checkout(tmp_path: Path) -> None:
    """A checkout has them beside the package."""
    (tmp_path / "patterns").mkdir()
    (tmp_path / "patterns" / "channels.toml").write_text("")
    assert (
        builtin_directory((tmp_path / "_patterns", tmp_path / "patterns")) == tmp_path / "patterns"
    )


def test_missing_patterns_are_said(tmp_path: Path) -> None:
    """An installation without them is an error, not an empty list."""
    with pytest.raises(PatternError, match="incomplete"):
        builtin_directory((tmp_path,))


def test_definitions_are_put_in(write: Write) -> None:
    """(?&word) stands for an entry of [define]."""
    entry = "[[channel]]\nid = 'a'\ntype = 'cookie'\nkeywords = ['a']\nregex = 'a(?&eq)'\n"
    assert load_channels(write("channels.toml", "[define]\neq = '='\n" + entry))[0].regex == "a="
    with pytest.raises(PatternError, match=r"channels.toml: a: regex: \(\?&eq\) is not defined"):
        load_channels(write("channels.toml", entry))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = [", "p.toml: is not TOML"),
        ("[other]\n", "p.toml: unknown table 'other'"),
        ("[[pattern]]\n" + GOOD + "colour = 1\n", "p.toml: a.b.c: .*colour"),
        ("[[pattern]]\n" + GOOD.replace('"t"', "1"), r"p.toml: a.b.c: expected `str`.*title"),
        ("[[pattern]]\ntitle = 't'\n", "p.toml: pattern 1: .*id"),
        ("[[pattern]]\n" + GOOD + "severity = 'huge'\n", "p.toml: a.b.c: .*severity"),
        (("[[pattern]]\n" + GOOD) * 2, "p.toml: a.b.c: id: stands twice"),
        ("pattern = 1\n", "p.toml: pattern: "),
    ],
)
def test_errors_name_the_place(write: Write, text: str, message: str) -> None:
    """An error names the file, the entry and the key."""
    with pytest.raises(PatternError, match=message):
        load_user_patterns([write("p.toml", text)])


def test_ids_are_unique_over_files(write: Write) -> None:
    """One id in two files is refused."""
    write("a.toml", "[[pattern]]\n" + GOOD)
    with pytest.raises(PatternError, match=r"b\.toml: a\.b\.c: id: stands also in a\.toml"):
        load_user_patterns([write("b.toml", "[[pattern]]\n" + GOOD)])


def test_user_patterns_load(write: Write) -> None:
    """The patterns of a directory are ready to run; other files are left alone."""
    write("README.md", "not TOML")
    assert load_user_patterns([str(write("p.toml", "[[pattern]]\n" + GOOD))]).needles == (b"abc=",)
    assert load_user_patterns([]).patterns == ()


def test_unreadable(tmp_path: Path) -> None:
    """A directory that is not there and bytes that are no text are errors."""
    with pytest.raises(PatternError, match="none: cannot be read"):
        load_user_patterns([tmp_path / "none"])
    (tmp_path / "p.toml").write_bytes(b"\xff")
    with pytest.raises(PatternError, match=r"p\.toml: is not TOML"):
        load_user_patterns([tmp_path])
