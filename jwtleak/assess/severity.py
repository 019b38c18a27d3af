"""Severity and confidence: one table, a list of adjustments, and nothing else.

Promises: pure. Every severity comes with the codes of its reasons, in the order of the rules that
applied. `docs/generate.py` writes `docs/reference/severity.md` from this table and these rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from jwtleak.types import SEVERITIES, ChannelType, Confidence, Integrity, Kind, Severity, Status

Exposure = Literal["spreads", "stays"]

# Browsers, proxies and other sites record these (CWE-598); everything else stays in the log that
# holds it (CWE-532).
_SPREADS: frozenset[ChannelType] = frozenset({"url_query", "url_fragment", "url_path", "referer"})

# (status, exposure) -> severity of a token with a claims object and a signature.
_SIGNED: dict[tuple[Status, Exposure], Severity] = {
    ("live", "spreads"): "critical",
    ("live", "stays"): "high",
    ("no_expiry", "spreads"): "critical",
    ("no_expiry", "stays"): "high",
    ("not_yet_valid", "spreads"): "high",
    ("not_yet_valid", "stays"): "medium",
    ("bad_expiry", "spreads"): "high",
    ("bad_expiry", "stays"): "medium",
    ("encrypted", "spreads"): "high",
    ("encrypted", "stays"): "medium",
    ("incomplete", "spreads"): "low",
    ("incomplete", "stays"): "low",
}


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """All that severity depends on. `signed`: the token carries claims under a signature that a
    verifier could accept. `long_lived`: it serves to get other tokens for a long time (refresh,
    offline).
    """

    status: Status
    live_when_logged: bool | None
    signed: bool
    channel: ChannelType
    example: bool = False
    signature: str | None = None
    public: bool = False
    privilege: str = "user"
    admin: bool = False
    long_lived: bool = False
    personal: bool = False
    secret: bool = False


class Rule(msgspec.Struct, frozen=True):
    """An adjustment: `apply` where `holds`. `when` and `effect` describe the two in the reference.
    `last`: no later rule applies.
    """

    code: str
    when: str
    effect: str
    holds: Callable[[Case], bool]
    apply: Callable[[Severity], Severity]
    last: bool = False


def _to(level: Severity) -> Callable[[Severity], Severity]:
    return lambda _: level


def _at_least(level: Severity) -> Callable[[Severity], Severity]:
    # SEVERITIES begins with the worst, so the worse of two has the smaller index.
    return lambda before: min(before, level, key=SEVERITIES.index)


def _at_most(level: Severity) -> Callable[[Severity], Severity]:
    return lambda before: max(before, level, key=SEVERITIES.index)


def _step(by: int) -> Callable[[Severity], Severity]:
    # Clamped: one step up from `critical` stays `critical`.
    return lambda before: SEVERITIES[
        min(max(SEVERITIES.index(before) + by, 0), len(SEVERITIES) - 1)
    ]


def _works(case: Case) -> bool:
    """Whether a verifier could accept the token, now or later."""
    return case.signed and case.status not in ("expired", "incomplete")


# The order matters. An example token is nobody's, whatever key signed it. A key that anyone has
# outweighs everything that the token says of itself. Then the use of the token counts, and last its
# content, which stays readable after expiry.
RULES: tuple[Rule, ...] = (
    Rule(
        "known_example",
        "documentation prints this very token",
        "info",
        lambda case: case.example,
        _to("info"),
        last=True,
    ),
    Rule(
        "published_key",
        "a published key made the signature, and the token is no known example",
        "critical",
        lambda case: case.signature == "published_key",
        _to("critical"),
        last=True,
    ),
    Rule(
        "weak_key",
        "a word of `--weak-keys` made the signature",
        "critical",
        lambda case: case.signature == "weak_key",
        _to("critical"),
        last=True,
    ),
    Rule(
        "public_by_design",
        "its vendor tells people to publish it",
        "info",
        lambda case: case.public,
        _to("info"),
    ),
    Rule(
        "signature_valid",
        "the signature is valid, and the token may work",
        "one step up",
        lambda case: case.signature == "valid" and _works(case) and not case.public,
        _step(-1),
    ),
    Rule(
        "admin_privilege",
        "a role, scope or use that administers, and the token may work",
        "one step up",
        lambda case: (case.admin or case.privilege == "admin") and _works(case) and not case.public,
        _step(-1),
    ),
    Rule(
        "service_privilege",
        "a service, workload or client, not one user, and the token may work",
        "one step up",
        lambda case: (
            case.privilege == "service" and not case.admin and _works(case) and not case.public
        ),
        _step(-1),
    ),
    Rule(
        "long_lived_use",
        "a refresh or offline token that may work",
        "one step up",
        lambda case: case.long_lived and _works(case) and not case.public,
        _step(-1),
    ),
    Rule(
        "low_privilege",
        "a use that gives no access by itself (DPoP proof, logout, request object)",
        "one step down",
        lambda case: case.privilege == "low" and not case.admin and not case.public,
        _step(1),
    ),
    Rule(
        "signature_invalid",
        "the keys of its issuer did not make the signature",
        "at most low",
        lambda case: case.signature == "invalid",
        _at_most("low"),
    ),
    Rule(
        "secret_claim",
        "a claim holds a secret, whether expired or not",
        "at least high",
        lambda case: case.secret,
        _at_least("high"),
    ),
    Rule(
        "personal_data",
        "claims hold personal data, whether expired or not",
        "at least low",
        lambda case: case.personal,
        _at_least("low"),
    ),
)

# Reasons of the base, beside the status itself. A [[raise]] rule appends `policy` to all others.
BASE_REASONS: dict[str, str] = {
    "live_when_logged": "it has expired, but worked when it was logged",
    "spreads": "it stands in a URL or Referer, which go on to histories, proxies and other sites",
    "unsigned": "no sound verifier accepts it: alg none, or no claims object",
    "policy": "a `[[raise]]` rule of the policy",
}


def exposure(channel: ChannelType) -> Exposure:
    """Whether the content of `channel` is passed on by design."""
    return "spreads" if channel in _SPREADS else "stays"


def base(
    status: Status, live_when_logged: bool | None, *, signed: bool, channel: ChannelType
) -> Severity:
    """The severity for a token of an unknown issuer."""
    if status == "expired":
        # It worked when it was logged: somebody may have used it, and the leak itself goes on.
        return "low" if live_when_logged else "info"
    level = _SIGNED[status, exposure(channel)]
    if signed or status in ("encrypted", "incomplete"):
        return level
    # alg none, or a payload that is no claims object: no sound verifier accepts it as a credential
    # (RFC 8725 section 3.1). An unsound one does, so it is not `info`.
    return "medium" if level == "critical" else "low"


def severity(case: Case) -> tuple[Severity, tuple[str, ...]]:
    """How much a leak matters, and why."""
    level = base(case.status, case.live_when_logged, signed=case.signed, channel=case.channel)
    reasons: list[str] = [case.status]
    # The reasons follow `base` branch by branch: they say why it chose this level.
    if case.status == "expired":
        # Neither the channel nor the signature changes the level of an expired token.
        if case.live_when_logged:
            reasons.append("live_when_logged")
    else:
        if exposure(case.channel) == "spreads" and case.status != "incomplete":
            reasons.append("spreads")
        if not case.signed and case.status not in ("encrypted", "incomplete"):
            reasons.append("unsigned")
    for rule in RULES:
        if rule.holds(case):
            level = rule.apply(level)
            reasons.append(rule.code)
            if rule.last:
                # A later rule would raise an example again: its claims look like real ones.
                break
    return level, tuple(reasons)


def raised(level: Severity, least: Severity) -> Severity:
    """`level`, but at least `least`."""
    return _at_least(least)(level)


def is_signed(kind: Kind, *, claims: bool) -> bool:
    """Whether a token carries claims and a signature, or is encrypted."""
    # Nobody can look into a JWE, and its tag authenticates it (RFC 7516 section 5.2).
    return kind == "jwe" or (kind != "unsecured" and claims)


def confidence(
    kind: Kind, integrity: Integrity, *, claims: bool, signature: str | None = None
) -> Confidence:
    """How sure it is that this is a token. `claims`: the payload is a claims object.

    A verified signature settles it; a refuted one costs a step.
    """
    if signature in ("valid", "published_key", "weak_key"):
        return "high"
    if claims:
        # A claims object alone is strong evidence: no other text decodes to one behind a header.
        return (
            "high"
            if integrity == "whole" and kind != "unsecured" and signature != "invalid"
            else "medium"
        )
    if kind in ("jwe", "unsecured"):
        # Neither has a signature whose length could confirm the form.
        return "low" if integrity == "clipped" else "medium"
    return "medium" if integrity == "whole" else "low"
