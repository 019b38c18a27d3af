"""Lifetime: the status of a token at a moment, from `exp`, `nbf` and `iat` (RFC 7519 section 4.1).

Promises: pure; `now` is always an argument. A time in a wrong form with one plain meaning (a number
in a string, milliseconds, a fraction) counts, and is a weakness. Any other form makes the expiry
bad.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from jwtleak.types import Status, Token

# A verifier allows for clocks that differ "usually no more than a few minutes" (RFC 7519 section
# 4.1.4); 60 s is common.
DEFAULT_LEEWAY = 60

_YEAR_9999 = 253_402_300_799
# As seconds this is the year 5138: no token lives so long. Milliseconds since 1973 are above it.
_MILLISECONDS_FROM = 100_000_000_000


class Times(msgspec.Struct, frozen=True, gc=False):
    """`exp`, `nbf`, `iat` in Unix seconds, None where absent or unusable. `bad`: `exp` has no plain
    meaning; `nonstandard`: it has one, in a wrong form.
    """

    expires: float | None
    not_before: float | None
    issued: float | None
    bad: bool
    nonstandard: bool


NO_TIMES = Times(None, None, None, False, False)


def numeric_date(value: object) -> tuple[float | None, bool]:
    """(Unix seconds, whether it is a NumericDate of RFC 7519 section 2); (None, False) without a
    plain meaning.
    """
    if type(value) is int and 0 <= value <= _MILLISECONDS_FROM:
        return value, True  # nearly every token
    standard = type(value) is int
    # A bool is an int in Python; `"exp": true` is no time.
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None, False
    try:
        number = float(value)
    except (ValueError, OverflowError):
        # OverflowError: an integer of more than 308 digits.
        return None, False
    # JSON has no NaN, but "NaN" in a string is a float for Python.
    if not math.isfinite(number) or number < 0:
        return None, False
    if number > _MILLISECONDS_FROM:
        number, standard = number / 1000, False
    return (number, standard) if number <= _YEAR_9999 else (None, False)


def times(claims: dict[str, Any] | None) -> Times:
    """The times in `claims`."""
    if claims is None:
        return NO_TIMES
    exp = claims.get("exp")
    # `"exp": null` counts as absent, as libraries read it.
    expires, standard = (None, True) if exp is None else numeric_date(exp)
    not_before = claims.get("nbf")
    issued = claims.get("iat")
    return Times(
        expires,
        None if not_before is None else numeric_date(not_before)[0],
        None if issued is None else numeric_date(issued)[0],
        exp is not None and expires is None,
        not standard and expires is not None,
    )


def status(token: Token, stated: Times, now: float, leeway: float = DEFAULT_LEEWAY) -> Status:
    """The status at `now` (Unix seconds), with `leeway` seconds for clocks that differ."""
    # Before the times: those of a clipped token may have been cut too.
    if token.integrity == "clipped":
        return "incomplete"
    if token.kind == "jwe":
        return "encrypted"
    return status_of(stated, now, leeway)


def status_of(stated: Times, now: float, leeway: float = DEFAULT_LEEWAY) -> Status:
    """The status from the times alone."""
    # The leeway widens the lifetime at both ends: a verifier somewhere may accept the token.
    if stated.bad:
        return "bad_expiry"
    if stated.expires is not None and now >= stated.expires + leeway:
        return "expired"
    if stated.not_before is not None and now < stated.not_before - leeway:
        return "not_yet_valid"
    return "no_expiry" if stated.expires is None else "live"


def live_at(
    token: Token, stated: Times, moment: float, leeway: float = DEFAULT_LEEWAY
) -> bool | None:
    """Whether the token worked at `moment` (Unix seconds); None where that is unknown."""
    # Without a readable expiry nothing is known, and "unknown" must not read as "was dead".
    if token.claims is None or token.kind == "jwe" or stated.bad:
        return None
    return status_of(stated, moment, leeway) in ("live", "no_expiry")
