"""Which of two readings of the same bytes is the better one."""

from __future__ import annotations

import pytest

from jwtleak.core.matches import rank
from jwtleak.secret import Secret
from jwtleak.types import Token


def token(integrity: str, claims: bool, length: int) -> Token:
    return Token("jws", {}, {} if claims else None, integrity, 0, Secret(b"x" * length))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (token("whole", False, 1), token("odd", True, 9)),
        (token("odd", False, 1), token("clipped", True, 9)),
        (token("whole", True, 1), token("whole", False, 9)),
        (token("clipped", True, 1), token("clipped", False, 9)),
        (token("odd", True, 9), token("odd", True, 8)),
    ],
)
def test_order_of_readings(better: Token, worse: Token) -> None:
    """Integrity counts first, then claims, then length."""
    assert rank(better) > rank(worse)
