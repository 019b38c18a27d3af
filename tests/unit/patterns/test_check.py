"""The check of pattern files."""

from __future__ import annotations

from pathlib import Path

import pytest

from jwtleak.core.channel import ChannelRule
from jwtleak.core.custom_patterns import UserPattern
from jwtleak.patterns.check import check, check_channels, check_pattern, check_shapes, mint
from jwtleak.patterns.loader import Shape, load_channels, load_shapes

KINDS = {mint(example): shape.kind for shape in load_shapes() for example in shape.examples}


def find(data: bytes) -> list[str]:
    """A detector that knows the minted examples by heart."""
    return [KINDS[data]] if data in KINDS else []


def pattern(regex: str, *examples: str, **more: object) -> UserPattern:
    """A pattern for the word tok=."""
    return UserPattern(
        id="abc", title="t", regex=regex, keywords=("tok=",), examples=examples, **more
    )  # type: ignore[arg-type]


def test_builtin_patterns_are_sound() -> None:
    """What comes with jwtleak passes its own check."""
    assert check([], find) == []


def test_example_pattern_is_sound() -> None:
    """The pattern shown in the documentation passes."""
    assert check([Path(__file__).parents[3] / "docs" / "examples" / "patterns"], find) == []


def test_shapes_are_asked_of_the_detector() -> None:
    """A shape that is not found, and a negative one that is, are problems."""
    assert {problem.message for problem in check([], lambda data: [])} >= {
        "example 1 is not found as jws"
    }
    shape = Shape(id="a", kind="jws", description="d", examples=(), negative_examples=("{noalg}",))
    (problem,) = check_shapes([shape], lambda data: ["jws"])
    assert problem == ("shapes.toml", "a", "negative example 1 is found")


def test_mint_is_fixed() -> None:
    """A template gives the same bytes at every call, of the length it asks for."""
    assert mint("{header:HS256}.{claims}.{bytes:43}") == mint("{header:HS256}.{claims}.{bytes:43}")
    assert len(mint("{bytes:43}")) == 43


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"examples": ("other=<JWT>",)}, "example 1 does not match"),
        ({"examples": (), "negative_examples": ("xx=<JWT>",)}, "negative example 1 matches"),
        ({"keywords": ()}, "keywords: at least one literal is needed"),
        ({"window": 9999}, "window: must be from 256 to 1024"),
    ],
)
def test_channel_problems(changes: dict[str, object], message: str) -> None:
    """A rule that does not keep its own examples is a problem."""
    keys = {"id": "a", "type": "cookie", "regex": "xx=", "keywords": ("xx=",), **changes}
    assert message in [problem.message for problem in check_channels([ChannelRule(**keys)])]  # type: ignore[arg-type]


def test_shadowed_channel() -> None:
    """An example that an earlier rule takes is a problem."""
    rules = [
        ChannelRule(id=kind, type=kind, regex="xx=", keywords=("xx=",), examples=("xx=<JWT>",))  # type: ignore[arg-type]
        for kind in ("cookie", "header")
    ]
    assert [problem.message for problem in check_channels(rules)] == [
        "example 1 is cookie by an earlier rule"
    ]


def test_every_channel_type_has_a_rule() -> None:
    """Each type of channel but unknown has a rule with an example."""
    assert {rule.type for rule in load_channels() if rule.examples} == {
        "url_query", "url_fragment", "url_path", "referer", "authorization_header", "cookie",
        "json_field", "form_field", "error_message", "storage", "header",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (pattern("tok=[0-9]{4}", "tok=1234"), None),
        (pattern("tok=[0-9]{4}"), "examples: at least one is needed"),
        (pattern("tok=[0-9]{4}", "tok=12"), "example 1 does not match"),
        (pattern("[0-9]{4}", "1234"), "example 1 contains none of the keywords"),
        (
            pattern("tok=[0-9]{4}", "tok=1234", negative_examples=("tok=9999",)),
            "negative example 1 matches",
        ),
        (pattern("tok=(", "tok=1"), "regex: missing )"),
        (pattern(r"tok=(\w+\s?)*;", "tok=a b;"), "regex: takes more than linear time"),
        (pattern(r"tok=(a+)+b", "tok=aaab"), "regex: takes more than linear time"),
    ],
)
def test_pattern_problems(entry: UserPattern, message: str | None) -> None:
    """A user pattern is refused for what would make it wrong, empty or slow."""
    problems = check_pattern(entry)
    assert any(problem.startswith(message) for problem in problems) if message else problems == []


def test_all_problems_of_all_files(tmp_path: Path) -> None:
    """Every problem is reported, with its file and entry, not only the first."""
    good = "title = 't'\nregex = 'tok=1'\nkeywords = ['tok=']\nexamples = ['tok=1']\n"
    (tmp_path / "a.toml").write_text(
        f"[[pattern]]\nid = 'Bad'\n{good}[[pattern]]\nid = 'twice'\n{good}colour = 1\n"
    )
    (tmp_path / "b.toml").write_text(f"[other]\n[[pattern]]\nid = 'twice'\n{good}")
    (tmp_path / "c.toml").write_text("x = [")
    problems = check([tmp_path], find)
    assert [(problem.file, problem.id) for problem in problems] == [
        ("a.toml", "Bad"), ("a.toml", "twice"), ("b.toml", ""), ("b.toml", "twice"), ("c.toml", ""),
    ]  # fmt: skip


def test_unlisted_directory(tmp_path: Path) -> None:
    """A directory that cannot be read is a problem, not an exception."""
    assert [problem.file for problem in check([tmp_path / "none"], find)] == ["patterns"]
