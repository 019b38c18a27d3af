"""Personal data and secrets in claims: by name, in every spelling and depth, never by value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from minting import NOW, jws

import jwtleak
from jwtleak.alerts.alert import Alert, to_json
from jwtleak.assess.personal_data import Sensitive, plain
from jwtleak.patterns.tables import load_claims

TABLES, IGNORED = load_claims()
ROWS = [
    (table, kind, name)
    for table, kinds in TABLES.items()
    for kind, names in kinds.items()
    for name in names
]
PREFIX = {"personal": "personal_data", "secret": "secret_claim"}
VALUE = "zq7-Value-of-a-claim"


def alert_of(claims: dict[str, Any], now: float = NOW) -> Alert:
    """The alert for a token with `claims` in a log."""
    (finding,) = jwtleak.scan(f"token {jws(claims)} x\n".encode())
    return jwtleak.alert(finding, now=now, key=b"k" * 32)


@pytest.mark.parametrize(("table", "kind", "name"), ROWS, ids=lambda one: one)
def test_each_name(table: str, kind: str, name: str) -> None:
    """A claim of this name is named by its kind, a longer name is not, and the value stays
    inside.
    """
    word = f"{PREFIX[table]}:{kind}"
    alert = alert_of({name: VALUE, "exp": NOW + 60})
    assert word in alert.token.weaknesses
    assert VALUE.encode() not in to_json(alert)
    assert word not in alert_of({f"{name}verifiedat": VALUE, "exp": NOW + 60}).token.weaknesses


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Phone_Number", "phonenumber"),
        ("phone-number", "phonenumber"),
        ("phone number", "phonenumber"),
        ("e-mail", "email"),
        ("https://acme.test/email", "email"),
        ("urn:acme:email", "email"),
        ("user.email", "email"),
        ("https://acme.test/", "test"),
        ("", ""),
        ("x" * 9999 + "/email", "email"),
        ("\ud800", "\ud800"),
    ],
)
def test_spellings(name: str, expected: str) -> None:
    """Case, separators and namespaces do not matter."""
    assert plain(name) == expected


def test_expired_tokens_are_reported() -> None:
    """Personal data is still readable when the token has expired; a secret weighs more."""
    expired = {"iat": NOW - 900, "exp": NOW - 600}
    assert alert_of({**expired, "sub": "1"}).severity == "info"
    personal, secret = (
        alert_of({**expired, "email": VALUE}),
        alert_of({**expired, "password": VALUE}),
    )
    assert (personal.severity, personal.reasons) == ("low", ("expired", "personal_data"))
    assert (secret.severity, secret.reasons) == ("high", ("expired", "secret_claim"))
    assert any("take personal data out" in step for step in personal.advice)
    assert any("change the secret" in step for step in secret.advice)


def test_claims_inside_claims() -> None:
    """Names count at any depth that a real token has, in objects and lists; what is deeper costs
    nothing.
    """
    table = Sensitive({"email": ["email"], "name": ["name"]}, {})
    assert table.find({"user": {"email": 1, "x": [{"name": 2}]}}) == (
        "personal_data:email",
        "personal_data:name",
    )
    deep: dict[str, Any] = {"email": 1}
    for _ in range(500):
        deep = {"a": deep}
    assert table.find(deep) == ()
    assert len(json.dumps(table.find({"a": [{"email": 1}] * 100_000}))) < 100


def test_ignored_names() -> None:
    """A name that registered claims give another meaning is none of the table."""
    assert Sensitive({"x": ["nonce"]}, {}, ["nonce"]).find({"nonce": 1}) == ()
    assert "nonce" in IGNORED


def test_one_word_for_a_kind() -> None:
    """Several claims of a kind are one word; without a table there is none."""
    assert Sensitive({"name": ["name", "givenname"]}, {}).find({"name": 1, "given_name": 2}) == (
        "personal_data:name",
    )
    assert Sensitive({}, {}).find({"name": 1}) == ()


def test_memory_is_bounded() -> None:
    """Sets of claim names that an attacker varies are not kept for ever."""
    table = Sensitive({"email": ["email"]}, {})
    for number in range(5000):
        table.find({f"c{number}": 1})
    assert 0 < len(table) <= 2048
