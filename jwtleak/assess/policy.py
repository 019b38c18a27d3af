"""Policy: what to keep back, and what to raise. Rules of `jwtleak.toml`, and the findings of a
baseline.

Promises: pure; rules look at decoded claims and at the place, never at the text of a token; every
rule says its reason; a rule whose day is over does not apply. Refuses a rule without a condition:
it would keep back everything.
"""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple, TypeAlias

import msgspec

from jwtleak.assess.conditions import Facet, facet, fits
from jwtleak.errors import UsageError
from jwtleak.types import ChannelType, Severity

Globs: TypeAlias = str | tuple[str, ...]

_CONDITIONS = (
    "issuer",
    "audience",
    "kid",
    "provider",
    "use",
    "channel",
    "path",
    "sha256",
    "signature",
    "severity",
)


class Conditions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a rule asks: every condition that it names must hold; of several values for one, any.

    `issuer`, `audience` and `kid` are globs over the decoded values; `path` is a glob over the path
    of the log, with the path inside an archive behind `!`.
    """

    reason: str
    until: date | None = None
    issuer: Globs = ()
    audience: Globs = ()
    kid: Globs = ()
    provider: Globs = ()
    use: Globs = ()
    channel: ChannelType | tuple[ChannelType, ...] = ()
    path: Globs = ()
    sha256: Globs = ()
    signature: Globs = ()

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError("reason: may not be empty")
        if not any(getattr(self, name, ()) for name in _CONDITIONS):
            raise ValueError("at least one condition is needed: " + ", ".join(_CONDITIONS[:-1]))
        for digest in (self.sha256,) if isinstance(self.sha256, str) else self.sha256:
            if len(digest) != 64 or digest.strip("0123456789abcdef"):
                raise ValueError("sha256: is not 64 hex digits in lower case")


class Allow(Conditions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[allow]]`: what fits is known and accepted; it is counted, and shown only when asked
    for.
    """


class Raise(Conditions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[raise]]`: what fits is at least this severe."""

    severity: Severity


class AlertPlace(NamedTuple):
    """What rules see of one sighting."""

    header: dict[str, Any]
    claims: dict[str, Any]
    provider: str | None
    use: str | None
    signature: str | None
    channel: ChannelType
    path: str
    sha256: str


class Verdict(NamedTuple):
    """What the policy says: why it keeps a finding back, and how severe it is at the least."""

    suppressed: str | None = None
    least: Severity | None = None


_NOTHING = Verdict()


class Policy(msgspec.Struct, frozen=True):
    """The rules that apply, and the findings that are known: `sha256 + " " + path`."""

    allow: tuple[Allow, ...] = ()
    raises: tuple[Raise, ...] = ()
    known: frozenset[str] = frozenset()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to ask."""
        return not (self.allow or self.raises or self.known)

    def judge(self, place: AlertPlace, today: date) -> Verdict:
        """The first `[[allow]]` that fits keeps back, else a baseline does; `[[raise]]` rules speak
        of what is left.
        """
        for rule in self.allow:
            if not is_over(rule, today) and _holds(rule, place):
                return Verdict(suppressed=rule.reason)
        if self.known and known_name(place.sha256, place.path) in self.known:
            return Verdict(suppressed="baseline")
        for one in self.raises:  # in the order of the file: the first that fits, as for [[allow]]
            if not is_over(one, today) and _holds(one, place):
                return Verdict(least=one.severity)
        return _NOTHING


def known_name(sha256: str, path: str) -> str:
    """How a baseline names a finding: the token and the place, without the line, which changes as a
    log grows.
    """
    return f"{sha256} {path}"


def _holds(rule: Conditions, place: AlertPlace) -> bool:
    if rule.sha256 and not _is_one(rule.sha256, place.sha256):
        return False
    if rule.channel and not _is_one(rule.channel, place.channel):
        return False
    asked: tuple[tuple[Globs, Facet], ...] = (
        (rule.provider, _one(place.provider)),
        (rule.use, _one(place.use)),
        (rule.signature, _one(place.signature)),
        (rule.path, (place.path,)),
    )
    if not all(not globs or fits(globs, values) for globs, values in asked):
        return False
    return (
        _fits_claim(rule.issuer, place.claims, "iss")
        and _fits_claim(rule.audience, place.claims, "aud")
        and _fits_claim(rule.kid, place.header, "kid")
    )


def _fits_claim(globs: Globs, values: dict[str, Any], name: str) -> bool:
    return not globs or (name in values and fits(globs, facet(values[name])))


def _one(value: str | None) -> Facet:
    return () if value is None else (value,)


def _is_one(asked: str | tuple[str, ...], value: str) -> bool:
    return value == asked if isinstance(asked, str) else value in asked


def is_over(rule: Conditions, today: date) -> bool:
    """Whether the day of a rule is over: it holds through the day that its `until` names."""
    return rule.until is not None and rule.until < today


_BASELINE = 1


class Baseline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A baseline file: JSON, sorted, so that two of them can be compared by line."""

    version: int = _BASELINE
    findings: tuple[str, ...]


def read_baseline(data: bytes, name: str) -> frozenset[str]:
    """The findings of a baseline; raises UsageError, naming the file, for anything else."""
    try:
        baseline = msgspec.json.decode(data, type=Baseline)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{name}: is not a baseline: {str(error)[:1].lower()}{str(error)[1:]}"
        ) from None
    if baseline.version != _BASELINE:
        raise UsageError(
            f"{name}: is a baseline of version {baseline.version}; this program reads {_BASELINE}"
        )
    return frozenset(baseline.findings)


def write_baseline(findings: frozenset[str] | set[str]) -> bytes:
    """The file for `findings`, the same bytes for the same set."""
    return (
        msgspec.json.format(
            msgspec.json.encode(Baseline(findings=tuple(sorted(findings)))), indent=1
        )
        + b"\n"
    )
