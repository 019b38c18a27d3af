"""From a finding to an alert: the one place where claims become fields.

Promises: pure. What comes from a token or a path is cleaned and cut; `sub` appears only as an HMAC;
other claims do not appear. `now`, the key, the tables and the policy are arguments. Texts that
repeat from token to token are cached: this code runs once a sighting.
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
    # Imported with the tables, at the first token: most runs find none.
    from jwtleak.assess.advice import Server
    from jwtleak.assess.assessor import Assessment, Assessor, LoadTables
    from jwtleak.assess.policy import Policy, PolicyDecision

# Rules of a policy hold for days, in UTC.
_EPOCH = date(1970, 1, 1)
_LAST = 253_402_300_799  # the end of the year 9999

# Channels in the cache. A log has some tens of parameter and cookie names; an attacker who varies
# them only makes the cache miss.
_CHANNELS = 4096


class AlertContext(msgspec.Struct, frozen=True):
    """What an alert says beyond the finding.

    `now`: Unix seconds. `key`: of the HMAC over subjects. `load_tables` is called at the first
    token: reading the tables takes longer than scanning a megabyte.
    """

    now: float
    host: str | None
    key: bytes
    leeway: float = DEFAULT_LEEWAY
    load_tables: LoadTables | None = None
    policy: Policy | None = None


def _redacted(token: Token) -> str:
    if token.kind == "jws" and token.integrity == "whole":
        return "eyJ***.***.***"  # nearly all tokens; saves the copy of the raw bytes
    raw = token.raw.reveal()
    disclosed = raw.find(b"~")
    # Dots behind the first `~` belong to disclosures and to the key binding JWT of an SD-JWT.
    dots = raw.count(b".") if disclosed < 0 else raw.count(b".", 0, disclosed)
    return "eyJ***" + ".***" * dots + ("~***" if disclosed >= 0 else "")


@lru_cache(maxsize=_CHANNELS)
def _channel(channel: Channel, encodings: tuple[str, ...]) -> AlertChannel:
    return AlertChannel(channel.type, text(channel.name), encodings)


def _or_unset(value: str | None) -> Shown:
    return UNSET if value is None else value


class Builder:
    """Makes the alerts of one stream. Caches the cleaned texts of the last header: the next token
    mostly has the same header.
    """

    def __init__(self, stream: StreamInfo, alert_context: AlertContext) -> None:
        self.at(alert_context)
        self._place = (stream.source, text(stream.path), text(stream.member))
        # How a policy and a baseline name the place; `-` is standard input.
        self._path = "!".join(part for part in self._place[1:] if isinstance(part, str)) or "-"
        # The machine on which the bytes were logged, where the source knows it; else this one.
        known = stream.context and stream.context.host
        self._host = text(known or alert_context.host)
        self._containers = Containers(stream)
        self._assessor: Assessor | None = None
        self._server: Server | None = None
        self._header: dict[str, Any] = {}
        self._header_texts: tuple[Shown, Shown, Shown, Shown] = (UNSET, UNSET, UNSET, UNSET)

    def at(self, alert_context: AlertContext) -> None:
        """Set the time: `alert_context` may differ from the one before in `now` alone."""
        self._alert_context = alert_context
        self._detected_at = rfc3339(int(alert_context.now * 1000))
        # A clock that is far off must not stop the scan: `date` ends at the year 9999.
        self._today = _EPOCH + timedelta(min(max(alert_context.now, 0), _LAST) // 86400)

    def build(self, finding: Finding, name: str) -> Alert:
        """The alert for one sighting, with the id `name`."""
        if isinstance(finding.token, PatternHit):
            return self._pattern(finding, finding.token, name)
        return self._token(finding, finding.token, name)

    @property
    def untried(self) -> int:
        """How many tokens were not tried against the word list because its time ran out, in all
        streams of this process so far.
        """
        # Before the first token there are no tables: nothing was tried, and nothing was left out.
        weak = None if self._assessor is None else self._assessor.tables.weak
        return 0 if weak is None else weak.untried

    def _load(self) -> Assessor:
        """Load the tables, at the first token."""
        from jwtleak.assess.advice import server_of
        from jwtleak.assess.assessor import Assessor, no_tables
        from jwtleak.assess.verdict import is_clear, verdict_of

        tables = (self._alert_context.load_tables or no_tables)()
        # Kept as attributes: an import statement in `_token` would run for every token.
        self._verdict_of, self._is_clear = verdict_of, is_clear
        self._assessor = Assessor(tables)
        self._server = server_of(tables.servers, None if self._path == "-" else self._path)
        return self._assessor

    def _token(self, finding: Finding, token: Token, name: str) -> Alert:
        context, logged, channel = self._alert_context, finding.logged_at, finding.channel.type
        assessor = self._assessor or self._load()
        stated = times(token.claims)
        live = None if logged is None else live_at(token, stated, logged / 1000, context.leeway)
        now = status(token, stated, context.now, context.leeway)
        assessment = assessor.assess(finding, token, stated)
        # Positional: the cache of `verdict_of` looks up keywords more slowly.
        verdict = self._verdict_of(
            now,
            live,
            token.kind,
            token.integrity,
            token.claims is not None,
            channel,
            assessment,
            self._server,
            self._is_clear(finding),
        )
        severity, reasons, suppressed = verdict.severity, verdict.reasons, None
        if context.policy is not None:
            # After the verdict, which is the same for all alerts of a sort: a rule of the policy
            # sees the path and the claims of this one.
            severity, reasons, suppressed = self._by_policy(
                context.policy, finding, token, assessment, severity, reasons
            )
        return Alert(
            schema="jwtleak/1",
            id=name,
            event="leak",
            detected_at=self._detected_at,
            severity=severity,
            confidence=verdict.confidence,
            reasons=reasons,
            title=verdict.title,
            suppressed=UNSET if suppressed is None else text(suppressed),
            token=self._facts(finding, token, stated, now, assessment),
            channel=_channel(finding.channel, finding.encodings),
            logged_at=UNSET if logged is None else rfc3339(logged),
            live_when_logged=UNSET if live is None else live,
            excerpt=finding.excerpt,
            advice=verdict.advice,
            references=verdict.references,
            location=self._location(finding),
            sightings=Sightings(1, finding.offset, finding.offset),
        )

    def _by_policy(
        self,
        policy: Policy,
        finding: Finding,
        token: Token | None,
        assessment: Assessment | None,
        severity: Severity,
        reasons: tuple[str, ...],
    ) -> tuple[Severity, tuple[str, ...], str | None]:
        """Severity and reasons after the policy, and its reason to suppress the alert. `token` and
        `assessment` are None for a user pattern's hit: rules see its place and its fingerprint.
        """
        # Imported here, as below: most runs have no policy.
        from jwtleak.assess.severity import raised

        decision = self._decision(policy, finding, token, assessment)
        # A policy never lowers a severity: `[[allow]]` suppresses, `[[raise]]` states a minimum.
        if decision.least is None:
            return severity, reasons, decision.suppressed
        return raised(severity, decision.least), (*reasons, "policy"), decision.suppressed

    def _decision(
        self, policy: Policy, finding: Finding, token: Token | None, assessment: Assessment | None
    ) -> PolicyDecision:
        from jwtleak.assess.policy import AlertPlace

        origin = None if assessment is None else assessment.origin
        signature = None if assessment is None else assessment.signature
        place = AlertPlace(
            header={} if token is None else token.header,
            claims=(token.claims if token is not None else None) or {},
            provider=None if origin is None else origin.provider,
            use=None if origin is None else origin.use,
            # A JWE has no signature; a rule about signatures never matches one.
            signature=None if isinstance(signature, UnsetType) else signature,
            channel=finding.channel.type,
            path=self._path,
            sha256=finding.sha256,
        )
        return policy.decide(place, self._today)

    def _facts(
        self, finding: Finding, token: Token, stated: Times, now: Status, assessment: Assessment
    ) -> TokenFacts:
        claims = token.claims or {}
        expires, issued, context = stated.expires, stated.issued, self._alert_context
        # A lifetime counts from `iat`; without it from `nbf`, before which no verifier accepts the
        # token (RFC 7519 section 4.1.5).
        began = issued if issued is not None else stated.not_before
        alg, enc, kid, typ = self._texts_of(token.header)
        # Positional: 22 keywords cost 2.6 us, a tenth of the work on a token (positional: 0.4 us).
        # A test holds the order.
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
            UNSET if expires is None else int(expires - context.now),
            UNSET if expires is None or began is None else int(expires - began),
            issuer(claims.get("iss")),
            texts(claims.get("aud")),
            subject_hash(claims.get("sub"), context.key),
            # `scope` is of RFC 8693 section 4.2; Okta and Microsoft write `scp`.
            texts(claims.get("scope", claims.get("scp")), split=True),
            _or_unset(assessment.origin.provider),
            _or_unset(assessment.origin.use),
            assessment.signature,
            assessment.weaknesses,
            _redacted(token),
            len(token.raw),
        )

    def _texts_of(self, header: dict[str, Any]) -> tuple[Shown, Shown, Shown, Shown]:
        # By identity: the matcher's cache returns the same object for the same header bytes.
        if header is not self._header:
            self._header = header
            self._header_texts = (
                text(header.get("alg")),
                text(header.get("enc")),
                text(header.get("kid")),
                text(header.get("typ")),
            )
        return self._header_texts

    def _location(self, finding: Finding) -> Location:
        # Cleaned when the stream began: all findings of a stream share these.
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
        # Nothing of a user's match is decoded: no status, no assessment, no advice. Severity and
        # confidence are those of the pattern file.
        policy = self._alert_context.policy
        severity: Severity = hit.severity
        reasons: tuple[str, ...] = ()
        suppressed = None
        if policy is not None:
            severity, reasons, suppressed = self._by_policy(
                policy, finding, None, None, severity, reasons
            )
        return Alert(
            schema="jwtleak/1",
            id=name,
            event="leak",
            detected_at=self._detected_at,
            severity=severity,
            confidence=hit.confidence,
            reasons=reasons,
            title=hit.title,
            suppressed=UNSET if suppressed is None else text(suppressed),
            token=TokenFacts(
                sha256=finding.sha256, kind="pattern", redacted="***", length=len(hit.raw)
            ),
            channel=_channel(finding.channel, finding.encodings),
            logged_at=UNSET if finding.logged_at is None else rfc3339(finding.logged_at),
            excerpt=finding.excerpt,
            references=hit.references,
            pattern=hit.pattern,
            location=self._location(finding),
            sightings=Sightings(1, finding.offset, finding.offset),
        )
