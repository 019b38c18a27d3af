"""Policy: which alerts to suppress, and which to raise, by rules of `jwtleak.toml` and by the
findings of a baseline.

Promises: pure. Rules match decoded claims and the place, never the text of a token. Every rule has
a reason. A rule does not apply after its `until`. Refuses a rule without a condition: it would
suppress everything.
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
    """The conditions of a rule: every one must hold; of several values for one condition, any.

    `issuer`, `audience` and `kid` are globs for the decoded values. `path` is a glob for the path
    of the log; the path inside an archive follows after `!`.
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
        # A digest in upper case or cut short would never match, and nobody would notice.
        for digest in (self.sha256,) if isinstance(self.sha256, str) else self.sha256:
            if len(digest) != 64 or digest.strip("0123456789abcdef"):
                raise ValueError("sha256: is not 64 hex digits in lower case")


class Allow(Conditions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[allow]]`: a match is known and accepted. It is counted, and shown only on request."""


class Raise(Conditions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[raise]]`: a match is at least this severe."""

    severity: Severity


class AlertPlace(NamedTuple):
    """One sighting as rules see it."""

    header: dict[str, Any]
    claims: dict[str, Any]
    provider: str | None
    use: str | None
    signature: str | None
    channel: ChannelType
    path: str
    sha256: str


class PolicyDecision(NamedTuple):
    """The reason to suppress an alert, or its least severity; both None where no rule matches."""

    suppressed: str | None = None
    least: Severity | None = None


_NO_RULE = PolicyDecision()


class Policy(msgspec.Struct, frozen=True):
    """The rules, and the findings of the baseline, each a `baseline_name`."""

    allow: tuple[Allow, ...] = ()
    raises: tuple[Raise, ...] = ()
    baseline: frozenset[str] = frozenset()

    @property
    def empty(self) -> bool:
        """Whether no alert can match."""
        return not (self.allow or self.raises or self.baseline)

    def decide(self, place: AlertPlace, today: date) -> PolicyDecision:
        """The decision for one sighting."""
        # [[allow]] before the baseline: a rule's own reason says more than the word `baseline`.
        for rule in self.allow:
            if not is_over(rule, today) and _holds(rule, place):
                return PolicyDecision(suppressed=rule.reason)
        if self.baseline and baseline_name(place.sha256, place.path) in self.baseline:
            return PolicyDecision(suppressed="baseline")
        # The first match in the order of the file, as for [[allow]].
        for raising in self.raises:
            if not is_over(raising, today) and _holds(raising, place):
                return PolicyDecision(least=raising.severity)
        return _NO_RULE


def baseline_name(sha256: str, path: str) -> str:
    """The name of a finding in a baseline: token and place, without the line, which changes as a
    log grows.
    """
    return f"{sha256} {path}"


def _holds(rule: Conditions, place: AlertPlace) -> bool:
    # The cheap comparisons first; globs only for a sighting that passes them.
    if rule.sha256 and not _is_among(rule.sha256, place.sha256):
        return False
    if rule.channel and not _is_among(rule.channel, place.channel):
        return False
    # A condition on something that the token does not have is never met: `()` fits no glob.
    conditions: tuple[tuple[Globs, Facet], ...] = (
        (rule.provider, _facet_of(place.provider)),
        (rule.use, _facet_of(place.use)),
        (rule.signature, _facet_of(place.signature)),
        (rule.path, (place.path,)),
    )
    if not all(not globs or fits(globs, values) for globs, values in conditions):
        return False
    return (
        _fits_claim(rule.issuer, place.claims, "iss")
        and _fits_claim(rule.audience, place.claims, "aud")
        and _fits_claim(rule.kid, place.header, "kid")
    )


def _fits_claim(globs: Globs, values: dict[str, Any], name: str) -> bool:
    # A present claim of a wrong type has a facet too: `"iss": 5` compares as `5`.
    return not globs or (name in values and fits(globs, facet(values[name])))


def _facet_of(value: str | None) -> Facet:
    return () if value is None else (value,)


def _is_among(values: str | tuple[str, ...], value: str) -> bool:
    # `in` on a string would match any part of it.
    return value == values if isinstance(values, str) else value in values


def is_over(rule: Conditions, today: date) -> bool:
    """Whether a rule no longer applies: it does through the day that `until` names."""
    return rule.until is not None and rule.until < today


_BASELINE = 1


class Baseline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A baseline file: sorted JSON with a line for each finding, so that `diff` compares two."""

    version: int = _BASELINE
    findings: tuple[str, ...]


def read_baseline(data: bytes, name: str) -> frozenset[str]:
    """The findings of a baseline; raises UsageError, naming the file, for anything else."""
    try:
        baseline = msgspec.json.decode(data, type=Baseline)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        # The error of msgspec names the place in the file and never quotes it.
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
