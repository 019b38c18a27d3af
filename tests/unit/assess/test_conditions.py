"""Conditions on tokens: globs, names, and what they look at."""

from __future__ import annotations

import time
from typing import Any

import pytest

from jwtleak.assess.conditions import (
    LONGEST,
    MAX_VALUES,
    ClaimRule,
    Condition,
    TokenView,
    facet,
    fits,
)


@pytest.mark.parametrize(
    ("glob", "value", "expected"),
    [
        ("https://*.auth0.com/", "https://acme.eu.auth0.com/", True),
        ("https://*.auth0.com/", "https://acme.auth0.com.evil.test/", False),
        ("https://*.auth0.com/", "https://evil.test/x.auth0.com/", False),
        ("https://*.auth0.com/", "https://evil.test#.auth0.com/", False),
        ("https://*.auth0.com/", "https://evil.test?.auth0.com/", False),
        ("https://*.auth0.com/", "https://u@evil.auth0.com/", False),
        ("https://*.auth0.com/", "https://acme.auth0.com/\n", False),
        ("https://**/realms/*", "https://idp.test/auth/realms/acme", True),
        ("https://**/realms/*", "https://idp.test/realms/acme/x", False),
        ("a.b", "axb", False),
        ("*", "anything", True),
    ],
)
def test_globs(glob: str, value: str, expected: bool) -> None:
    """`*` stays inside one part of a URL, `**` goes anywhere, everything else is itself, and the
    whole value counts.
    """
    assert fits(glob, (value,)) is expected


def test_any_of_several() -> None:
    """One of the globs and one of the values are enough; nothing fits no value."""
    assert fits(("a", "b"), ("x", "b"))
    assert not fits(("a", "b"), ("x",))
    assert not fits("*", ())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", ("a",)),
        (["a", "b"], ("a", "b")),
        (True, ("true",)),
        (False, ("false",)),
        (7, ("7",)),
        (None, ("",)),
        ({}, ("",)),
        ([1, None, "x"], ("1", "", "x")),
        (1.5, ("",)),
        (10**500, ("",)),
        ("y" * 9999, ("y" * LONGEST,)),
        (["z"] * 9999, ("z",) * MAX_VALUES),
    ],
)
def test_facets(value: object, expected: tuple[str, ...]) -> None:
    """A claim is seen as strings, of bounded number and length, whatever it is."""
    assert facet(value) == expected


def holds(
    match: ClaimRule,
    claims: dict[str, Any],
    header: dict[str, Any] | None = None,
    before: str = "",
    channel: str = "",
) -> bool:
    """Whether `match` is true."""
    return Condition(match).holds(TokenView(header or {}, claims, before, channel))


@pytest.mark.parametrize(
    ("match", "fit", "other"),
    [
        (ClaimRule(iss=("a",)), {"iss": "a"}, {"iss": "b"}),
        (ClaimRule(aud=("a",)), {"aud": ["x", "a"]}, {"aud": ["x"]}),
        (ClaimRule(azp=("a",)), {"azp": "a"}, {}),
        (ClaimRule(claims={"r": "anon"}), {"r": "anon"}, {"r": "anonymous"}),
        (ClaimRule(claims={"r": ("a", "b")}), {"r": "b"}, {"r": "c"}),
        (ClaimRule(claims={"r": "*"}), {"r": None}, {"s": 1}),
        (ClaimRule(claims={"r": "true"}), {"r": True}, {"r": False}),
        (ClaimRule(claims={"r": "1"}, without=("x",)), {"r": 1}, {"r": 1, "x": 0}),
        (ClaimRule(self_issued=True), {"iss": "a", "sub": "a"}, {"iss": "a", "sub": "b"}),
        (ClaimRule(claims={"scope": "admin"}), {"scope": "read admin"}, {"scope": "administer"}),
        (ClaimRule(iss=("a",), aud=("b",)), {"iss": "a", "aud": "b"}, {"iss": "a", "aud": "c"}),
    ],
)
def test_conditions_on_claims(match: ClaimRule, fit: dict[str, Any], other: dict[str, Any]) -> None:
    """All that a match names must hold."""
    assert holds(match, fit)
    assert not holds(match, other)


def test_conditions_on_header_and_place() -> None:
    """The header's `typ` in any case, other parameters as they are; the literal before; the
    channel's name in any case.
    """
    assert holds(ClaimRule(typ=("at+jwt",)), {}, {"typ": "AT+JWT"})
    assert not holds(ClaimRule(typ=("at+jwt",)), {}, {"typ": "JWT"})
    assert not holds(ClaimRule(typ=("at+jwt",)), {}, {})
    assert holds(ClaimRule(header={"alg": "dir"}), {}, {"alg": "dir"})
    assert not holds(ClaimRule(header={"alg": "dir"}), {}, {"alg": "DIR"})
    assert holds(ClaimRule(before="ghs_"), {}, before="ghs_")
    assert not holds(ClaimRule(before="ghs_"), {}, before="ghp_")
    assert holds(ClaimRule(channel=("*session-token*",)), {}, channel="__Secure-Session-Token.0")
    assert not holds(ClaimRule(channel=("*session-token*",)), {}, channel="sid")


@pytest.mark.parametrize(
    "value", ["https://" + "a." * 300, "https://" + "/realms" * 90, "x" * 100_000, "." * 600]
)
def test_hostile_values_take_no_time(value: str) -> None:
    """A long value that nearly fits takes milliseconds."""
    started = time.process_time()
    for glob in ("https://**/realms/*", "https://*.*.*/*/as", "**a**b**"):
        fits(glob, facet(value))
    assert time.process_time() - started < 1.0
