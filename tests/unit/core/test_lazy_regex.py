"""Expressions that wait."""

from __future__ import annotations

import re

import pytest

from jwtleak.core.lazy_regex import lazy


def test_it_matches_like_a_compiled_one() -> None:
    """Every method gives what that of `re.compile` gives, at the first use and later."""
    late, early = lazy(rb"a(b+)"), re.compile(rb"a(b+)")
    for _ in range(2):
        assert late.search(b"xabb", 1).span(1) == early.search(b"xabb", 1).span(1) == (2, 4)  # type: ignore[union-attr]
        assert late.match(b"xab") is None
        assert late.sub(b"-", b"abxab") == b"-x-"
        assert [found[1] for found in late.finditer(b"ababb")] == [b"b", b"bb"]
        assert late.fullmatch(b"ab") is not None


def test_nothing_is_compiled_before_the_first_use() -> None:
    """A wrong expression is an error where it is used, not where it stands."""
    wrong = lazy("(")
    with pytest.raises(re.error):
        wrong.search("")


def test_it_has_no_more_than_methods_that_match() -> None:
    """Anything else is no attribute, so that copying or printing one does not compile it."""
    with pytest.raises(AttributeError):
        lazy("a").groups  # noqa: B018
