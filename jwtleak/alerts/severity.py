"""Severity and confidence: two small tables and nothing else.

Promises: pure functions of what is known of a token now. `docs/reference/severity.md` is generated from `rows()`.
Who issued the token, its key and local policy join here as further arguments when they are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from jwtleak.types import ChannelType, Confidence, Integrity, Kind, Severity, Status

Exposure = Literal["spreads", "stays"]

# Places whose content goes on to browsers' histories, proxies, other sites' logs (CWE-598) against those that stay in
# the log that was read (CWE-532).
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


def exposure(channel: ChannelType) -> Exposure:
    """Whether what stands in `channel` is passed on by design."""
    return "spreads" if channel in _SPREADS else "stays"


def severity(status: Status, live_when_logged: bool | None, *, signed: bool, channel: ChannelType) -> Severity:
    """How much a leak matters. `signed`: the token carries claims under a signature that a verifier could accept."""
    if status == "expired":
        # It worked when it was written down: somebody may have used it, and the leak that let it out is still there.
        return "low" if live_when_logged else "info"
    worth = _SIGNED[status, exposure(channel)]
    if signed or status in ("encrypted", "incomplete"):
        return worth
    # alg none, or a payload that is no claims object: no sound verifier takes it as a credential (RFC 8725 section 3.1).
    return "medium" if worth == "critical" else "low"


def is_signed(kind: Kind, *, claims: bool) -> bool:
    """Whether a token carries claims and a signature, or is encrypted."""
    return kind == "jwe" or (kind != "unsecured" and claims)


def confidence(kind: Kind, integrity: Integrity, *, claims: bool) -> Confidence:
    """How sure it is that this is a token: a regex proposes, decoding judges. `claims`: the payload is a claims object."""
    if claims:
        return "high" if integrity == "whole" and kind != "unsecured" else "medium"
    if kind in ("jwe", "unsecured"):
        return "low" if integrity == "clipped" else "medium"
    return "medium" if integrity == "whole" else "low"


def rows() -> Iterator[tuple[Status, str, str, Exposure, Severity]]:
    """Every line of the severity table: status, live when logged, signed, exposure, severity."""
    for status in _STATUSES:
        for logged in (True, False) if status == "expired" else (None,):
            for signed in (True, False):
                for channel in ("url_query", "json_field"):
                    worth = severity(status, logged, signed=signed, channel=channel)
                    told = "any" if logged is None else "yes" if logged else "no or unknown"
                    yield status, told, "yes" if signed else "no", exposure(channel), worth
