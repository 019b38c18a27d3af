"""From a finding to an alert: the one place where claims become fields.

Promises: what comes from a token or a path is cleaned and cut; `sub` appears only as an HMAC; other claims do not appear.
`now` and the key are arguments. What repeats from token to token is remembered: this runs once per sighting.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import stringzilla
from msgspec import UNSET, UnsetType

from jwtleak.alerts import wording
from jwtleak.alerts.alert import Alert, AlertChannel, Location, Sightings, TokenFacts
from jwtleak.alerts.container import Containers
from jwtleak.alerts.severity import confidence, is_signed, severity
from jwtleak.core.excerpt import clean
from jwtleak.core.lifetime import DEFAULT_LEEWAY, Times, live_at, status, times
from jwtleak.core.shown import shown
from jwtleak.types import (
    Channel,
    ChannelType,
    Confidence,
    Finding,
    Integrity,
    Kind,
    PatternHit,
    Severity,
    Status,
    StreamInfo,
    Token,
)

_EPOCH = datetime(1970, 1, 1)
_LAST_MS = 253_402_300_799_999  # the end of the year 9999, the last that RFC 3339 can write

# More audiences or scopes than this say nothing more; an attacker could fill an alert with them.
_MAX_LIST = 16

# Values remembered: those of one busy host. A value longer than a field can show is not worth remembering.
_REMEMBER = 4096
_SHORT = 256
# Of a longer value no more than this is looked at: a field shows 256 characters of it.
_LONGEST = 4096

# `//user:password@` ends at the first of `/?#` (RFC 3986 section 3.2); browsers end it at a backslash too.
_USERINFO = re.compile(r"\A([a-zA-Z][a-zA-Z0-9+.-]*:)?//[^/?#\\]*@")

_Text: TypeAlias = str | UnsetType
_hmac_sha256 = stringzilla.hmac_sha256


class Setting(NamedTuple):
    """What an alert says beyond the finding. `now` in Unix seconds; `key` names subjects without naming them."""

    now: float
    host: str | None
    key: bytes
    leeway: float = DEFAULT_LEEWAY


def rfc3339(milliseconds: int) -> str:
    """`2026-01-15T12:02:31.123Z` for Unix milliseconds."""
    seconds, fraction = divmod(min(max(milliseconds, 0), _LAST_MS), 1000)
    minutes, second = divmod(seconds, 60)
    return f"{_minute(minutes)}:{second:02}.{fraction:03}Z"


@lru_cache(maxsize=_REMEMBER)
def _minute(minutes: int) -> str:
    """`2026-01-15T12:02` for minutes since 1970: times in a log share most of their text."""
    return (_EPOCH + timedelta(minutes=minutes)).isoformat(timespec="minutes")


def _shown(value: str) -> str:
    """A claim, header parameter or name as it may be shown: cleaned, cut, and without a token of its own."""
    return clean(shown(value[:_LONGEST]))


_remembered = lru_cache(maxsize=_REMEMBER)(_shown)


def _text(value: object) -> _Text:
    if not isinstance(value, str):
        return UNSET
    return _remembered(value) if len(value) <= _SHORT else _shown(value)


def _texts(value: object, *, split: bool = False) -> tuple[str, ...] | UnsetType:
    """A string or a list of strings, as RFC 7519 section 4.1.3 allows for `aud`; scopes are split at spaces (RFC 8693)."""
    if value is None:
        return UNSET
    if isinstance(value, str):
        value = value.split(None, _MAX_LIST) if split else [value]
    if not isinstance(value, list):
        return UNSET
    return tuple([_remembered(one[:_LONGEST]) for one in value[:_MAX_LIST] if isinstance(one, str)]) or UNSET


def issuer(value: object) -> _Text:
    """`iss` without the user and password that a URL may carry."""
    if not isinstance(value, str):
        return UNSET
    return _issuer(value[:_LONGEST])


@lru_cache(maxsize=_REMEMBER)
def _issuer(value: str) -> str:
    return _shown(_USERINFO.sub(lambda found: (found[1] or "") + "//", value))


def subject_hash(subject: object, key: bytes) -> _Text:
    """HMAC-SHA-256 of a subject: equal subjects stay equal, but cannot be guessed without the key."""
    if not isinstance(subject, str):
        return UNSET
    digest: bytes = _hmac_sha256(key, subject.encode("utf-8", "surrogatepass"))
    return digest.hex()


def _weaknesses(token: Token, stated: Times) -> tuple[str, ...]:
    if token.kind != "unsecured" and stated.expires is not None and not stated.nonstandard:
        return ()
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
    raw = token.raw.reveal()
    disclosed = raw.find(b"~")
    dots = raw.count(b".") if disclosed < 0 else raw.count(b".", 0, disclosed)
    return "eyJ***" + ".***" * dots + ("~***" if disclosed >= 0 else "")


class _Words(NamedTuple):
    """What an alert says by its sort alone."""

    severity: Severity
    confidence: Confidence
    title: str
    signature: Any
    advice: tuple[str, ...]
    references: tuple[str, ...]


@lru_cache(maxsize=_REMEMBER)
def _words(
    now: Status, live: bool | None, kind: Kind, integrity: Integrity, claims: bool, channel: ChannelType
) -> _Words:
    signed = is_signed(kind, claims=claims)
    unsigned = {"unsecured": "none", "jwe": UNSET}
    return _Words(
        severity(now, live, signed=signed, channel=channel),
        confidence(kind, integrity, claims=claims),
        wording.title(now, kind, channel),
        unsigned.get(kind, "truncated" if integrity == "clipped" else "unchecked"),
        wording.advice(now, kind, channel, live),
        wording.references(channel),
    )


@lru_cache(maxsize=_REMEMBER)
def _channel(channel: Channel, encodings: tuple[str, ...]) -> AlertChannel:
    return AlertChannel(channel.type, _text(channel.name), encodings)


class Builder:
    """Makes the alerts of one stream. Remembers the cleaned texts of the last header: the next token mostly has it too."""

    def __init__(self, stream: StreamInfo, setting: Setting) -> None:
        self._setting = setting
        self._detected_at = rfc3339(int(setting.now * 1000))
        self._place = (stream.source, _text(stream.path), _text(stream.member))
        self._host = _text(setting.host)
        self._containers = Containers(stream)
        self._header: dict[str, Any] = {}
        self._header_texts: tuple[_Text, _Text, _Text, _Text] = (UNSET, UNSET, UNSET, UNSET)

    def build(self, finding: Finding, name: str) -> Alert:
        """The alert for one sighting, named `name`."""
        if isinstance(finding.token, PatternHit):
            return self._pattern(finding, finding.token, name)
        return self._token(finding, finding.token, name)

    def _token(self, finding: Finding, token: Token, name: str) -> Alert:
        setting, logged = self._setting, finding.logged_at
        stated = times(token.claims)
        live = None if logged is None else live_at(token, stated, logged / 1000, setting.leeway)
        now = status(token, stated, setting.now, setting.leeway)
        words = _words(now, live, token.kind, token.integrity, token.claims is not None, finding.channel.type)
        return Alert(
            schema="jwtleak/1",
            id=name,
            event="leak",
            detected_at=self._detected_at,
            severity=words.severity,
            confidence=words.confidence,
            title=words.title,
            token=self._facts(finding, token, stated, now, words.signature),
            channel=_channel(finding.channel, finding.encodings),
            logged_at=UNSET if logged is None else rfc3339(logged),
            live_when_logged=UNSET if live is None else live,
            excerpt=finding.excerpt,
            advice=words.advice,
            references=words.references,
            location=self._location(finding),
            sightings=Sightings(1, finding.offset, finding.offset),
        )

    def _facts(self, finding: Finding, token: Token, stated: Times, now: Status, signature: Any) -> TokenFacts:
        claims = token.claims or {}
        expires, issued, setting = stated.expires, stated.issued, self._setting
        began = issued if issued is not None else stated.not_before
        alg, enc, kid, typ = self._texts_of(token.header)
        return TokenFacts(
            finding.sha256,
            token.kind,
            now,
            alg,
            enc,
            kid,
            typ,
            UNSET if expires is None else rfc3339(int(expires * 1000)),
            UNSET if issued is None else rfc3339(int(issued * 1000)),
            UNSET if stated.not_before is None else rfc3339(int(stated.not_before * 1000)),
            UNSET if expires is None else int(expires - setting.now),
            UNSET if expires is None or began is None else int(expires - began),
            issuer(claims.get("iss")),
            _texts(claims.get("aud")),
            subject_hash(claims.get("sub"), setting.key),
            _texts(claims.get("scope", claims.get("scp")), split=True),
            UNSET,
            UNSET,
            signature,
            _weaknesses(token, stated),
            _redacted(token),
            len(token.raw),
        )

    def _texts_of(self, header: dict[str, Any]) -> tuple[_Text, _Text, _Text, _Text]:
        if header is not self._header:
            self._header = header
            self._header_texts = (
                _text(header.get("alg")), _text(header.get("enc")), _text(header.get("kid")), _text(header.get("typ")),
            )  # fmt: skip
        return self._header_texts

    def _location(self, finding: Finding) -> Location:
        source, path, member = self._place
        return Location(
            source=source,
            path=path,
            member=member,
            host=self._host,
            container=self._containers.of(finding.output),
            offset=finding.offset,
            length=finding.length,
            line=finding.line,
            column=finding.column,
        )

    def _pattern(self, finding: Finding, hit: PatternHit, name: str) -> Alert:
        return Alert(
            schema="jwtleak/1",
            id=name,
            event="leak",
            detected_at=self._detected_at,
            severity=hit.severity,
            confidence=hit.confidence,
            title=hit.title,
            token=TokenFacts(finding.sha256, "pattern", redacted="***", length=len(hit.raw)),
            channel=_channel(finding.channel, finding.encodings),
            logged_at=UNSET if finding.logged_at is None else rfc3339(finding.logged_at),
            excerpt=finding.excerpt,
            references=hit.references,
            pattern=hit.pattern,
            location=self._location(finding),
            sightings=Sightings(1, finding.offset, finding.offset),
        )
