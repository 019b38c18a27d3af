"""Where the program failed."""

from __future__ import annotations

import pytest
from minting import jws

import jwtleak
from jwtleak.errors import place_of


def test_type_and_place_without_a_value():
    """The type, the module and the line of the deepest own frame are told; the text of the
    exception is not.
    """
    with pytest.raises(AttributeError) as raised:
        jwtleak.alert(jws(), now=0, key=b"")  # type: ignore[arg-type]
    assert place_of(raised.value).startswith(
        "internal error: AttributeError at jwtleak.alerts.builder:"
    )


def test_a_failure_of_others():
    """Without an own frame there is no place."""
    assert place_of(ValueError("secret")) == "internal error: ValueError at ?"
