"""Tokens seen before: told apart, up to a bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jwtleak.core.fingerprint import SeenTokens


def test_only_the_first_sighting_is_new() -> None:
    """A token is new once."""
    sighted = SeenTokens(8)
    assert [sighted.again(name) for name in "abaab"] == [False, False, True, True, True]


@given(names=st.lists(st.sampled_from("abcdefg"), max_size=40), capacity=st.integers(1, 8))
def test_all_are_forgotten_at_once(names: list[str], capacity: int) -> None:
    """When one more than `capacity` come, it begins anew with the last of them."""
    sighted, model = SeenTokens(capacity), set[str]()
    for name in names:
        assert sighted.again(name) is (name in model)
        if name not in model and len(model) == capacity:
            model = set()
        model.add(name)
