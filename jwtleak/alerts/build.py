"""From a finding to an alert: the one place where claims become fields.

Promises: what comes from a token or a path is cleaned and cut; `sub` appears only as an HMAC; other claims do not appear.
`now` and the key are arguments.
"""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import UNSET, UnsetType

from jwtleak.alerts import wording
from jwtleak.alerts.alert import SCHEMA, Alert, AlertChannel, Location, Sightings, TokenFacts
from jwtleak.alerts.severity import confidence, is_signed, severity
from jwtleak.core.excerpt import clean
from jwtleak.core.lifetime import DEFAULT_LEEWAY, Times, live_at, status, times
from jwtleak.types import Finding, PatternHit, StreamInfo, Token

_EPOCH = datetime(1970, 1, 1)
_LAST_MS = 253_402_300_799_999  # the end of the year 9999, the last that RFC 3339 can write

# More audiences or scopes than this say nothing more; an attacker could fill an alert with them.
_MAX_LIST = 16


class Setting(NamedTuple):
    """What an alert says beyond the finding. `now` in Unix seconds; `key` names subjects without naming them."""

    now: float
    host: str | None
    key: bytes
    leeway: float = DEFAULT_LEEWAY


@lru_cache(maxsize=4096)
def rfc3339(milliseconds: int) -> str:
    """`2026-01-15T12:02:31.123Z` for Unix milliseconds."""
    moment = _EPOCH + timedelta(milliseconds=min(max(milliseconds, 0), _LAST_MS))
    return moment.isoformat(timespec="milliseconds") + "Z"


def _time(seconds: float | None) -> str | UnsetType:
    return UNSET if seconds is None else rfc3339(int(seconds * 1000))


def _text(value: object) -> str | UnsetType:
    return clean(value) if isinstance(value, str) else UNSET


def _texts(value: object, *, split: bool = False) -> tuple[str, ...] | UnsetType:
    """A string or a list of strings, as RFC 7519 section 4.1.3 allows for `aud`; scopes are split at spaces (RFC 8693)."""
    if isinstance(value, str):
        value = value.split(None, _MAX_LIST) if split else [value]
    if not isinstance(value, list):
        return UNSET
    return tuple(clean(one) for one in value[:_MAX_LIST] if isinstance(one, str)) or UNSET


def issuer(value: object) -> str | UnsetType:
    """`iss` without the user and password that a URL may carry."""
    if not isinstance(value, str):
        return UNSET
    scheme, slashes, rest = value.partition("://")
    if slashes:
        authority, slash, path = rest.partition("/")
        value = scheme + slashes + authority.rpartition("@")[2] + slash + path
    return clean(value)


@lru_cache(maxsize=4096)
def subject_hash(subject: str, key: bytes) -> str:
    """HMAC-SHA-256 of a subject: equal subjects stay equal, but cannot be guessed without the key."""
    return hmac.digest(key, subject.encode("utf-8", "surrogatepass"), "sha256").hex()


def _weaknesses(token: Token, stated: Times) -> tuple[str, ...]:
    found = []
    if token.kind == "unsecured":
        found.append("alg_none")
    if stated.nonstandard:
        found.append("nonstandard_exp")
    if stated.bad:
        found.append("bad_exp")
    if token.claims is not None and stated.expires is None and not stated.bad:
        found.append("no_exp")
    return tuple(found)


def _redacted(token: Token) -> str:
    parts = token.raw.reveal().split(b"~", 1)
    return ".".join(["eyJ***", *["***"] * parts[0].count(b".")]) + ("~***" if len(parts) > 1 else "")


def _facts(finding: Finding, token: Token, stated: Times, setting: Setting) -> TokenFacts:
    header: dict[str, Any] = token.header
    claims = token.claims or {}
    began = stated.issued if stated.issued is not None else stated.not_before
    subject = claims.get("sub")
    signature = "none" if token.kind == "unsecured" else "truncated" if token.integrity == "clipped" else "unchecked"
    expires = stated.expires
    return TokenFacts(
        sha256=finding.sha256,
        kind=token.kind,
        status=status(token, stated, setting.now, setting.leeway),
        alg=_text(header.get("alg")),
        enc=_text(header.get("enc")),
        kid=_text(header.get("kid")),
        typ=_text(header.get("typ")),
        expires_at=_time(expires),
        issued_at=_time(stated.issued),
        not_before=_time(stated.not_before),
        expires_in=UNSET if expires is None else int(expires - setting.now),
        lifetime=UNSET if expires is None or began is None else int(expires - began),
        issuer=issuer(claims.get("iss")),
        audience=_texts(claims.get("aud")),
        subject_hash=subject_hash(subject, setting.key) if isinstance(subject, str) else UNSET,
        scopes=_texts(claims.get("scope", claims.get("scp")), split=True),
        signature=UNSET if token.kind == "jwe" else signature,
        weaknesses=_weaknesses(token, stated),
        redacted=_redacted(token),
        length=len(token.raw),
    )


def build(finding: Finding, name: str, stream: StreamInfo, setting: Setting) -> Alert:
    """The alert for one sighting, named `name`."""
    channel = finding.channel
    location = Location(
        source=stream.source,
        path=_text(stream.path),
        member=_text(stream.member),
        offset=finding.offset,
        length=finding.length,
        line=finding.line,
        column=finding.column,
        host=_text(setting.host),
    )
    common = {
        "schema": SCHEMA,
        "id": name,
        "event": "leak",
        "detected_at": rfc3339(int(setting.now * 1000)),
        "location": location,
        "channel": AlertChannel(type=channel.type, name=_text(channel.name), encodings=finding.encodings),
        "logged_at": UNSET if finding.logged_at is None else rfc3339(finding.logged_at),
        "excerpt": clean(finding.excerpt),
        "sightings": Sightings(1, finding.offset, finding.offset),
    }
    if isinstance(finding.token, PatternHit):
        return _pattern_alert(finding, finding.token, common)
    return _token_alert(finding, finding.token, setting, common)


def _token_alert(finding: Finding, token: Token, setting: Setting, common: dict[str, Any]) -> Alert:
    stated = times(token.claims)
    facts = _facts(finding, token, stated, setting)
    logged = finding.logged_at
    live = None if logged is None else live_at(token, stated, logged / 1000, setting.leeway)
    kind, channel = token.kind, finding.channel.type
    now = status(token, stated, setting.now, setting.leeway)
    return Alert(
        severity=severity(now, live, signed=is_signed(token), channel=channel),
        confidence=confidence(token),
        title=wording.title(now, kind, channel),
        token=facts,
        live_when_logged=UNSET if live is None else live,
        advice=wording.advice(now, kind, channel, live),
        references=wording.references(channel),
        **common,
    )


def _pattern_alert(finding: Finding, hit: PatternHit, common: dict[str, Any]) -> Alert:
    facts = TokenFacts(sha256=finding.sha256, kind="pattern", redacted="***", length=len(hit.raw))
    return Alert(
        severity=hit.severity,
        confidence=hit.confidence,
        title=hit.title,
        token=facts,
        references=hit.references,
        pattern=hit.pattern,
        **common,
    )
