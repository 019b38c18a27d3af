"""Conditions on a token's header, claims and place: the language of `patterns/issuers.toml` and
`patterns/public.toml`.

Promises: pure; every condition is on decoded values, never on the token's text; linear time on any
value, of which at most LONGEST characters are looked at. A glob's `*` stays inside one part of a
URL, `**` goes anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from jwtleak.types import Token

# Issuers, audiences and roles are short; of a longer value only the beginning is compared, which
# then fits no glob.
LONGEST = 512
# Values of a list that are looked at: real tokens name a few audiences and scopes.
MAX_VALUES = 32

# What a rule sees of one claim: every string in it.
Facet = tuple[str, ...]


class ClaimRule(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One alternative: all that it names must hold; of several globs for one thing, one must fit.

    `claims` and `header` map names to globs; `*` alone asks only that the name is there. `without`
    lists claims that must be absent. `self_issued`: `iss` equals `sub`. `before`: the token stands
    right behind this literal and word characters. `channel`: globs for the name of the parameter,
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
    """What rules may look at. `before` and `channel` are of the place; both empty where they are
    not known.
    """

    header: dict[str, Any]
    claims: dict[str, Any]
    before: str = ""
    channel: str = ""


def sight_of(token: Token, before: str = "", channel: str | None = None) -> TokenView:
    """What there is to see of `token`."""
    return TokenView(token.header, token.claims or {}, before, channel or "")


def facet(value: object) -> Facet:
    """The strings of a claim: itself, a list's members, words of a scope; numbers and booleans as
    JSON writes them.
    """
    if isinstance(value, str):
        return (value[:LONGEST],)
    if isinstance(value, list):
        return tuple([_scalar(one) for one in value[:MAX_VALUES]])
    return (_scalar(value),)


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return value[:LONGEST]
    if isinstance(value, bool):
        return "true" if value else "false"
    # An integer of a million digits would take a second to write.
    if isinstance(value, int):
        return str(value) if -(2**63) <= value < 2**63 else ""
    return ""


@lru_cache(maxsize=2048)
def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*)", pattern)
    text = "".join(
        ".*" if one == "**" else r"[^/@?#\s]*" if one == "*" else re.escape(one) for one in parts
    )
    return re.compile(f"(?s:{text})\\Z")


@lru_cache(maxsize=2048)
def fitting(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a value fits one of `patterns`. The longest literal of each is looked for first: an
    alternation of all of them would try every one from the beginning, and compiling all of them
    takes longer than scanning 20 MB.
    """
    ready = [(max(pattern.split("*"), key=len), pattern) for pattern in patterns]

    def fit(value: str) -> bool:
        for literal, pattern in ready:
            if literal in value and _expression(pattern).match(value) is not None:
                return True
        return False

    return fit


def fits(globs: str | tuple[str, ...], values: Facet) -> bool:
    """Whether one of `values` fits one of `globs`."""
    if globs == "*":
        return bool(values)
    return any(map(fitting((globs,) if isinstance(globs, str) else globs), values))


# Names of claims that are remembered: those of real tokens. A token of 64 KiB holds thousands, and
# thousands of such sets would not fit into the memory that there is.
_MOST_NAMES = 48
_MOST_LETTERS = 1024
# As for headers that the judge remembers.
_LONGEST_HEADER = 1024


def is_small(texts: tuple[str, ...]) -> bool:
    """Whether texts of a token are few and short enough to be remembered."""
    return len(texts) <= _MOST_NAMES and sum(map(len, texts)) <= _MOST_LETTERS


def has_small_header(token: Token) -> bool:
    """Whether the header of `token` is short enough to be remembered."""
    return (
        token.raw.reveal().find(b".", 0, _LONGEST_HEADER + 1) >= 0
        or len(token.raw) <= _LONGEST_HEADER
    )


def is_self_issued(claims: dict[str, Any]) -> bool:
    """Whether issuer and subject are one string. Other values are not compared: nested lists may be
    deeper than a stack.
    """
    issuer = claims.get("iss")
    return isinstance(issuer, str) and issuer == claims.get("sub")


class Condition:
    """A `ClaimRule`, made ready."""

    def __init__(self, match: ClaimRule) -> None:
        self._match = match
        by_name = {"iss": match.iss, "aud": match.aud, "azp": match.azp}
        claims = {**match.claims, **{name: globs for name, globs in by_name.items() if globs}}
        self._claims = tuple(claims.items())
        header = {**match.header, **({"typ": match.typ} if match.typ else {})}
        self._header = tuple(header.items())
        self.names = frozenset(claims) | ({"iss", "sub"} if match.self_issued else set())
        # Claims whose values decide, beyond being there, and what is asked of them.
        self.asked = tuple(
            (name, (globs,) if isinstance(globs, str) else tuple(globs))
            for name, globs in claims.items()
            if globs != "*"
        )
        self.before = match.before

    def holds(self, sight: TokenView) -> bool:
        """Whether all of it is true of `sight`."""
        match, claims = self._match, sight.claims
        if not self.names <= claims.keys():
            return False
        if match.before is not None and sight.before != match.before:
            return False
        if match.channel and not fits(match.channel, (sight.channel.lower(),)):
            return False
        if match.self_issued and not is_self_issued(claims):
            return False
        if any(name in claims for name in match.without):
            return False
        return all(
            self._fits_header(name, globs, sight.header) for name, globs in self._header
        ) and all(
            globs == "*" or fits(globs, words(name, claims[name])) for name, globs in self._claims
        )

    @staticmethod
    def _fits_header(name: str, globs: str | tuple[str, ...], header: dict[str, Any]) -> bool:
        if name not in header:
            return False
        values = facet(header[name])
        # Media types and algorithm names are written in any case (RFC 7515 section 4.1.9).
        return fits(
            globs, tuple(value.lower() for value in values) if name in ("typ", "cty") else values
        )


_SCOPES = frozenset({"scope", "scp", "roles", "permissions"})


def words(name: str, value: object) -> Facet:
    """The strings of the claim `name`: scopes are a list in one string (RFC 8693 section 4.2)."""
    if isinstance(value, str) and name in _SCOPES:
        return tuple(value[:LONGEST].split(None, MAX_VALUES))
    return facet(value)
