"""From finding to alert: every fact, and every string of an attacker cleaned."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

import pytest
from minting import CLAIMS, NOW, jwe, jws, kinds, sha256, unsecured
from msgspec import UNSET

from jwtleak.alerts.alert import Alert, TokenFacts, to_json
from jwtleak.alerts.builder import AlertContext, Builder
from jwtleak.assess.policy import Allow, Policy, Raise
from jwtleak.core.compact import Matcher
from jwtleak.core.matches import TokenMatch
from jwtleak.secret import Secret
from jwtleak.types import Channel, Context, Finding, PatternHit, StreamInfo

Make = Callable[..., Alert]
BIDI = "\u202e\u2066\u200f"


def test_every_fact(make: Make) -> None:
    """A live token's alert says what the contract lists."""
    token = jws({**CLAIMS, "nbf": NOW - 50, "scope": "read write"}, alg="RS256", kid="k1")
    alert = make(token, logged_at=(NOW - 30) * 1000, encodings=("percent",))
    facts, where = alert.token, alert.location
    assert (alert.schema, alert.id, alert.event) == ("jwtleak/1", "0" * 40, "leak")
    assert (alert.severity, alert.confidence, alert.title) == (
        "critical",
        "high",
        "Live JWT in a URL query parameter",
    )
    assert alert.detected_at == "2026-01-15T12:00:00.000Z"
    assert (alert.logged_at, alert.live_when_logged) == ("2026-01-15T11:59:30.000Z", True)
    assert (facts.sha256, facts.kind, facts.status, facts.signature) == (
        sha256(token),
        "jws",
        "live",
        "unchecked",
    )
    assert (facts.alg, facts.kid, facts.typ, facts.enc) == ("RS256", "k1", "JWT", UNSET)
    assert (facts.expires_at, facts.issued_at) == (
        "2026-01-15T13:00:00.000Z",
        "2026-01-15T11:59:00.000Z",
    )
    assert (facts.not_before, facts.expires_in, facts.lifetime) == (
        "2026-01-15T11:59:10.000Z",
        3600,
        3660,
    )
    assert (facts.issuer, facts.audience, facts.scopes) == (
        "https://idp.test/",
        ("api",),
        ("read", "write"),
    )
    assert facts.subject_hash == hmac.digest(b"key", b"user-1", "sha256").hex()
    assert (facts.redacted, facts.length, facts.weaknesses) == ("eyJ***.***.***", len(token), ())
    assert (where.source, where.path, where.host, where.member) == (
        "file",
        "app.log",
        "web-01",
        UNSET,
    )
    assert (where.offset, where.length, where.line, where.column) == (7, len(token), 1, 8)
    assert (alert.channel.type, alert.channel.name, alert.channel.encodings) == (
        "url_query",
        "t",
        ("percent",),
    )
    assert (alert.sightings.count, alert.sightings.first_offset, alert.sightings.last_offset) == (
        1,
        7,
        7,
    )
    assert alert.references[0] == "CWE-598"
    assert alert.advice


@pytest.mark.parametrize("kind", kinds())
def test_nothing_of_a_token_is_in_an_alert(make: Make, kind: str) -> None:
    """No eight characters of what follows the header stand in an alert of any kind."""
    token = kinds()[kind]
    text = to_json(make(token)).decode()
    rest = token.partition(".")[2]
    assert not [rest[at : at + 8] for at in range(len(rest) - 7) if rest[at : at + 8] in text]
    assert "user-1" not in text


@pytest.mark.parametrize(
    ("claims", "weaknesses", "status"),
    [
        ({"exp": NOW + 5}, (), "live"),
        ({"exp": str(NOW + 5)}, ("nonstandard_exp",), "live"),
        ({"exp": (NOW + 5) * 1000}, ("nonstandard_exp",), "live"),
        ({"exp": "never"}, ("bad_exp",), "bad_expiry"),
        ({}, ("no_exp",), "no_expiry"),
        ({"exp": NOW - 500}, (), "expired"),
    ],
)
def test_weaknesses(
    make: Make, claims: dict[str, Any], weaknesses: tuple[str, ...], status: str
) -> None:
    """What is wrong with an expiry is named."""
    facts = make(jws(claims)).token
    assert (facts.weaknesses, facts.status) == (weaknesses, status)


def test_alg_none(make: Make) -> None:
    """An unsecured token has no signature, and that is its weakness."""
    facts = make(unsecured()).token
    assert (facts.signature, facts.weaknesses, facts.redacted) == (
        "none",
        ("alg_none",),
        "eyJ***.***.***",
    )


