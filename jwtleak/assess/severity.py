"""Severity and confidence: one table, a list of adjustments, and nothing else.

Promises: pure functions of what is known of a token now; every severity comes with the codes of its
reasons, in the order in which they were applied. `docs/reference/severity.md` is generated from
`rows()` and `adjustments()`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from jwtleak.types import SEVERITIES, ChannelType, Confidence, Integrity, Kind, Severity, Status

Exposure = Literal["spreads", "stays"]

# Places whose content goes on to browsers' histories, proxies, other sites' logs (CWE-598) against
# those that stay in the log that was read (CWE-532).
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
_STATUSES: tuple[Status, ...] = (
    "live", "no_expiry", "not_yet_valid", "bad_expiry", "encrypted", "incomplete", "expired",
)  # fmt: skip


class Case(msgspec.Struct, frozen=True):
    """All that severity depends on. `signed`: the token carries claims under a signature that a
    verifier could accept. `long_lived`: its use is to get other tokens for a long time (refresh,
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
    """An adjustment: where `holds`, `effect` is done. `last`: nothing is looked at after it."""

    code: str
    when: str
    effect: str
    holds: Callable[[Case], bool]
    apply: Callable[[Severity], Severity]
    last: bool = False


def _to(worth: Severity) -> Callable[[Severity], Severity]:
    return lambda _: worth


def _at_least(worth: Severity) -> Callable[[Severity], Severity]:
    return lambda before: min(before, worth, key=SEVERITIES.index)


def _at_most(worth: Severity) -> Callable[[Severity], Severity]:
    return lambda before: max(before, worth, key=SEVERITIES.index)


def _step(by: int) -> Callable[[Severity], Severity]:
    return lambda before: SEVERITIES[
        min(max(SEVERITIES.index(before) + by, 0), len(SEVERITIES) - 1)
    ]


def _works(case: Case) -> bool:
    """Whether a verifier could accept the token, now or later."""
    return case.signed and case.status not in ("expired", "incomplete")


# The order is the rule: an example token is nobody's, whatever key signed it; a key that anyone has
# is worse than anything that a token says of itself; then what the token is for; then what stands
# in it, which expiry does not mend.
RULES: tuple[Rule, ...] = (
    Rule(
        "known_example", "documentation prints this very token", "info",
        lambda case: case.example, _to("info"), last=True,
    ),
    Rule(
        "published_key", "a published key made the signature, and the token is no known example", "critical",
        lambda case: case.signature == "published_key", _to("critical"), last=True,
    ),
    Rule(
        "weak_key", "a word of `--weak-keys` made the signature", "critical",
        lambda case: case.signature == "weak_key", _to("critical"), last=True,
    ),
    Rule("public_by_design", "its vendor tells people to publish it", "info", lambda case: case.public, _to("info")),
    Rule(
        "signature_valid", "the signature is valid, and the token may work", "one step up",
        lambda case: case.signature == "valid" and _works(case) and not case.public, _step(-1),
    ),
    Rule(
        "admin_privilege", "a role, scope or use that administers, and the token may work", "one step up",
        lambda case: (case.admin or case.privilege == "admin") and _works(case) and not case.public, _step(-1),
    ),
    Rule(
        "service_privilege", "a service, workload or client, not one user, and the token may work", "one step up",
        lambda case: case.privilege == "service" and not case.admin and _works(case) and not case.public, _step(-1),
    ),
    Rule(
        "long_lived_use", "a refresh or offline token that may work", "one step up",
        lambda case: case.long_lived and _works(case) and not case.public, _step(-1),
    ),
    Rule(
        "low_privilege", "a use that gives no access by itself (DPoP proof, logout, request object)", "one step down",
        lambda case: case.privilege == "low" and not case.admin and not case.public, _step(1),
    ),
    Rule(
        "signature_invalid", "the keys of its issuer did not make the signature", "at most low",
        lambda case: case.signature == "invalid", _at_most("low"),
    ),
    Rule("secret_claim", "a claim holds a secret, whether expired or not", "at least high",
         lambda case: case.secret, _at_least("high")),
    Rule("personal_data", "claims hold personal data, whether expired or not", "at least low",
         lambda case: case.personal, _at_least("low")),
)  # fmt: skip

# Reasons that the base gives, beside the status itself. `policy` is put behind all others by a
# [[raise]] rule.
BASE_REASONS: dict[str, str] = {
    "live_when_logged": "it has expired, but worked when it was logged",
    "spreads": "it stands in a URL or Referer, which go on to histories, proxies and other sites",
    "unsigned": "no sound verifier accepts it: alg none, or no claims object",
    "policy": "a `[[raise]]` rule of the policy",
}


def exposure(channel: ChannelType) -> Exposure:
    """Whether what stands in `channel` is passed on by design."""
    return "spreads" if channel in _SPREADS else "stays"


def base(
    status: Status, live_when_logged: bool | None, *, signed: bool, channel: ChannelType
) -> Severity:
    """What a token of an unknown issuer is worth."""
    if status == "expired":
        # It worked when it was written down: somebody may have used it, and the leak that let it
        # out is still there.
        return "low" if live_when_logged else "info"
    worth = _SIGNED[status, exposure(channel)]
    if signed or status in ("encrypted", "incomplete"):
        return worth
    # alg none, or a payload that is no claims object: no sound verifier takes it as a credential
    # (RFC 8725 section 3.1).
    return "medium" if worth == "critical" else "low"


def severity(case: Case) -> tuple[Severity, tuple[str, ...]]:
    """How much a leak matters, and why."""
    worth = base(case.status, case.live_when_logged, signed=case.signed, channel=case.channel)
    reasons: list[str] = [case.status]
    if case.status == "expired":
        if case.live_when_logged:
            reasons.append("live_when_logged")
    else:
        if exposure(case.channel) == "spreads" and case.status != "incomplete":
            reasons.append("spreads")
        if not case.signed and case.status not in ("encrypted", "incomplete"):
            reasons.append("unsigned")
    for rule in RULES:
        if rule.holds(case):
            worth = rule.apply(worth)
            reasons.append(rule.code)
            if rule.last:
                break
    return worth, tuple(reasons)


def raised(worth: Severity, least: Severity) -> Severity:
    """`worth`, but at least `least`."""
    return _at_least(least)(worth)


def is_signed(kind: Kind, *, claims: bool) -> bool:
    """Whether a token carries claims and a signature, or is encrypted."""
    return kind == "jwe" or (kind != "unsecured" and claims)


def confidence(
    kind: Kind, integrity: Integrity, *, claims: bool, signature: str | None = None
) -> Confidence:
    """How sure it is that this is a token: a regex proposes, decoding judges. `claims`: the payload
    is a claims object.

    A signature that a key made settles it; one that the issuer's keys did not make takes a step.
    """
    if signature in ("valid", "published_key", "weak_key"):
        return "high"
    if claims:
        return (
            "high"
            if integrity == "whole" and kind != "unsecured" and signature != "invalid"
            else "medium"
        )
    if kind in ("jwe", "unsecured"):
        return "low" if integrity == "clipped" else "medium"
    return "medium" if integrity == "whole" else "low"


def rows() -> Iterator[tuple[Status, str, str, Exposure, Severity]]:
    """Every line of the base table: status, live when logged, signed, exposure, severity."""
    for status in _STATUSES:
        for logged in (True, False) if status == "expired" else (None,):
            for signed in (True, False):
                for channel in ("url_query", "json_field"):
                    worth = base(status, logged, signed=signed, channel=channel)
                    told = "any" if logged is None else "yes" if logged else "no or unknown"
                    yield status, told, "yes" if signed else "no", exposure(channel), worth


# What each rule is shown on in the generated table: a case of its own kind, beside the same without
# it.
_SHOWN: dict[str, dict[str, object]] = {
    "known_example": {"example": True},
    "published_key": {"signature": "published_key"},
    "weak_key": {"signature": "weak_key"},
    "public_by_design": {"public": True},
    "signature_valid": {"signature": "valid"},
    "admin_privilege": {"admin": True},
    "service_privilege": {"privilege": "service"},
    "long_lived_use": {"long_lived": True},
    "low_privilege": {"privilege": "low"},
    "signature_invalid": {"signature": "invalid"},
    "secret_claim": {"secret": True},
    "personal_data": {"personal": True},
}
_PLAIN = (
    Case("live", None, True, "url_query"), Case("live", None, True, "header"), Case("encrypted", None, True, "header"),
    Case("expired", False, True, "header"),
)  # fmt: skip


def adjustments() -> Iterator[tuple[str, ...]]:
    """Every line of the table of adjustments: code, when, effect, and what becomes of four common
    cases.
    """
    for rule in RULES:
        changed = (
            severity(msgspec.structs.replace(case, **_SHOWN[rule.code]))[0] for case in _PLAIN
        )
        yield (rule.code, rule.when, rule.effect, *changed)


def shown_on() -> tuple[Case, ...]:
    """The four common cases of `adjustments()`, before any of them."""
    return _PLAIN
