"""What an alert says by its sort alone: severity and reasons, confidence, title, advice, references.

Promises: pure; depends on facts of the token and of its place, never on their texts, so that it is worked out once for each
sort of alert.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from msgspec import UnsetType

from jwtleak.assess import advice, wording
from jwtleak.assess.advice import Advised, Server
from jwtleak.assess.assessor import Worth
from jwtleak.assess.severity import Case, confidence, exposure, is_signed, severity
from jwtleak.core.lazy_regex import lazy
from jwtleak.types import ChannelType, Confidence, Finding, Integrity, Kind, Severity, Status

# Sorts of alert that are remembered.
_REMEMBER = 4096

# A URL of plain http, up to the token: what went over the network in clear text (CWE-319). Loopback did not.
_CLEAR_TEXT = lazy(r"(?<!\w)http://(?!localhost\b|127\.|\[::1\])[^\s\"'<>]{1,200}\[JWT ")


class Judged(msgspec.Struct, frozen=True):
    """What an alert says by its sort alone."""

    severity: Severity
    reasons: tuple[str, ...]
    confidence: Confidence
    title: str
    advice: tuple[str, ...]
    references: tuple[str, ...]


@lru_cache(maxsize=_REMEMBER)
def judged(
    now: Status, live: bool | None, kind: Kind, integrity: Integrity, claims: bool, channel: ChannelType, worth: Worth,
    server: Server | None, clear_text: bool,
) -> Judged:
    """The words for one sort of alert. `claims`: the payload is a claims object; `clear_text`: see `is_clear`."""
    origin, example = worth.origin, worth.example
    signature = None if isinstance(worth.signature, UnsetType) else worth.signature
    public = origin.public is not None
    case = Case(
        now, live, is_signed(kind, claims=claims), channel, example, signature, public, origin.privilege,
        origin.admin is not None, worth.long_lived, worth.personal, worth.secret,
    )  # fmt: skip
    advised = Advised(
        now, kind, channel, live, example, signature, public, origin.use, origin.revoke, worth.weaknesses, server, clear_text,
        origin.reference,
    )  # fmt: skip
    forgeable = signature in ("published_key", "weak_key")
    return Judged(
        *severity(case),
        confidence(kind, integrity, claims=claims, signature=signature),
        wording.title(now, kind, channel, example=example, public=public, forgeable=forgeable),
        advice.steps(advised),
        advice.references(advised),
    )


def is_clear(finding: Finding) -> bool:
    """Whether the token stands in a URL that went over the network in clear text."""
    if "http://" not in finding.excerpt or exposure(finding.channel.type) != "spreads":
        return False
    return _CLEAR_TEXT.search(finding.excerpt) is not None
