"""What is known of issuers, keys and claims, and what it says of one token.

Promises: pure; what a token is worth by itself does not depend on the time or the place; tokens
that are met again are not looked at again. Data comes from the pattern files; without them nothing
is known and nothing breaks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from jwtleak.assess import weaknesses
from jwtleak.assess.advice import Server
from jwtleak.assess.conditions import has_small_header
from jwtleak.assess.hmac_keys import Keys, Signers, WeakKeys
from jwtleak.assess.issuers import Issuers, Origin
from jwtleak.assess.lifetime import Times
from jwtleak.assess.personal_data import Sensitive
from jwtleak.types import Finding, Kind, Signature, Token

# Tokens remembered in one stream: a log repeats the tokens of its last minutes.
_REMEMBER = 8192
_HEADERS = 1024

_LONG_LIVED = frozenset({"refresh", "offline"})


class Verifies(Protocol):
    """Says whether the keys of an issuer made a signature."""

    def check(self, token: Token) -> str | None:
        """`valid`, `invalid`, or None where no key can say."""
        ...


class AssessmentTables(msgspec.Struct, frozen=True):
    """All tables, ready for use. `weak` and `verifier` are there only when they are asked for."""

    issuers: Issuers = Issuers()
    keys: Keys = Keys()
    sensitive: Sensitive = Sensitive({}, {})
    servers: tuple[Server, ...] = ()
    weak: WeakKeys | None = None
    verifier: Verifies | None = None


@lru_cache(maxsize=1)
def nothing() -> AssessmentTables:
    """What is known without pattern files."""
    return AssessmentTables()


LoadTables = Callable[[], AssessmentTables]


class Assessment(msgspec.Struct, frozen=True):
    """What a token is by itself. `signature` is UNSET for a JWE, which has none."""

    origin: Origin
    example: bool
    signature: Signature | UnsetType
    weaknesses: tuple[str, ...]
    personal: bool
    secret: bool

    @property
    def long_lived(self) -> bool:
        """Whether its use is to get other tokens for a long time."""
        return self.origin.use in _LONG_LIVED


@lru_cache(maxsize=64)
def _behind(prefixes: tuple[str, ...]) -> re.Pattern[str]:
    """What stands right before a token in an excerpt: a prefix and word characters."""
    return re.compile(rf"(?<!\w)({'|'.join(map(re.escape, prefixes))})[\w]{{0,64}}\[JWT ")


class Assessor:
    """Says what the tokens of one stream are worth."""

    def __init__(self, known: AssessmentTables) -> None:
        self.known = known
        self._signers = Signers(known.keys)
        self._worth: dict[tuple[str, str, str | None], Assessment] = {}
        self._headers: dict[int, tuple[dict[str, Any], Kind, tuple[str, ...]]] = {}
        self._prefixes = known.issuers.prefixes

    def worth(self, finding: Finding, token: Token, stated: Times) -> Assessment:
        """The worth of `token`."""
        # Only a token whose claims cannot be read is told by the name of its place.
        channel = finding.channel.name if token.claims is None else None
        name = (finding.sha256, self._before(finding.excerpt), channel)
        known = self._worth.get(name)
        if known is None:
            if len(self._worth) >= _REMEMBER:
                self._worth.clear()
            known = self._worth[name] = self._assess(name, token, stated)
        return known

    def _before(self, excerpt: str) -> str:
        for prefix in self._prefixes:
            if prefix in excerpt:
                found = _behind(self._prefixes).search(excerpt)
                return "" if found is None else found[1]
        return ""

    def _assess(self, name: tuple[str, str, str | None], token: Token, stated: Times) -> Assessment:
        sha256, before, channel = name
        known = self.known
        origin = known.issuers.recognise(token, before, channel)
        example = known.keys.is_example(sha256)
        signature = self._signature(token, sha256)
        found = self._in_header(token)
        if signature in ("published_key", "weak_key"):
            found = (*found, signature)
        words: tuple[str, ...] = ()
        if token.claims is not None:
            found += weaknesses.in_claims(token.claims, stated, origin.lifetime)
            words = known.sensitive.find(token.claims)
        if not words:
            return Assessment(origin, example, signature, found, personal=False, secret=False)
        personal = any(word.startswith("personal_data") for word in words)
        secret = any(word.startswith("secret_claim") for word in words)
        return Assessment(origin, example, signature, found + words, personal, secret)

    def _in_header(self, token: Token) -> tuple[str, ...]:
        """The judge gives the same object for the same header: one look is enough."""
        header = token.header
        known = self._headers.get(id(header))
        if known is not None and known[1] == token.kind:
            return known[2]
        found = weaknesses.in_header(token.kind, header)
        if not has_small_header(token):
            return found
        if len(self._headers) >= _HEADERS:
            self._headers.clear()
        self._headers[id(header)] = (header, token.kind, found)
        return found

    def _signature(self, token: Token, sha256: str) -> Signature | UnsetType:
        if token.kind == "jwe":
            return UNSET
        if token.integrity == "clipped":
            return "none" if token.kind == "unsecured" else "truncated"
        if token.kind == "unsecured":
            return "none"
        if self._signers.published(token):
            return "published_key"
        known = self.known
        if known.weak is not None and known.weak.made(token, sha256):
            return "weak_key"
        verdict = None if known.verifier is None else known.verifier.check(token)
        return "valid" if verdict == "valid" else "invalid" if verdict == "invalid" else "unchecked"
