"""The verdict on a leak: severity and reasons, confidence, title, advice, references.

Promises: pure. A verdict depends on facts of the token and of its place, never on their texts: the
same facts have the same verdict. Titles are static texts; no text from the input is part of them.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from msgspec import UnsetType

from jwtleak.assess import advice
from jwtleak.assess.advice import AdviceFacts, Server
from jwtleak.assess.assessor import Assessment
from jwtleak.assess.severity import Case, confidence, exposure, is_signed, severity
from jwtleak.core.lazy_regex import lazy
from jwtleak.types import ChannelType, Confidence, Finding, Integrity, Kind, Severity, Status

# Verdicts in the cache: a busy gateway has some hundreds of combinations.
_VERDICTS = 4096

# A URL of plain http, up to the token: it crossed the network in clear text (CWE-319). A loopback
# address did not.
_CLEAR_TEXT = lazy(r"(?<!\w)http://(?!localhost\b|127\.|\[::1\])[^\s\"'<>]{1,200}\[JWT ")


class AlertVerdict(msgspec.Struct, frozen=True):
    """The part of an alert that the facts decide."""

    severity: Severity
    reasons: tuple[str, ...]
    confidence: Confidence
    title: str
    advice: tuple[str, ...]
    references: tuple[str, ...]


@lru_cache(maxsize=_VERDICTS)
def verdict_of(
    now: Status,
    live: bool | None,
    kind: Kind,
    integrity: Integrity,
    claims: bool,
    channel: ChannelType,
    assessment: Assessment,
    server: Server | None,
    clear_text: bool,
) -> AlertVerdict:
    """The verdict on one sort of alert. `claims`: the payload is a claims object. `clear_text`: see
    `is_clear`.
    """
    # The cache compares `assessment` by value and the origin in it by identity: tokens of one kind
    # have equal assessments, so a log of a million tokens has some hundreds of verdicts.
    origin, example = assessment.origin, assessment.example
    signature = None if isinstance(assessment.signature, UnsetType) else assessment.signature
    public = origin.public is not None
    case = Case(
        status=now,
        live_when_logged=live,
        signed=is_signed(kind, claims=claims),
        channel=channel,
        example=example,
        signature=signature,
        public=public,
        privilege=origin.privilege,
        admin=origin.admin is not None,
        long_lived=assessment.long_lived,
        personal=assessment.personal,
        secret=assessment.secret,
    )
    facts = AdviceFacts(
        status=now,
        kind=kind,
        channel=channel,
        live_when_logged=live,
        example=example,
        signature=signature,
        public=public,
        use=origin.use,
        revoke=origin.revoke,
        weaknesses=assessment.weaknesses,
        server=server,
        clear_text=clear_text,
        reference=origin.reference,
    )
    # Whoever has the key writes tokens of his own: the leaked one is then the lesser problem.
    forgeable = signature in ("published_key", "weak_key")
    # Positional: the fields of AlertVerdict are in the order of an alert's.
    return AlertVerdict(
        *severity(case),
        confidence(kind, integrity, claims=claims, signature=signature),
        title(now, kind, channel, example=example, public=public, forgeable=forgeable),
        advice.steps(facts),
        advice.references(facts),
    )


def is_clear(finding: Finding) -> bool:
    """Whether the token is in a URL that crossed the network in clear text."""
    # A Referer counts, a header does not: next to it, `http://` is the address of something else.
    if "http://" not in finding.excerpt or exposure(finding.channel.type) != "spreads":
        return False
    return _CLEAR_TEXT.search(finding.excerpt) is not None


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
    """A short title, the same for all leaks of one sort: receivers group by it. `forgeable`: anyone
    has the signing key.
    """
    # In the order of the severity rules: the word that decided the severity comes first.
    if example:
        first = "Example"
    elif forgeable:
        first = "Forgeable"
    elif public:
        first = "Public"
    else:
        first = _STATUS[status]
    return f"{first} {_KIND[kind]} {_CHANNEL[channel]}"


def place(channel: ChannelType) -> str:
    """The channel in words: `in a URL query parameter`."""
    return _CHANNEL[channel]
