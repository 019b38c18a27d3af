"""The vocabulary: frozen values, the worst first."""

from __future__ import annotations

from typing import get_args

import pytest

from jwtleak.secret import Secret
from jwtleak.types import (
    CONFIDENCES,
    MAX_TOKEN,
    SEVERITIES,
    UNKNOWN_CHANNEL,
    Channel,
    Confidence,
    Finding,
    Rejection,
    Severity,
    StreamInfo,
    Token,
)

TOKEN = Token("jws", {"alg": "HS256"}, {"sub": "u"}, "whole", 43, Secret(b"eyJ.e30.x"))
VALUES = [
    TOKEN,
    Finding(
        token=TOKEN,
        sha256="0" * 64,
        offset=0,
        length=9,
        line=1,
        column=1,
        channel=UNKNOWN_CHANNEL,
        encodings=(),
        logged_at=None,
        excerpt="",
    ),
    Channel("cookie", "session"),
    Rejection("no_alg", 3),
    StreamInfo("stdin"),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_are_frozen(value: object) -> None:
    """What passes between floors cannot be changed on the way."""
    for name in value.__struct_fields__:  # type: ignore[attr-defined]
        with pytest.raises(AttributeError):
            setattr(value, name, None)


def test_orders_are_complete() -> None:
    """The orders name every severity and confidence once, the worst and the surest first."""
    assert get_args(Severity) == SEVERITIES
    assert get_args(Confidence) == CONFIDENCES


def test_equal_values_are_equal() -> None:
    """Findings compare by what they say, so that runs can be compared."""
    again = Token("jws", {"alg": "HS256"}, {"sub": "u"}, "whole", 43, Secret(b"eyJ.e30.x"))
    assert again == TOKEN
    assert Token("jws", {"alg": "HS256"}, {"sub": "u"}, "whole", 43, Secret(b"eyJ.e30.y")) != TOKEN


def test_bound_of_a_token() -> None:
    """A token is at most 64 KiB."""
    assert MAX_TOKEN == 65536
