"""Named weaknesses of a token by itself (RFC 8725, JWT Best Current Practices).

Promises: pure. WEAKNESSES has the meaning and the references of every name in an alert; the part
after the colon of `personal_data:` and `secret_claim:` comes from `patterns/claims.toml`. A `jku`
is named, never fetched.
"""

from __future__ import annotations

from typing import Any

import msgspec

from jwtleak.assess.lifetime import Times
from jwtleak.types import Kind


class Weakness(msgspec.Struct, frozen=True):
    """The meaning of a name, and what to read about it."""

    meaning: str
    references: tuple[str, ...]


WEAKNESSES: dict[str, Weakness] = {
    "alg_none": Weakness(
        "it is not signed (alg none): anyone can write one", ("RFC 8725 section 3.1", "CWE-347")
    ),
    "published_key": Weakness(
        "its HMAC key stands in public documentation: anyone can sign another",
        ("RFC 8725 section 3.5", "CWE-321"),
    ),
    "weak_key": Weakness(
        "its HMAC key is in a word list: anyone can find it and sign another",
        ("RFC 8725 section 3.5", "CWE-326"),
    ),
    "jku_header": Weakness(
        "its header names a URL for the key (jku): a verifier that follows it takes an attacker's"
        " key",
        ("RFC 8725 section 3.10", "CWE-347", "CWE-918"),
    ),
    "x5u_header": Weakness(
        "its header names a URL for the certificate (x5u): a verifier that follows it takes an"
        " attacker's key",
        ("RFC 8725 section 3.10", "CWE-347", "CWE-918"),
    ),
    "jwk_header": Weakness(
        "its header carries the key itself (jwk): a verifier that uses it accepts anyone's"
        " signature",
        ("RFC 8725 section 3.10", "CWE-347"),
    ),
    "unknown_crit": Weakness(
        "its header names a critical extension that is not registered: a verifier must refuse it",
        ("RFC 7515 section 4.1.11",),
    ),
    "no_exp": Weakness(
        "it has no exp: it works until its key changes", ("RFC 8725 section 3.10", "CWE-613")
    ),
    "bad_exp": Weakness(
        "exp cannot be read: some libraries will take the token for ever",
        ("RFC 7519 section 4.1.4", "CWE-613"),
    ),
    "nonstandard_exp": Weakness(
        "exp is not a plain number of seconds: libraries read it differently",
        ("RFC 7519 section 4.1.4",),
    ),
    "nonstandard_time": Weakness(
        "iat or nbf is not a plain number of seconds: libraries read it differently",
        ("RFC 7519 section 2",),
    ),
    "long_lifetime": Weakness(
        "it lives longer than its use should", ("RFC 9700 section 4.14", "CWE-613")
    ),
    "no_aud": Weakness(
        "it has an issuer but no audience: every service that trusts the issuer may accept it",
        ("RFC 8725 section 3.9",),
    ),
    "personal_data": Weakness(
        "its claims hold personal data, readable by anyone", ("CWE-359", "RFC 7519 section 12")
    ),
    "secret_claim": Weakness(
        "its claims hold a secret, readable by anyone", ("CWE-522", "RFC 7519 section 12")
    ),
}

# Registered header extensions for `crit` (IANA JOSE registry; RFC 7797, RFC 8555, RFC 8225).
_CRITICAL = frozenset(
    {"b64", "exp", "iat", "nbf", "url", "nonce", "ppt", "iss", "aud", "sub", "svt", "sigT"}
)


def meaning_of(name: str) -> Weakness:
    """The entry of WEAKNESSES for a name, also for `personal_data:email`."""
    return WEAKNESSES[name.partition(":")[0]]


def in_header(kind: Kind, header: dict[str, Any]) -> tuple[str, ...]:
    """The weaknesses of a header."""
    found = ["alg_none"] if kind == "unsecured" else []
    found += [
        f"{name}_header"
        for name in ("jku", "x5u", "jwk")
        if name in header and not _proves(name, header)
    ]
    # A verifier that does not know the extension must reject the token; one that ignores `crit`
    # skips a check that its issuer relied on.
    critical = header.get("crit")
    if critical is not None and not _known(critical, header):
        found.append("unknown_crit")
    return tuple(found)


def _proves(name: str, header: dict[str, Any]) -> bool:
    """Whether the token is a proof of possession, which carries its key by design (RFC 9449 section
    4.2, RFC 8555 section 6.2, OpenID4VCI).
    """
    # ACME (RFC 8555) sets no `typ`; its requests have `nonce` and `url` in the header.
    typ = header.get("typ")
    proof = isinstance(typ, str) and typ.lower() in ("dpop+jwt", "openid4vci-proof+jwt", "kb+jwt")
    return name == "jwk" and (proof or ("nonce" in header and "url" in header))


def _known(critical: object, header: dict[str, Any]) -> bool:
    """Whether `crit` is a list, not empty, of registered names that the header has (RFC 7515
    section 4.1.11).
    """
    return (
        isinstance(critical, list)
        and bool(critical)
        and all(isinstance(name, str) and name in _CRITICAL and name in header for name in critical)
    )


def in_claims(claims: dict[str, Any], stated: Times, limit: float | None) -> tuple[str, ...]:
    """The weaknesses of claims. `limit`: the longest lifetime, in seconds, that is fit for the
    token's use.
    """
    # In a fixed order: the names are part of the key of the cache of verdicts.
    found = []
    if stated.nonstandard:
        found.append("nonstandard_exp")
    if stated.bad:
        found.append("bad_exp")
    if stated.expires is None and not stated.bad:
        found.append("no_exp")
    if _odd(claims.get("iat")) or _odd(claims.get("nbf")):
        found.append("nonstandard_time")
    # Without `iat` the lifetime counts from `nbf`: many issuers set only one of the two.
    began = stated.issued if stated.issued is not None else stated.not_before
    if (
        limit is not None
        and stated.expires is not None
        and began is not None
        and stated.expires - began > limit
    ):
        found.append("long_lifetime")
    # A token without `iss` too is mostly a session of one service, which needs no audience.
    if "aud" not in claims and "iss" in claims:
        found.append("no_aud")
    return tuple(found)


def _odd(value: object) -> bool:
    """Whether a time is not a number of seconds since 1970; numbers above the year 5138 are
    milliseconds.
    """
    # `type` and not `isinstance`: True is an int.
    return value is not None and not (
        type(value) in (int, float) and 0 <= value <= 100_000_000_000  # type: ignore[operator]
    )