def test_jwe(make: Make) -> None:
    """Of a JWE only the header is known."""
    facts = make(jwe()).token
    assert (facts.status, facts.enc, facts.signature, facts.issuer) == (
        "encrypted",
        "A256GCM",
        UNSET,
        UNSET,
    )
    assert facts.redacted == "eyJ***.***.***.***.***"


def test_a_cut_token(make: Make) -> None:
    """A signature that was cut is truncated, the token incomplete, its severity low."""
    alert = make(jws()[:-9])
    assert (alert.token.status, alert.token.signature, alert.severity, alert.confidence) == (
        "incomplete", "truncated", "low", "medium",
    )  # fmt: skip


@pytest.mark.parametrize("logged", [NOW + 9999, NOW - 10**6, 0, -5])
def test_live_when_logged(make: Make, logged: int) -> None:
    """Whether it worked then follows from the time on the line, not from now."""
    alert = make(jws({"exp": NOW, "nbf": NOW - 1000}), logged_at=logged * 1000)
    assert alert.live_when_logged is (NOW - 1060 <= logged < NOW + 60)


def test_without_a_time_nothing_is_said_of_then(make: Make) -> None:
    """Without a time on the line both fields are absent."""
    alert = make(jws())
    assert (alert.logged_at, alert.live_when_logged) == (UNSET, UNSET)
    assert b"logged" not in to_json(alert)


HOSTILE = [
    "\x00\x1b[31m\x9b",
    BIDI,
    "\ud800",
    "\r\n",
    "\u2028\u2029",
    "a" * 10_000,
    "\u200b\ufeff",
    "\U000e0001" * 3,
]


@pytest.mark.parametrize("field", ["iss", "aud", "scope", "kid", "alg", "typ"])
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_strings_are_cleaned(make: Make, field: str, text: str) -> None:
    """Controls, bidirectional marks and surrogates of a token never reach an alert; long strings
    are cut.
    """
    value = f"x{text}y"
    if field in ("kid", "typ"):
        token = jws(**{field: value})
    elif field == "alg":
        token = jws(head='{"alg":"HS256"}') if "\ud800" in text else jws(alg=value)
    else:
        token = jws({**CLAIMS, field: value})
    data = to_json(make(token)).decode()
    assert not any(
        ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or char in BIDI + "\u2028\u2029\u200b\ufeff"
        for char in data
    )
    assert "\\u00" not in data
    assert len(data) < 4096


@pytest.mark.parametrize(
    ("claims", "audience", "scopes"),
    [
        ({"aud": ["a", "b"]}, ("a", "b"), UNSET),
        ({"aud": [1, None, "b"]}, ("b",), UNSET),
        ({"aud": []}, UNSET, UNSET),
        ({"aud": 5}, UNSET, UNSET),
        ({"aud": {"a": 1}}, UNSET, UNSET),
        ({"scope": "a  b"}, UNSET, ("a", "b")),
        ({"scp": ["a", "b"]}, UNSET, ("a", "b")),
        ({"scp": "a"}, UNSET, ("a",)),
        ({"scope": ""}, UNSET, UNSET),
        ({"scope": 7}, UNSET, UNSET),
    ],
)
def test_lists(make: Make, claims: dict[str, Any], audience: object, scopes: object) -> None:
    """Audience and scopes are read in both of their forms, and what is neither is absent."""
    facts = make(jws({"exp": NOW, **claims})).token
    assert (facts.audience, facts.scopes) == (audience, scopes)


def test_lists_are_bounded(make: Make) -> None:
    """A token cannot fill an alert with audiences or scopes."""
    facts = make(jws({"aud": ["a"] * 1000, "scope": " ".join(["s"] * 1000)})).token
    assert isinstance(facts.audience, tuple)
    assert isinstance(facts.scopes, tuple)
    assert len(facts.audience) <= 17
    assert len(facts.scopes) <= 17
    assert all(len(scope) == 1 for scope in facts.scopes[:16])


def test_paths_are_cleaned(make: Make) -> None:
    """A file's name is an attacker's string too."""
    alert = make(jws(), path="a\x1b]0;x\x07\udcff" + BIDI + "b" * 999)
    assert isinstance(alert.location.path, str)
    assert len(alert.location.path) <= 256
    assert alert.location.path.isprintable()


def test_standard_input(make: Make) -> None:
    """Standard input has no path."""
    alert = make(jws(), path=None)
    assert (alert.location.source, alert.location.path) == ("stdin", UNSET)


