"""The assessment of a token by itself: issuer and use, known keys, weaknesses, personal data.

Promises: pure. An assessment does not depend on the time, and on the place only for a token without
readable claims. A token that occurs again is not assessed again. The tables come from the pattern
files; with empty tables every answer is "unknown", and nothing fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

from jwtleak.assess import weaknesses
from jwtleak.assess.advice import Server
from jwtleak.assess.hmac_keys import Keys, Signers, WeakKeys
from jwtleak.assess.issuers import Issuers, Origin
from jwtleak.assess.lifetime import Times
from jwtleak.assess.personal_data import Sensitive
from jwtleak.types import Finding, Signature, Token

# Assessments kept for one stream: a log repeats the tokens of its last minutes.
_ASSESSMENTS = 8192

_LONG_LIVED = frozenset({"refresh", "offline"})


class Verifies(Protocol):
    """Checks signatures with the keys of issuers."""

    def check(self, token: Token) -> str | None:
        """`valid`, `invalid`, or None where the configured keys do not answer."""
        ...


class AssessmentTables(msgspec.Struct, frozen=True):
    """All tables of the assessment. `weak` and `verifier` are optional."""

    issuers: Issuers = Issuers()
    keys: Keys = Keys()
    sensitive: Sensitive = Sensitive({}, {})
    servers: tuple[Server, ...] = ()
    weak: WeakKeys | None = None
    verifier: Verifies | None = None


@lru_cache(maxsize=1)
def no_tables() -> AssessmentTables:
    """The tables without pattern files: empty."""
    return AssessmentTables()


LoadTables = Callable[[], AssessmentTables]


class Assessment(msgspec.Struct, frozen=True):
    """The properties of a token by itself. `signature` is UNSET for a JWE, which has none."""

    origin: Origin
    example: bool
    signature: Signature | UnsetType
    weaknesses: tuple[str, ...]
    personal: bool
    secret: bool

    @property
    def long_lived(self) -> bool:
        """Whether it serves to get other tokens for a long time."""
        return self.origin.use in _LONG_LIVED


@lru_cache(maxsize=64)
def _behind(prefixes: tuple[str, ...]) -> re.Pattern[str]:
    """Matches the text directly before a token in an excerpt: a prefix and word characters."""
    return re.compile(rf"(?<!\w)({'|'.join(map(re.escape, prefixes))})[\w]{{0,64}}\[JWT ")


class Assessor:
    """Assesses the tokens of one stream."""

    def __init__(self, tables: AssessmentTables) -> None:
        self.tables = tables
        self._signers = Signers(tables.keys)
        self._assessments: dict[tuple[str, str, str | None], Assessment] = {}
        self._prefixes = tables.issuers.prefixes

    def __len__(self) -> int:
        """How many entries the caches of the stream have."""
        return len(self._assessments)

    def assess(self, finding: Finding, token: Token, stated: Times) -> Assessment:
        """The assessment of `token`, whose times are `stated`."""
        # The name of the place (`__Secure-next-auth.session-token`) identifies the issuer of a JWE
        # or of an opaque payload. Readable claims say more, and then it stays out of the key.
        channel = finding.channel.name if token.claims is None else None
        key = (finding.sha256, self._before(finding.excerpt), channel)
        assessment = self._assessments.get(key)
        if assessment is None:
            if len(self._assessments) >= _ASSESSMENTS:
                self._assessments.clear()
            assessment = self._assessments[key] = self._assess(key, token, stated)
        return assessment

    def _before(self, excerpt: str) -> str:
        """The known prefix directly before the token, as `ghs_` in `ghs_123_eyJ...`; else empty."""
        # The substring search rejects nearly every excerpt without the expression.
        for prefix in self._prefixes:
            if prefix in excerpt:
                found = _behind(self._prefixes).search(excerpt)
                return "" if found is None else found[1]
        return ""

    def _assess(self, key: tuple[str, str, str | None], token: Token, stated: Times) -> Assessment:
        sha256, before, channel = key
        tables = self.tables
        origin = tables.issuers.recognise(token, before, channel)
        example = tables.keys.is_example(sha256)
        signature = self._signature(token, sha256)
        found = weaknesses.in_header(token.kind, token.header)
        # Also as a weakness, for readers that know weaknesses and not signatures.
        if signature in ("published_key", "weak_key"):
            found = (*found, signature)
        # Claims of a JWE or of an opaque payload are unreadable, and so unjudged.
        words: tuple[str, ...] = ()
        if token.claims is not None:
            found += weaknesses.in_claims(token.claims, stated, origin.lifetime)
            words = tables.sensitive.find(token.claims)
        if not words:
            return Assessment(origin, example, signature, found, personal=False, secret=False)
        personal = any(word.startswith("personal_data") for word in words)
        secret = any(word.startswith("secret_claim") for word in words)
        return Assessment(origin, example, signature, found + words, personal, secret)

    def _signature(self, token: Token, sha256: str) -> Signature | UnsetType:
        if token.kind == "jwe":
            return UNSET
        # A clipped signature cannot be checked: every key would seem wrong.
        if token.integrity == "clipped":
            return "none" if token.kind == "unsecured" else "truncated"
        if token.kind == "unsecured":
            return "none"
        if self._signers.published(token):
            return "published_key"
        # The word list before the issuer's keys: a weak key is critical even where it is the
        # issuer's own, and the signature then valid.
        tables = self.tables
        if tables.weak is not None and tables.weak.made(token, sha256):
            return "weak_key"
        verdict = None if tables.verifier is None else tables.verifier.check(token)
        return "valid" if verdict == "valid" else "invalid" if verdict == "invalid" else "unchecked"
