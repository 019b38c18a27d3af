"""Alerts for tests of formats: one with every field set, the least one, hostile ones, and a
strategy for any.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec.structs import replace

from jwtleak.alerts.alert import Alert, AlertChannel, Container, Location, Sightings, TokenFacts
from jwtleak.formats.events import EVENT_KINDS
from jwtleak.types import CONFIDENCES, SEVERITIES

EVENTS = tuple(EVENT_KINDS)
DIGEST = "78b91dd3c0758137e04103c834637498009a7160187bd4783220a6c26aafc536"
SUBJECT = "432a3ed8deaee5fd17d5b204e19598c6ee7ecc6a6fd99e431d16302e991884a1"

# What a log can hold and a grammar can trip over, each with its name.
HOSTILE = {
    "equals": "a=b c=d externalId=0 cs1=x",
    "pipes": "a|b|c|10|",
    "brackets": 'a]b" c="d" ] [x@1 y="z"]',
    "newlines": "a\nb\r\nCEF:0|x\rd\u2028e\u2029f\x85g",
    "tabs": "a\tsev=1\tb\x0bc",
    "quotes": 'a"b\'c`d\\"e\\',
    "backslashes": "\\\\\\ \\n \\u0041 \\",
    "controls": "a\x00b\x1b[31mc\x7fd\x9fe",
    "bidi": "a\u202eb\u2066c\u200fd\u061ce",
    "surrogates": "a\ud800b\udfffc\udc80",
    "markup": "<script>alert(1)</script>&amp;]]>",
    "formula": "=HYPERLINK(1)",
    "formulas": "+1,-1,@SUM(A1)",
    "long": "k" * 10_240,
    "wide": "\U0001f511" * 300,
    "slashes": "../../etc/passwd/",
    "percent": "%2e%00%zz${jndi:ldap://x}",
    "blank": "  ",
}


def full(**changes: Any) -> Alert:
    """An alert in which every field is set, each to a value of its own."""
    alert = Alert(
        schema="jwtleak/1",
        id="5c863c794e78d8d7c7bb3ff6133dc657d43a07c5",
        event="leak",
        detected_at="2026-01-15T12:02:32.004Z",
        severity="high",
        confidence="medium",
        reasons=("live", "spreads"),
        title="Live JWT in a URL query parameter",
        supersedes="0123456789abcdef0123456789abcdef01234567",
        token=TokenFacts(
            sha256=DIGEST,
            kind="sd-jwt",
            status="live",
            alg="RS256",
            enc="A256GCM",
            kid="prod-2025-11",
            typ="at+jwt",
            expires_at="2026-01-15T13:02:31.001Z",
            issued_at="2026-01-15T12:02:31.002Z",
            not_before="2026-01-15T12:02:31.003Z",
            expires_in=3599,
            lifetime=3600,
            issuer="https://idp.example.com/",
            audience=("api://orders", "api://stock"),
            subject_hash=SUBJECT,
            scopes=("orders.read", "stock.write"),
            provider="auth0",
            use="access",
            signature="published_key",
            weaknesses=("long_lifetime", "weak_key_id"),
            redacted="eyJ***.***.***",
            length=812,
        ),
        channel=AlertChannel("url_query", "access_token", ("percent", "json_escape")),
        logged_at="2026-01-15T12:02:31.123Z",
        live_when_logged=True,
        first_seen="2026-01-15T12:01:00.005Z",
        last_seen="2026-01-15T12:01:59.006Z",
        excerpt="GET /v1/orders?access_token=[JWT 78b91dd3] HTTP/1.1",
        advice=(
            "revoke the token or the session behind it at its issuer",
            "mask this header in this log",
        ),
        references=("CWE-598", "CWE-532", "RFC 6750 section 5.3"),
        truncated=True,
        location=Location(
            source="file",
            path="/var/log/nginx/access.log",
            member="2026/01/access.log",
            host="web-01.example.com",
            container=Container(
                "shop",
                "orders-7d9f",
                "0f2d7b3e-aaaa-4bbb-8ccc-1234567890ab",
                "orders",
                "c0ffee",
                "stderr",
            ),
            offset=9120457,
            length=240,
            line=48213,
            column=41,
        ),
        sightings=Sightings(17, 9120457, 9990001),
    )
    return replace(alert, **changes)


def least(**changes: Any) -> Alert:
    """An alert in which nothing is set that need not be."""
    alert = Alert(
        schema="jwtleak/1",
        id="0" * 40,
        event="leak",
        detected_at="2026-01-15T12:00:00.000Z",
        severity="info",
        confidence="low",
        title="Incomplete JWT in text",
        token=TokenFacts(DIGEST, "jws"),
        channel=AlertChannel("unknown"),
        excerpt="",
        location=Location(source="stdin", offset=0, length=1, line=1, column=1),
        sightings=Sightings(1, 0, 0),
    )
    return replace(alert, **changes)


def kept_back() -> Alert:
    """A leak that a policy keeps back, shown because somebody asked for it."""
    return full(suppressed="public by design")


def pattern_hit() -> Alert:
    """A hit of a user pattern."""
    return least(
        pattern="acme-key",
        title="ACME key",
        token=TokenFacts(DIGEST, "pattern", redacted="***", length=20),
    )


def filled_with(text: str) -> Alert:
    """Every string that an attacker may choose is `text`."""
    alert = full()
    names = ("alg", "enc", "kid", "typ", "issuer", "provider", "use")
    token = replace(
        alert.token, **dict.fromkeys(names, text), audience=(text, text), scopes=(text,)
    )
    box = Container(text, text, text, text, text, "stdout")
    where = replace(alert.location, path=text, member=text, host=text, container=box)
    channel = replace(alert.channel, name=text)
    return replace(alert, token=token, location=where, channel=channel, excerpt=text)


def hostile() -> Iterator[tuple[str, Alert]]:
    """(Name, alert) for each hostile text in all fields, and all of them in a list."""
    for name, text in HOSTILE.items():
        yield name, filled_with(text)
    alert = full()
    texts = tuple(HOSTILE.values())[:16]
    yield "lists", replace(alert, token=replace(alert.token, audience=texts, scopes=texts))


def leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(Dotted path, value) of everything in a tree; of a list each item under the list's own
    path.
    """
    if isinstance(value, dict):
        for name, one in value.items():
            yield from leaves(one, f"{prefix}.{name}" if prefix else name)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from leaves(one, prefix)
    else:
        yield prefix, value