def test_names_of_channels_are_cleaned(make: Make) -> None:
    """A parameter's name is an attacker's string too."""
    alert = make(jws(), channel=Channel("url_query", "a\x1bb" + BIDI))
    assert isinstance(alert.channel.name, str)
    assert alert.channel.name.isprintable()


@pytest.mark.parametrize("known", [None, Context(), Context(host="db-7\u202e")])
def test_the_source_may_know_the_host(known: Context | None) -> None:
    """A journal or a syslog stream names the host that logged; else it is this one. It is
    cleaned.
    """
    token = jws()
    match = Matcher().at(token.encode(), 0, len(token))
    assert isinstance(match, TokenMatch)
    finding = Finding(
        token=match.token,
        sha256=sha256(token),
        offset=0,
        length=9,
        line=1,
        column=1,
        channel=Channel("unknown"),
        encodings=(),
        logged_at=None,
        excerpt="",
    )
    stream = StreamInfo("file", "/a", context=known)
    alert = Builder(stream, AlertContext(NOW, "web-01", b"k")).build(finding, "1" * 40)
    assert alert.location.host == ("db-7\ufffd" if known is not None and known.host else "web-01")


def test_a_pattern_hit() -> None:
    """A user pattern's hit becomes an alert with the pattern's own words, and shows nothing of
    itself.
    """
    hit = PatternHit(
        "acme.key", "Acme key", "high", "medium", ("CWE-798",), Secret(b"acme_0123456789")
    )
    finding = Finding(
        token=hit,
        sha256="a" * 64,
        offset=3,
        length=15,
        line=2,
        column=1,
        channel=Channel("unknown"),
        encodings=(),
        logged_at=NOW * 1000,
        excerpt="k=[SECRET aaaaaaaa]",
    )
    alert = Builder(StreamInfo("stdin"), AlertContext(NOW, None, b"k")).build(finding, "1" * 40)
    assert (alert.pattern, alert.title, alert.severity, alert.confidence) == (
        "acme.key",
        "Acme key",
        "high",
        "medium",
    )
    assert (alert.token.kind, alert.token.redacted, alert.token.length, alert.token.status) == (
        "pattern",
        "***",
        15,
        UNSET,
    )
    assert (alert.references, alert.logged_at) == (("CWE-798",), "2026-01-15T12:00:00.000Z")
    assert b"0123" not in to_json(alert).replace(b"2026-01-15", b"")
    assert b"acme_" not in to_json(alert)


def test_a_policy_decides_on_a_pattern_hit() -> None:
    """A rule for the place of a user pattern's hit suppresses its alert, or raises its severity;
    a rule for another place changes nothing.
    """
    hit = PatternHit("acme.key", "Acme key", "low", "medium", (), Secret(b"acme_0123456789"))
    finding = Finding(
        token=hit,
        sha256="a" * 64,
        offset=3,
        length=15,
        line=2,
        column=1,
        channel=Channel("unknown"),
        encodings=(),
        logged_at=None,
        excerpt="k=[SECRET aaaaaaaa]",
    )

    def built(policy: Policy) -> tuple[object, ...]:
        context = AlertContext(NOW, None, b"k", policy=policy)
        alert = Builder(StreamInfo("file", "/var/log/a"), context).build(finding, "1" * 40)
        return alert.severity, alert.reasons, alert.suppressed

    assert built(Policy(allow=(Allow(reason="known", path="/var/log/*"),))) == ("low", (), "known")
    assert built(Policy(allow=(Allow(reason="known", path="/srv/*"),))) == ("low", (), UNSET)
    severity, reasons, suppressed = built(
        Policy(raises=(Raise(reason="ours", path="/var/log/*", severity="critical"),))
    )
    assert (severity, suppressed) == ("critical", UNSET)
    assert reasons


def test_the_factory_passes_the_fields_of_the_token_in_their_order() -> None:
    """`Builder._facts` passes 22 values by position: a field out of place would be a wrong
    alert.
    """
    assert TokenFacts.__struct_fields__ == (
        "sha256",
        "kind",
        "status",
        "alg",
        "enc",
        "kid",
        "typ",
        "expires_at",
        "issued_at",
        "not_before",
        "expires_in",
        "lifetime",
        "issuer",
        "audience",
        "subject_hash",
        "scopes",
        "provider",
        "use",
        "signature",
        "weaknesses",
        "redacted",
        "length",
    )
