"""Advice and references: for the issuer, the channel, the server; complete and static."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest
from minting import NOW, jws, unsecured
from msgspec import UNSET
from msgspec.structs import replace

import jwtleak
from jwtleak.assess.advice import AdviceFacts, references, server_of, steps
from jwtleak.patterns.tables import load_issuers, load_servers
from jwtleak.types import ChannelType, Kind, Status

SERVERS = load_servers()
PLAIN = AdviceFacts(status="live", kind="jws", channel="cookie", live_when_logged=None)


def test_every_case_has_words() -> None:
    """Each status, kind and channel has advice and a reference, of plain characters."""
    for status, kind, channel, logged in product(
        get_args(Status), get_args(Kind), get_args(ChannelType), (True, False, None)
    ):
        of = AdviceFacts(status=status, kind=kind, channel=channel, live_when_logged=logged)
        assert steps(of)
        assert any(one.startswith("CWE-") for one in references(of))
        assert all(
            word and word.isascii() and word.isprintable() for word in (*steps(of), *references(of))
        )


@pytest.mark.parametrize("status", ["live", "not_yet_valid", "bad_expiry", "encrypted"])
def test_what_may_work_is_to_be_revoked(status: Status) -> None:
    """Of a token that works, or may, the first advice is to revoke it: as its provider does, where
    that is known.
    """
    assert steps(replace(PLAIN, status=status))[0].startswith("revoke")
    assert steps(replace(PLAIN, status=status, revoke=("do this",)))[0] == "do this"


def test_advice_by_case() -> None:
    """No expiry needs the key or a list; one that worked then, a look back; alg none, a verifier
    that refuses.
    """
    assert "rotate" in steps(replace(PLAIN, status="no_expiry"))[0]
    assert steps(replace(PLAIN, status="no_expiry", revoke=("do this",)))[0] == "do this"
    assert (
        "worked when it was logged"
        in steps(replace(PLAIN, status="expired", live_when_logged=True))[0]
    )
    assert len(steps(replace(PLAIN, status="expired"))) == 1
    assert any("alg none" in one for one in steps(replace(PLAIN, kind="unsecured")))
    assert not any("alg none" in one for one in steps(PLAIN))


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ({"example": True, "revoke": ("do this",)}, "nothing to revoke: documentation"),
        ({"signature": "published_key"}, "replace the signing key"),
        ({"signature": "weak_key", "status": "expired"}, "replace the signing key"),
        (
            {"public": True, "revoke": ("do this",)},
            "nothing to revoke: this token is made to be public",
        ),
        ({"signature": "invalid", "revoke": ("do this",)}, "the keys of its issuer did not make"),
    ],
)
def test_what_matters_more(change: dict[str, object], first: str) -> None:
    """An example, a forgeable, a public and a forged token have advice of their own."""
    assert steps(replace(PLAIN, **change))[0].startswith(first)  # type: ignore[arg-type]


def test_references_name_the_place() -> None:
    """The weakness that the place is, and what attackers do with such a token."""
    assert references(replace(PLAIN, channel="url_query"))[:3] == (
        "CWE-598",
        "CWE-532",
        "RFC 6750 section 5.3",
    )
    assert references(replace(PLAIN, channel="unknown")) == (
        "CWE-532",
        "OWASP API2:2023",
        "ATT&CK T1528",
    )
    assert "CWE-209" in references(replace(PLAIN, channel="error_message"))
    assert "CWE-922" in references(replace(PLAIN, channel="storage"))
    assert "CWE-319" in references(replace(PLAIN, clear_text=True))
    assert "ATT&CK T1539" in references(PLAIN)
    assert "ATT&CK T1552" in references(replace(PLAIN, channel="header", use="api_key"))
    assert {"CWE-613", "CWE-347"} <= set(
        references(replace(PLAIN, weaknesses=("no_exp", "alg_none")))
    )
    assert "https://idp.test/revoke" in references(
        replace(PLAIN, reference="https://idp.test/revoke")
    )
    assert not any("ATT&CK" in one for one in references(replace(PLAIN, example=True)))


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.id)
def test_each_server(server: object) -> None:
    """A log of this server has the server's own instruction for each of its channels; another path
    has not.
    """
    for path in server.examples:  # type: ignore[attr-defined]
        alert = alert_at(path)
        assert any(server.header in step and server.reference in step for step in alert.advice)  # type: ignore[attr-defined]
    for path in server.negative_examples:  # type: ignore[attr-defined]
        assert not any(server.header in step for step in alert_at(path).advice)  # type: ignore[attr-defined]


def alert_at(path: str) -> jwtleak.api.Alert:
    """The alert for a token in a header, in a log at `path`."""
    (finding,) = jwtleak.scan(f"Authorization: Bearer {jws()}\n".encode())
    return jwtleak.alert(finding, now=NOW, key=b"k" * 32, path=path)


def test_servers_by_channel() -> None:
    """URLs, referers and headers have instructions; bodies and messages are the application's."""
    nginx = server_of(SERVERS, "C:\\nginx\\logs\\access.log")
    assert nginx is not None
    assert nginx.id == "nginx"
    of = replace(PLAIN, server=nginx)
    for channel, text in (
        ("url_query", nginx.url),
        ("url_path", nginx.url),
        ("referer", nginx.referer),
        ("cookie", nginx.header),
    ):
        assert any(text in step for step in steps(replace(of, channel=channel)))  # type: ignore[arg-type]
    assert not any("nginx" in step for step in steps(replace(of, channel="json_field")))
    assert server_of(SERVERS, None) is None


def test_each_provider_says_how_to_revoke() -> None:
    """Every provider's steps reach the alert of its live token."""
    for issuer in load_issuers()[0]:
        for use in issuer.uses:
            taken = steps(replace(PLAIN, revoke=use.revoke or issuer.revoke))
            assert taken[0] == (use.revoke or issuer.revoke)[0]
            assert all(step.isprintable() for step in taken)


@pytest.mark.parametrize(
    ("line", "clear"),
    [
        ("GET http://app.test/cb?t={} HTTP/1.1", True),
        ("GET https://app.test/cb?t={} HTTP/1.1", False),
        ("GET http://localhost/cb?t={} HTTP/1.1", False),
        ("GET http://127.0.0.1:8080/cb?t={} HTTP/1.1", False),
        ('GET /cb?t={} HTTP/1.1" 200 1 "http://app.test/"', False),
        ("see http://app.test/ Authorization: Bearer {}", False),
    ],
)
def test_clear_text(line: str, clear: bool) -> None:
    """A token in a URL of plain http went over the network in clear text; loopback and other URLs
    did not.
    """
    (finding,) = jwtleak.scan(f"{line.format(jws())}\n".encode())
    alert = jwtleak.alert(finding, now=NOW, key=b"k" * 32)
    assert ("CWE-319" in alert.references) is clear
    assert any("https only" in step for step in alert.advice) is clear


def test_unsecured_tokens_of_a_provider() -> None:
    """An unsigned token has no provider's steps less than the verifier's."""
    (finding,) = jwtleak.scan(f"token {unsecured()} x\n".encode())
    alert = jwtleak.alert(finding, now=NOW, key=b"k" * 32)
    assert alert.token.provider is UNSET
    assert "CWE-347" in alert.references