def fields(alert: Alert) -> dict[str, list[Any]]:
    """The values of an alert by path."""
    found: dict[str, list[Any]] = {}
    for path, value in leaves(msgspec.to_builtins(alert)):
        found.setdefault(path, []).append(value)
    return found


_TEXT = st.one_of(st.sampled_from(list(HOSTILE.values())), st.text(st.characters(), max_size=40))
_SET_OR_NOT = st.one_of(st.just(msgspec.UNSET), _TEXT)
_NAMES = ("alg", "enc", "kid", "typ", "issuer", "provider", "use")


@st.composite
def alerts(draw: st.DrawFn) -> Alert:
    """Any alert: hostile or missing texts, any event, severity and confidence."""
    base = draw(st.sampled_from([full(), least(), pattern_hit()]))
    lists = {
        name: tuple(draw(st.lists(_TEXT, max_size=3))) or msgspec.UNSET
        for name in ("audience", "scopes")
    }
    token = replace(base.token, **{name: draw(_SET_OR_NOT) for name in _NAMES}, **lists)
    where = {name: draw(_SET_OR_NOT) for name in ("path", "member", "host")}
    return replace(
        base,
        event=draw(st.sampled_from(EVENTS)),
        severity=draw(st.sampled_from(SEVERITIES)),
        token=token,
        confidence=draw(st.sampled_from(CONFIDENCES)),
        channel=replace(base.channel, name=draw(_SET_OR_NOT)),
        location=replace(base.location, **where),
        excerpt=draw(_TEXT),
    )
