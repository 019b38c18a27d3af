"""What an alert says by its sort alone: severity and reasons, confidence, title, advice,
references.

Promises: pure; depends on facts of the token and of its place, never on their texts, so that it is
worked out once for each sort of alert.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from msgspec import UnsetType

from jwtleak.assess import advice
from jwtleak.assess.advice import Advised, Server
from jwtleak.assess.assessor import Assessment
from jwtleak.assess.severity import Case, confidence, exposure, is_signed, severity
from jwtleak.core.lazy_regex import lazy
from jwtleak.types import ChannelType, Confidence, Finding, Integrity, Kind, Severity, Status

# Sorts of alert that are remembered.
_REMEMBER = 4096

# A URL of plain http, up to the token: what went over the network in clear text (CWE-319). Loopback
# did not.
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
    now: Status,
    live: bool | None,
    kind: Kind,
    integrity: Integrity,
    claims: bool,
    channel: ChannelType,
    worth: Assessment,
    server: Server | None,
    clear_text: bool,
) -> Judged:
    """The words for one sort of alert. `claims`: the payload is a claims object; `clear_text`: see
    `is_clear`.
    """
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
        title(now, kind, channel, example=example, public=public, forgeable=forgeable),
        advice.steps(advised),
        advice.references(advised),
    )


def is_clear(finding: Finding) -> bool:
    """Whether the token stands in a URL that went over the network in clear text."""
    if "http://" not in finding.excerpt or exposure(finding.channel.type) != "spreads":
        return False
    return _CLEAR_TEXT.search(finding.excerpt) is not None


# The titles of alerts.
#
# Promises: static text chosen by status, kind and channel; nothing that was read gets into it.

_CHANNEL: dict[ChannelType, str] = {
    "url_query": "in a URL query parameter",
    "url_fragment": "in a URL fragment",
    "url_path": "in a URL path",
    "referer": "in a Referer header",
    "authorization_header": "in an Authorization header",
    "cookie": "in a cookie",
    "json_field": "in a JSON field",
    "form_field": "in a form field",
    "error_message": "in an error message",
    "storage": "in a dump of browser storage",
    "header": "in an HTTP header",
    "unknown": "in text",
}
_STATUS: dict[Status, str] = {
    "live": "Live",
    "expired": "Expired",
    "not_yet_valid": "Not yet valid",
    "no_expiry": "Never expiring",
    "bad_expiry": "Unreadably expiring",
    "encrypted": "Encrypted",
    "incomplete": "Incomplete",
}
_KIND: dict[Kind, str] = {
    "jws": "JWT",
    "unsecured": "unsigned JWT",
    "detached": "detached JWS",
    "jwe": "JWE",
    "sd-jwt": "SD-JWT",
}


def title(
    status: Status,
    kind: Kind,
    channel: ChannelType,
    *,
    example: bool = False,
    public: bool = False,
    forgeable: bool = False,
) -> str:
    """A short sentence that groups alerts: the same for all leaks of one sort. `forgeable`: anyone
    has the signing key.
    """
    first = (
        "Example"
        if example
        else "Forgeable"
        if forgeable
        else "Public"
        if public
        else _STATUS[status]
    )
    return f"{first} {_KIND[kind]} {_CHANNEL[channel]}"


def place(channel: ChannelType) -> str:
    """`in a URL query parameter`."""
    return _CHANNEL[channel]
