"""Lifetimes: every status at its borders, and every way issuers write times."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minting import NOW

from jwtleak.assess.lifetime import DEFAULT_LEEWAY, NO_TIMES, live_at, numeric_date, status, times
from jwtleak.secret import Secret
from jwtleak.types import Integrity, Kind, Status, Token

YEAR_9999 = 253_402_300_799


def token(
    claims: dict[str, Any] | None, kind: Kind = "jws", integrity: Integrity = "whole"
) -> Token:
    return Token(kind, {"alg": "HS256"}, claims, integrity, 43, Secret(b"x"))


def judged(claims: dict[str, Any] | None, now: float = NOW, **other: Any) -> Status:
    one = token(claims, **other)
    return status(one, times(one.claims), now)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"exp": NOW + 3600}, "live"),
        ({"exp": NOW}, "live"),
        ({"exp": NOW - 59}, "live"),
        ({"exp": NOW - 60}, "expired"),
        ({"exp": NOW - 3600}, "expired"),
        ({"exp": 0}, "expired"),
        ({"exp": NOW + 3600, "nbf": NOW + 60}, "live"),
        ({"exp": NOW + 3600, "nbf": NOW + 61}, "not_yet_valid"),
        ({"nbf": NOW + 61}, "not_yet_valid"),
        ({"exp": NOW - 3600, "nbf": NOW + 61}, "expired"),
        ({"exp": NOW + 3600, "iat": NOW + 9999}, "live"),
        ({}, "no_expiry"),
        ({"exp": None}, "no_expiry"),
        ({"iat": NOW, "nbf": NOW}, "no_expiry"),
        (None, "no_expiry"),
        ({"exp": "never"}, "bad_expiry"),
        ({"exp": ""}, "bad_expiry"),
        ({"exp": True}, "bad_expiry"),
        ({"exp": False}, "bad_expiry"),
        ({"exp": -1}, "bad_expiry"),
        ({"exp": "-1"}, "bad_expiry"),
        ({"exp": []}, "bad_expiry"),
        ({"exp": {}}, "bad_expiry"),
        ({"exp": math.nan}, "bad_expiry"),
        ({"exp": math.inf}, "bad_expiry"),
        ({"exp": "inf"}, "bad_expiry"),
        ({"exp": 10**400}, "bad_expiry"),
        ({"exp": 1e300}, "bad_expiry"),
        ({"exp": "2026-01-15T13:00:00Z"}, "bad_expiry"),
        ({"exp": float(NOW + 3600)}, "live"),
        ({"exp": NOW + 0.5}, "live"),
        ({"exp": str(NOW + 3600)}, "live"),
        ({"exp": f" {NOW + 3600} "}, "live"),
        ({"exp": (NOW + 3600) * 1000}, "live"),
        ({"exp": str((NOW - 3600) * 1000)}, "expired"),
        ({"exp": NOW + 3600, "nbf": "soon"}, "live"),
    ],
)
def test_status(claims: dict[str, Any] | None, expected: Status) -> None:
    """The claims say what the token is worth now, clocks differing by at most a minute."""
    assert judged(claims) == expected


@pytest.mark.parametrize("kind", ["jws", "unsecured", "detached", "jwe", "sd-jwt"])
def test_clipped_is_incomplete(kind: Kind) -> None:
    """A token of which a part is missing works nowhere, whatever its claims say."""
    assert judged({"exp": NOW + 3600}, kind=kind, integrity="clipped") == "incomplete"


def test_jwe_is_encrypted() -> None:
    """Of a whole JWE nobody can say how long it lives."""
    assert judged(None, kind="jwe") == "encrypted"
    assert judged(None, kind="jwe", integrity="odd") == "encrypted"


@given(st.integers(0, 600), st.integers(-2000, 2000))
def test_leeway_moves_both_borders(leeway: int, late: int) -> None:
    """A token is expired exactly `leeway` seconds after `exp`, and early exactly `leeway` seconds
    before `nbf`.
    """
    one = token({"exp": NOW})
    assert (status(one, times(one.claims), NOW + late, leeway) == "expired") == (late >= leeway)
    one = token({"nbf": NOW})
    assert (status(one, times(one.claims), NOW - late, leeway) == "not_yet_valid") == (
        late > leeway
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (NOW, (NOW, True)),
        (0, (0, True)),
        (100_000_000_000, (100_000_000_000, True)),
        (100_000_000_001, (100_000_000.001, False)),
        (YEAR_9999 * 1000, (YEAR_9999, False)),
        (YEAR_9999 * 1000 + 1000, (None, False)),
        (1.5, (1.5, False)),
        (str(NOW), (NOW, False)),
        (f"{NOW}.25", (NOW + 0.25, False)),
        (NOW * 1000, (NOW, False)),
        (-0.5, (None, False)),
        (None, (None, False)),
        (True, (None, False)),
        ("", (None, False)),
        ("0x10", (None, False)),
        (10**400, (None, False)),
        ("9" * 5000, (None, False)),
    ],
)
def test_numeric_date(value: object, expected: tuple[float | None, bool]) -> None:
    """A number in whatever dress is a time where it has one plain meaning, and standard only as an
    integer of seconds.
    """
    assert numeric_date(value) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=2),
)


@given(st.fixed_dictionaries({}, optional={"exp": JSON, "nbf": JSON, "iat": JSON}))
def test_any_claims_have_a_status(claims: dict[str, Any]) -> None:
    """Whatever JSON stands in the times, there is a status, and a stated time is finite and has a
    date.
    """
    stated = times(claims)
    judged(claims)
    for value in (stated.expires, stated.not_before, stated.issued):
        assert value is None or 0 <= value <= YEAR_9999
    assert not (stated.bad and stated.expires is not None)


@pytest.mark.parametrize(
    ("exp", "bad", "nonstandard"),
    [
        *((NOW, False, False), (None, False, False), ("x", True, False)),
        *((str(NOW), False, True), (NOW + 0.5, False, True), (NOW * 1000, False, True)),
    ],
)
def test_times_name_the_form(exp: object, bad: bool, nonstandard: bool) -> None:
    """A wrong `exp` is unreadable, or readable in a form that the RFC does not allow."""
    stated = times({"exp": exp})
    assert (stated.bad, stated.nonstandard) == (bad, nonstandard)


def test_no_claims_no_times() -> None:
    """Without claims nothing is stated."""
    assert times(None) == NO_TIMES == times({})


@pytest.mark.parametrize(
    ("claims", "moment", "expected"),
    [
        ({"exp": NOW}, NOW - 10, True),
        ({"exp": NOW}, NOW + DEFAULT_LEEWAY, False),
        ({"exp": NOW, "nbf": NOW - 100}, NOW - 1000, False),
        ({}, NOW, True),
        ({"nbf": NOW + 1000}, NOW, False),
        ({"exp": "x"}, NOW, None),
        (None, NOW, None),
    ],
)
def test_live_at(claims: dict[str, Any] | None, moment: float, expected: bool | None) -> None:
    """Whether the token worked at a moment, or None where nothing tells."""
    one = token(claims)
    assert live_at(one, times(claims), moment) is expected


def test_live_at_of_a_jwe() -> None:
    """Of a JWE nothing tells whether it worked."""
    assert live_at(token(None, "jwe"), NO_TIMES, NOW) is None


def test_live_at_ignores_what_the_log_cut() -> None:
    """A token that the log cut was whole when it was used: its claims say whether it worked."""
    one = token({"exp": NOW}, integrity="clipped")
    assert live_at(one, times(one.claims), NOW - 5) is True
