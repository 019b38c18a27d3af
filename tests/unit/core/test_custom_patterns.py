"""User patterns."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtleak.core.custom_patterns import MAX_MATCH, UserPattern, UserPatterns
from jwtleak.errors import PatternError


def pattern(**changes: Any) -> UserPattern:
    """A pattern with what a test does not care about filled in."""
    usual = {
        "id": "shop.ticket",
        "title": "Ticket",
        "regex": "tick=(?P<v>[0-9a-f]{8})",
        "keywords": ("tick=",),
    }
    return UserPattern(**{**usual, **changes})


def test_finds_in_order() -> None:
    """All matches of all patterns come by position."""
    other = pattern(id="shop.other", regex="othr=[a-z]+", keywords=("othr=",))
    matches, timeouts = UserPatterns([pattern(), other]).search(b"othr=ab tick=00112233 othr=cd")
    assert [(match.token.pattern, match.start, match.end) for match in matches] == [
        ("shop.other", 0, 7), ("shop.ticket", 8, 21), ("shop.other", 22, 29),
    ]  # fmt: skip
    assert timeouts == 0


@pytest.mark.parametrize("group", [1, "v"])
def test_secret_group(group: int | str) -> None:
    """The secret is the group that the pattern says."""
    (hit,), _ = UserPatterns([pattern(secret_group=group)]).search(b"x tick=00112233")
    assert (hit.start, hit.end) == (7, 15)


def test_keyword_is_required() -> None:
    """An expression is not run where none of its keywords stands."""
    assert UserPatterns([pattern(regex="[0-9]+")]).search(b"12345678") == ([], 0)


def test_needles() -> None:
    """The needles are all keywords, each once."""
    other = pattern(id="shop.other", keywords=("othr=", "tick="))
    assert UserPatterns([pattern(), other]).needles == (b"tick=", b"othr=")


def test_empty() -> None:
    """No patterns find nothing."""
    assert UserPatterns().search(b"tick=00112233") == ([], 0)


def test_timeout_is_a_count() -> None:
    """An expression that hangs is stopped and counted, and the others still find."""
    hanging = pattern(id="hang", regex=r"tick=(?:\w+\s?)*;$")
    matches, timeouts = UserPatterns([hanging, pattern()], timeout=0.01).search(
        b"tick=00112233 " + b"a" * 5000
    )
    assert timeouts == 1
    assert [match.token.pattern for match in matches] == ["shop.ticket"]


def test_long_matches_are_not_reported() -> None:
    """A match longer than the bound is none."""
    long = UserPatterns([pattern(regex="tick=a+")])
    assert len(long.search(b"tick=" + b"a" * (MAX_MATCH - 5))[0]) == 1
    assert long.search(b"tick=" + b"a" * MAX_MATCH) == ([], 0)


def test_possessive_quantifiers() -> None:
    """The syntax is that of the regex module."""
    assert len(UserPatterns([pattern(regex=r"tick=\w++(?=;)")]).search(b"tick=ab;")[0]) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "Bad Id"}, "id: must be"),
        ({"id": "ab"}, "id: must be"),
        ({"keywords": ()}, "keywords: at least one"),
        ({"keywords": ("ab",)}, "keywords: each must be at least 3"),
        ({"regex": "("}, "regex: "),
        ({"secret_group": 2}, "secret_group: there is no group 2"),
        ({"secret_group": "w"}, "secret_group: there is no group w"),
    ],
)
def test_refuses(changes: dict[str, Any], message: str) -> None:
    """A pattern that cannot be used is refused with its key."""
    with pytest.raises(PatternError, match=message):
        UserPatterns([pattern(**changes)])


@given(st.binary(max_size=200))
def test_never_raises(window: bytes) -> None:
    """No bytes make it raise, and every hit lies inside them."""
    for hit in UserPatterns([pattern(), pattern(id="any", regex="(?s)tick=.*")]).search(
        b"tick=" + window
    )[0]:
        assert 0 <= hit.start < hit.end <= len(window) + 5
