"""From a finding to an alert: the one place where claims become fields.

Promises: what comes from a token or a path is cleaned and cut; `sub` appears only as an HMAC; other
claims do not appear. `now`, the key, the tables and the policy are arguments. What repeats from
token to token is remembered: this runs once per sighting.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from jwtleak.alerts.alert import Alert, AlertChannel, Location, Sightings, TokenFacts
from jwtleak.alerts.container import Containers
from jwtleak.alerts.fields import Shown, issuer, rfc3339, subject_hash, text, texts
from jwtleak.assess.lifetime import DEFAULT_LEEWAY, Times, live_at, status, times
from jwtleak.types import Channel, Finding, PatternHit, Severity, Status, StreamInfo, Token

if TYPE_CHECKING:
    # Loaded with the tables when the first token asks for them: most runs find none.
    from jwtleak.assess.advice import Server
    from jwtleak.assess.assessor import Assessment, Assessor, LoadTables
    from jwtleak.assess.policy import Policy, Verdict

# Rules of a policy hold for days, in UTC.
_EPOCH = date(1970, 1, 1)
_LAST = 253_402_300_799  # the end of the year 9999

# Channels that are remembered.
_REMEMBER = 4096


class AlertContext(msgspec.Struct, frozen=True):
    """What an alert says beyond the finding. `now` in Unix seconds; `key` names subjects without
    naming them; `know` gives the tables when the first token asks for them: reading them takes
    longer than scanning a megabyte.
    """

    now: float
    host: str | None
    key: bytes
    leeway: float = DEFAULT_LEEWAY
    know: LoadTables | None = None
    policy: Policy | None = None


def _redacted(token: Token) -> str:
    if token.kind == "jws" and token.integrity == "whole":
        return "eyJ***.***.***"  # nearly all of them
    raw = token.raw.reveal()
    disclosed = raw.find(b"~")
    dots = raw.count(b".") if disclosed < 0 else raw.count(b".", 0, disclosed)
    return "eyJ***" + ".***" * dots + ("~***" if disclosed >= 0 else "")


@lru_cache(maxsize=_REMEMBER)
def _channel(channel: Channel, encodings: tuple[str, ...]) -> AlertChannel:
    return AlertChannel(channel.type, text(channel.name), encodings)


def _or_unset(value: str | None) -> Shown:
    return UNSET if value is None else value


class Builder:
    """Makes the alerts of one stream. Remembers the cleaned texts of the last header: the next
    token mostly has it too.
    """

    def __init__(self, stream: StreamInfo, setting: AlertContext) -> None:
        self.at(setting)
        self._place = (stream.source, text(stream.path), text(stream.member))
        # How a policy and a baseline name the place.
        self._path = "!".join(one for one in self._place[1:] if isinstance(one, str)) or "-"
        self._host = text(setting.host)
        self._containers = Containers(stream)
        self._assessor: Assessor | None = None
        self._server: Server | None = None
        self._header: dict[str, Any] = {}
        self._header_texts: tuple[Shown, Shown, Shown, Shown] = (UNSET, UNSET, UNSET, UNSET)

    def at(self, setting: AlertContext) -> None:
        """Go on with `setting`, of which only the time may differ."""
        self._setting = setting
        self._detected_at = rfc3339(int(setting.now * 1000))
        self._today = _EPOCH + timedelta(min(max(setting.now, 0), _LAST) // 86400)

    def build(self, finding: Finding, name: str) -> Alert:
        """The alert for one sighting, named `name`."""
        if isinstance(finding.token, PatternHit):
            return self._pattern(finding, finding.token, name)
        return self._token(finding, finding.token, name)

    @property
    def untried(self) -> int:
        """For how many tokens the time for the word list ran out, in all streams of this process so
        far.
        """
        weak = None if self._assessor is None else self._assessor.known.weak
        return 0 if weak is None else weak.untried

    def _known(self) -> Assessor:
        """The tables, from the first token on."""
        if self._assessor is None:
            from jwtleak.assess.advice import server_of
            from jwtleak.assess.assessor import Assessor, nothing
            from jwtleak.assess.verdict import is_clear, judged

            known = (self._setting.know or nothing)()
            self._judged, self._is_clear = judged, is_clear
            self._assessor = Assessor(known)
            self._server = server_of(known.servers, None if self._path == "-" else self._path)
        return self._assessor

    def _token(self, finding: Finding, token: Token, name: str) -> Alert:
        setting, logged, channel = self._setting, finding.logged_at, finding.channel.type
        assessor = self._assessor or self._known()
        stated = times(token.claims)
        live = None if logged is None else live_at(token, stated, logged / 1000, setting.leeway)
        now = status(token, stated, setting.now, setting.leeway)
        worth = assessor.worth(finding, token, stated)
        claims = token.claims is not None
        words = self._judged(
            now, live, token.kind, token.integrity, claims, channel, worth, self._server, self._is_clear(finding)
        )  # fmt: skip
        weight, reasons, suppressed = words.severity, words.reasons, None
        if setting.policy is not None:
            weight, reasons, suppressed = self._by_policy(
                setting.policy, finding, token, worth, weight, reasons
            )
        return Alert(
            schema="jwtleak/1",
            id=name,
            event="leak",
            detected_at=self._detected_at,
            severity=weight,
            confidence=words.confidence,
            reasons=reasons,
            title=words.title,
            suppressed=UNSET if suppressed is None else text(suppressed),
            token=self._facts(finding, token, stated, now, worth),
            channel=_channel(finding.channel, finding.encodings),
            logged_at=UNSET if logged is None else rfc3339(logged),
            live_when_logged=UNSET if live is None else live,
            excerpt=finding.excerpt,
            advice=words.advice,
            references=words.references,
            location=self._location(finding),
            sightings=Sightings(1, finding.offset, finding.offset),
        )

    def _by_policy(
        self, policy: Policy, finding: Finding, token: Token | None, worth: Assessment | None, weight: Severity,
        reasons: tuple[str, ...],
    ) -> tuple[Severity, tuple[str, ...], str | None]:  # fmt: skip
        """Severity and reasons as the policy leaves them, and why it keeps the sighting back. Of a
        user pattern's hit only the place and the fingerprint are known.
        """
        from jwtleak.assess.severity import raised

        verdict = self._verdict(policy, finding, token, worth)
        if verdict.least is None:
            return weight, reasons, verdict.suppressed
        return raised(weight, verdict.least), (*reasons, "policy"), verdict.suppressed

    def _verdict(
        self, policy: Policy, finding: Finding, token: Token | None, worth: Assessment | None
    ) -> Verdict:
        from jwtleak.assess.policy import AlertPlace

        signature = (
            None if worth is None or isinstance(worth.signature, UnsetType) else worth.signature
        )
        origin = None if worth is None else worth.origin
        place = AlertPlace(
            {} if token is None else token.header,
            (token.claims if token is not None else None) or {},
            None if origin is None else origin.provider,
            None if origin is None else origin.use,
            signature,
            finding.channel.type,
            self._path,
            finding.sha256,
        )
        return policy.judge(place, self._today)

    def _facts(
        self, finding: Finding, token: Token, stated: Times, now: Status, worth: Assessment
    ) -> TokenFacts:
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
            texts(claims.get("aud")),
            subject_hash(claims.get("sub"), setting.key),
            texts(claims.get("scope", claims.get("scp")), split=True),
            _or_unset(worth.origin.provider),
            _or_unset(worth.origin.use),
            worth.signature,
            worth.weaknesses,
            _redacted(token),
            len(token.raw),
        )

    def _texts_of(self, header: dict[str, Any]) -> tuple[Shown, Shown, Shown, Shown]:
        if header is not self._header:
            self._header = header
            self._header_texts = (
                text(header.get("alg")), text(header.get("enc")), text(header.get("kid")), text(header.get("typ")),
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
        policy = self._setting.policy
        weight: Severity = hit.severity
        reasons: tuple[str, ...] = ()
        suppressed = None
        if policy is not None:
            weight, reasons, suppressed = self._by_policy(
                policy, finding, None, None, weight, reasons
            )
        return Alert(
            schema="jwtleak/1",
            id=name,
            event="leak",
            detected_at=self._detected_at,
            severity=weight,
            confidence=hit.confidence,
            reasons=reasons,
            title=hit.title,
            suppressed=UNSET if suppressed is None else text(suppressed),
            token=TokenFacts(finding.sha256, "pattern", redacted="***", length=len(hit.raw)),
            channel=_channel(finding.channel, finding.encodings),
            logged_at=UNSET if finding.logged_at is None else rfc3339(finding.logged_at),
            excerpt=finding.excerpt,
            references=hit.references,
            pattern=hit.pattern,
            location=self._location(finding),
            sightings=Sightings(1, finding.offset, finding.offset),
        )
