"""Lifetime: what `exp`, `nbf` and `iat` say at a given moment (RFC 7519 section 4.1).

Promises: `now` is always an argument. Times that issuers write wrongly but that have one plain
meaning (a number in a string, milliseconds, a fraction) are understood and named a weakness; those
without one make the expiry bad.
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
# As seconds this is the year 5138; no token lives so long, but milliseconds since 1973 are above
# it.
_MILLISECONDS_FROM = 100_000_000_000


class Times(msgspec.Struct, frozen=True, gc=False):
    """`exp`, `nbf`, `iat` in Unix seconds, None where absent or unusable. `bad` and `nonstandard`
    speak of `exp`.
    """

    expires: float | None
    not_before: float | None
    issued: float | None
    bad: bool
    nonstandard: bool


NO_TIMES = Times(None, None, None, False, False)


def numeric_date(value: object) -> tuple[float | None, bool]:
    """(Unix seconds, whether written as RFC 7519 section 2 NumericDate asks); (None, False) when it
    has no plain meaning.
    """
    if type(value) is int and 0 <= value <= _MILLISECONDS_FROM:
        return value, True  # nearly all of them
    standard = type(value) is int
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None, False
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None, False
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
    """What the token is worth at `now` (Unix seconds), allowing `leeway` seconds for the clocks."""
    if token.integrity == "clipped":
        return "incomplete"
    if token.kind == "jwe":
        return "encrypted"
    return status_of(stated, now, leeway)


def status_of(stated: Times, now: float, leeway: float = DEFAULT_LEEWAY) -> Status:
    """The same from the times alone."""
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
    """Whether the token worked at `moment`; None when that cannot be told."""
    if token.claims is None or token.kind == "jwe" or stated.bad:
        return None
    return status_of(stated, moment, leeway) in ("live", "no_expiry")
