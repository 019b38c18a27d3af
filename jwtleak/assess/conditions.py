"""Conditions on a token's header, claims and place: the language of `patterns/issuers.toml` and
`patterns/public.toml`.

Promises: pure. Conditions apply to decoded values, never to the token's text. Matching takes linear
time, and compares at most LONGEST characters of a value. `*` in a glob matches inside one part of a
URL, `**` matches anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from jwtleak.types import Token

# Issuers, audiences and roles are short. A longer value is cut, and then fits no glob that ends
# with a literal.
LONGEST = 512
# Values of a list that are compared: real tokens name a few audiences and scopes.
MAX_VALUES = 32

# One claim as rules see it: every string in it.
Facet = tuple[str, ...]


class ClaimRule(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One alternative: every condition in it must hold. Of several globs for one thing, one must
    fit.

    `claims` and `header` map names to globs; `*` alone asks only that the name is present.
    `without`: claims that must be absent. `self_issued`: `iss` equals `sub`. `before`: this literal
    and word characters precede the token directly. `channel`: globs for the name of the parameter,
    cookie or field.
    """

    iss: tuple[str, ...] = ()
    aud: tuple[str, ...] = ()
    azp: tuple[str, ...] = ()
    typ: tuple[str, ...] = ()
    claims: dict[str, str | tuple[str, ...]] = {}
    header: dict[str, str | tuple[str, ...]] = {}
    without: tuple[str, ...] = ()
    self_issued: bool = False
    before: str | None = None
    channel: tuple[str, ...] = ()


class TokenView(msgspec.Struct, frozen=True):
    """What rules see. `before` and `channel` describe the place; both are empty where unknown."""

    header: dict[str, Any]
    claims: dict[str, Any]
    before: str = ""
    channel: str = ""


def facet(value: object) -> Facet:
    """The strings of a claim: itself, or a list's members; numbers and booleans as JSON writes
    them.
    """
    if isinstance(value, str):
        return (value[:LONGEST],)
    if isinstance(value, list):
        return tuple([_scalar(member) for member in value[:MAX_VALUES]])
    return (_scalar(value),)


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return value[:LONGEST]
    # Before the test for int: a bool is one.
    if isinstance(value, bool):
        return "true" if value else "false"
    # Larger ones are no ids of a rule, and `str` raises from 4,300 digits on.
    if isinstance(value, int):
        return str(value) if -(2**63) <= value < 2**63 else ""
    return ""


@lru_cache(maxsize=2048)
def _expression(pattern: str) -> re.Pattern[str]:
    # No nested repetition: each part is a literal or one class with a star, so matching a value of
    # LONGEST characters stays fast whatever the value is.
    parts = re.split(r"(\*\*|\*)", pattern)
    text = "".join(
        ".*" if part == "**" else r"[^/@?#\s]*" if part == "*" else re.escape(part)
        for part in parts
    )
    return re.compile(f"(?s:{text})\\Z")


@lru_cache(maxsize=2048)
def fitting(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """A predicate: whether a value fits one of `patterns`."""
    # A substring search for the longest literal comes first and rejects nearly all patterns. One
    # alternation of all globs would try each from the beginning, and compiling all of them takes
    # longer than scanning 20 MB.
    ready = [(max(pattern.split("*"), key=len), pattern) for pattern in patterns]

    def fit(value: str) -> bool:
        for literal, pattern in ready:
            if literal in value and _expression(pattern).match(value) is not None:
                return True
        return False

    return fit


def fits(globs: str | tuple[str, ...], values: Facet) -> bool:
    """Whether one of `values` fits one of `globs`."""
    # `*` alone means presence; as an expression it would refuse values with a slash.
    if globs == "*":
        return bool(values)
    return any(map(fitting((globs,) if isinstance(globs, str) else globs), values))


# Sizes of what the caches keep of a token: those of real tokens. A token of 64 KiB can hold
# thousands of names, and a cache of 2,048 such tuples would take hundreds of megabytes.
_MOST_NAMES = 48
_MOST_LETTERS = 1024
# As for the headers in the matcher's cache.
_LONGEST_HEADER = 1024


def is_small(texts: tuple[str, ...]) -> bool:
    """Whether texts of a token are few and short enough for a cache."""
    return len(texts) <= _MOST_NAMES and sum(map(len, texts)) <= _MOST_LETTERS


def has_small_header(token: Token) -> bool:
    """Whether the header of `token` is short enough for a cache."""
    return (
        token.raw.reveal().find(b".", 0, _LONGEST_HEADER + 1) >= 0
        or len(token.raw) <= _LONGEST_HEADER
    )


def is_self_issued(claims: dict[str, Any]) -> bool:
    """Whether issuer and subject are the same string."""
    # Other types are not compared: comparing lists that are nested 1,000 deep overflows the stack.
    issuer = claims.get("iss")
    return isinstance(issuer, str) and issuer == claims.get("sub")


class Condition:
    """A `ClaimRule`, compiled."""

    def __init__(self, match: ClaimRule) -> None:
        self._match = match
        # `iss`, `aud` and `azp` have keys of their own in the files, but are claims like others.
        by_name = {"iss": match.iss, "aud": match.aud, "azp": match.azp}
        claims = {**match.claims, **{name: globs for name, globs in by_name.items() if globs}}
        self._claims = tuple(claims.items())
        header = {**match.header, **({"typ": match.typ} if match.typ else {})}
        self._header = tuple(header.items())
        self.names = frozenset(claims) | ({"iss", "sub"} if match.self_issued else set())
        # Claims whose value matters, not only their presence, with the globs for it.
        self.asked = tuple(
            (name, (globs,) if isinstance(globs, str) else tuple(globs))
            for name, globs in claims.items()
            if globs != "*"
        )
        self.before = match.before

    def holds(self, view: TokenView) -> bool:
        """Whether every condition is true of `view`."""
        match, claims = self._match, view.claims
        # The cheapest first: nearly every rule fails at a missing claim.
        if not self.names <= claims.keys():
            return False
        if match.before is not None and view.before != match.before:
            return False
        if match.channel and not fits(match.channel, (view.channel.lower(),)):
            return False
        if match.self_issued and not is_self_issued(claims):
            return False
        if any(name in claims for name in match.without):
            return False
        return all(
            self._fits_header(name, globs, view.header) for name, globs in self._header
        ) and all(
            globs == "*" or fits(globs, words(name, claims[name])) for name, globs in self._claims
        )

    @staticmethod
    def _fits_header(name: str, globs: str | tuple[str, ...], header: dict[str, Any]) -> bool:
        if name not in header:
            return False
        # Not `words`: a header parameter has no scopes.
        values = facet(header[name])
        # Media types and algorithm names are written in any case (RFC 7515 section 4.1.9).
        return fits(
            globs, tuple(value.lower() for value in values) if name in ("typ", "cty") else values
        )


_SCOPES = frozenset({"scope", "scp", "roles", "permissions"})


def words(name: str, value: object) -> Facet:
    """The strings of the claim `name`; a scope is a list in one string (RFC 8693 section 4.2)."""
    if isinstance(value, str) and name in _SCOPES:
        return tuple(value[:LONGEST].split(None, MAX_VALUES))
    return facet(value)
