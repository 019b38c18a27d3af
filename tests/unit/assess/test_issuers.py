"""Who issued a token: every row of the tables by its examples, in minted tokens through the whole
library.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from minting import NOW, jwe, jws
from msgspec import UNSET

import jwtleak
from jwtleak.alerts.alert import Alert
from jwtleak.assess.conditions import ClaimRule
from jwtleak.assess.issuers import Issuer, Issuers, Use
from jwtleak.core.compact import Matcher
from jwtleak.core.matches import TokenMatch
from jwtleak.patterns.tables import load_issuers, load_notes
from jwtleak.types import Token

ISSUERS, USES, LIMITS = load_issuers()
NOTES = load_notes()


def minted(example: str) -> Alert:
    """The alert for the token that an example describes, where it would stand in a log."""
    document = json.loads(example)
    if not (document and set(document) <= {"header", "claims", "before", "channel"}):
        document = {"claims": document}
    header = {"alg": "HS256", "typ": "JWT", **document.get("header", {})}
    if document.get("claims", {}) is None:
        token = jwe(
            header["enc"] if header["enc"] != "A256CBC-HS512" else "A256CBC-HS512", alg="dir"
        )
        text = f"Cookie: {document['channel']}={token}\n"
    else:
        before = document.get("before", "")
        token = jws(document.get("claims", {}), head=json.dumps(header))
        text = f"token {before}{'123_' if before.endswith('_') else ''}{token} x\n"
    (finding,) = jwtleak.scan(text.encode())
    return jwtleak.alert(finding, now=NOW, key=b"k" * 32)


POSITIVE = [
    (issuer.id, use.use, example)
    for issuer in ISSUERS
    for use in issuer.uses
    for example in use.examples
]
NEGATIVE = [(issuer.id, example) for issuer in ISSUERS for example in issuer.negative_examples]


@pytest.mark.parametrize(("provider", "use", "example"), POSITIVE, ids=lambda one: one[:30])
def test_each_provider_and_use(provider: str, use: str, example: str) -> None:
    """A minted token with the claims of an example is of its provider and use."""
    token = minted(example).token
    assert (token.provider, token.use) == (provider, use)


@pytest.mark.parametrize(("provider", "example"), NEGATIVE, ids=lambda one: one[:30])
def test_each_provider_refuses_look_alikes(provider: str, example: str) -> None:
    """A minted token with the claims of a negative example is not of the provider."""
    assert minted(example).token.provider != provider


@pytest.mark.parametrize("use", USES, ids=lambda use: use.use)
def test_each_use_of_any_issuer(use: Use) -> None:
    """What no provider fits still has a use by `typ` and claim names; a look-alike has not."""
    assert [(minted(one).token.provider, minted(one).token.use) for one in use.examples] == [
        (UNSET, use.use)
    ] * len(use.examples)
    assert use.use not in [minted(one).token.use for one in use.negative_examples]


@pytest.mark.parametrize("note", NOTES, ids=lambda note: note.id)
def test_each_note(note: Any) -> None:
    """A public token is for information, an administrator's says so; look-alikes are neither."""
    reason = {"public": "public_by_design", "admin": "admin_privilege"}[note.effect]
    for example in note.examples:
        alert = minted(example)
        assert reason in alert.reasons
        assert note.effect != "public" or alert.severity == "info"
    table = Issuers((), (), (note,))
    for example in note.negative_examples:
        assert note.effect != "public" or reason not in minted(example).reasons
        assert getattr(table.recognise(token_of(example)), note.effect) is None


def token_of(example: str) -> Token:
    """The token alone, without its place."""
    document = json.loads(example)
    whole = document if set(document) <= {"header", "claims", "before"} else {"claims": document}
    data = jws(
        whole["claims"], head=json.dumps({"alg": "HS256", **whole.get("header", {})})
    ).encode()
    found = Matcher().at(data, 0, len(data))
    assert isinstance(found, TokenMatch)
    return found.token


def test_enough_providers() -> None:
    """The table knows at least 40 providers, each with steps to take a token back and a
    reference.
    """
    assert len(ISSUERS) >= 40
    for issuer in ISSUERS:
        assert issuer.revoke
        assert issuer.reference.startswith("https://")
        assert issuer.negative_examples


def test_uses_have_limits() -> None:
    """A lifetime over the limit of its use is a weakness; one at the limit is none."""
    claims = {"iss": "https://idp.test", "aud": "a", "scope": "read", "iat": NOW}
    limit = LIMITS["access"]
    assert (
        "long_lifetime" in minted(json.dumps({**claims, "exp": NOW + limit + 1})).token.weaknesses
    )
    assert (
        "long_lifetime" not in minted(json.dumps({**claims, "exp": NOW + limit})).token.weaknesses
    )


def test_privileges_raise() -> None:
    """A refresh token, a service account and an administrator's token weigh one step more than a
    user's.
    """
    live = {"iat": NOW, "exp": NOW + 60}
    plain = minted(json.dumps({"sub": "1", **live}))
    raised = [
        {"token_type": "refresh"},
        {"kubernetes.io": {"namespace": "a"}},
        {"role": "service_role", "iss": "supabase"},
        {"sub": "1", "roles": ["admin"]},
    ]
    for more in ({**one, **live} for one in raised):
        assert (plain.severity, minted(json.dumps(more)).severity) == ("high", "critical")


def issuer_of(name: str, *matches: ClaimRule) -> Issuer:
    """A provider with one use."""
    return Issuer(
        id=name, name=name, match=matches, uses=(Use(use="access"),), revoke=("x",), reference="y"
    )


def test_the_first_fits() -> None:
    """Of two providers that fit, the first in the table is the one."""
    table = Issuers([issuer_of("a", ClaimRule(iss=("x",))), issuer_of("b", ClaimRule(iss=("*",)))])
    assert [table.recognise(token_of(json.dumps({"iss": one}))).provider for one in ("x", "y")] == [
        "a",
        "b",
    ]


def test_tokens_of_one_kind_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Subjects and times do not make another kind of token; an issuer, a claim or a shape of the
    subject does.
    """
    table = Issuers(
        [
            issuer_of("a", ClaimRule(claims={"sub": "spiffe://**"})),
            issuer_of("b", ClaimRule(iss=("x",))),
        ]
    )
    looks = []
    look = table._match
    monkeypatch.setattr(table, "_match", lambda sight: looks.append(sight) or look(sight))
    matcher = Matcher()

    def see(claims: dict[str, Any]) -> str | None:
        data = jws(claims).encode()
        found = matcher.at(data, 0, len(data))
        assert isinstance(found, TokenMatch)
        return table.recognise(found.token).provider

    assert {see({"iss": "x", "sub": f"user-{n}", "exp": n}) for n in range(50)} == {"b"}
    assert len(looks) == 1
    assert see({"iss": "x", "sub": "spiffe://a/b", "exp": 1}) == "a"
    assert see({"iss": "z", "sub": "user-1", "exp": 1}) is None
    assert see({"iss": "x", "exp": 1}) == "b"
    assert len(looks) == 4


def test_memory_is_bounded() -> None:
    """Issuers, headers and claim names that an attacker varies are not kept for ever."""
    table = Issuers([issuer_of("a", ClaimRule(iss=("x",)))])
    for number in range(5000):
        table.recognise(token_of(json.dumps({"iss": f"i{number}", f"c{number}": 1})))
    assert (
        max(map(len, (table._origins, table._headers, table._valued_of, *table._seen.values())))
        <= 2048
    )


def test_values_of_all_claims_share_one_bound() -> None:
    """However many claims rules ask for, an attacker who varies each of them fills no more memory
    than with one.
    """
    names = [f"c{number}" for number in range(20)]
    table = Issuers([issuer_of("a", ClaimRule(claims=dict.fromkeys(names, "x*")))])
    for number in range(500):
        table.recognise(token_of(json.dumps(dict.fromkeys(names, f"v{number}"))))
    assert 0 < sum(map(len, table._seen.values())) <= 2048


def test_large_tokens_are_not_remembered() -> None:
    """Tokens with thousands of claims, long values or a long header are judged, and leave nothing
    behind.
    """
    table = Issuers([issuer_of("a", ClaimRule(iss=("x",))), issuer_of("b", ClaimRule(aud=("y",)))])
    claims = {f"a-claim-{number}": 1 for number in range(2000)}
    assert table.recognise(token_of(json.dumps({"iss": "x", **claims}))).provider == "a"
    assert table.recognise(token_of(json.dumps({"aud": ["y", *["z" * 500] * 30]}))).provider == "b"
    assert (
        table.recognise(
            token_of(json.dumps({"header": {"kid": "k" * 2000}, "claims": {"iss": "x"}}))
        ).provider
        == "a"
    )
    assert len(table._origins) == len(table._headers) - 2 == 0


def test_deep_values() -> None:
    """Claims and header parameters nested as deep as a decoder allows are no error, in any
    place.
    """
    deep = "[" * 400 + "]" * 400
    for name in ("iss", "aud", "scope", "kid", "crit", "jwk", "email"):
        head = f'{{"alg":"HS256","kid":{deep},"crit":{deep},"typ":"JWT"}}'
        token = jws(
            f'{{"iss":{deep},"sub":{deep},"{name}x":{deep},"{name}":{deep}}}'.encode(), head=head
        )
        (finding,) = jwtleak.scan(f"token {token} x\n".encode())
        assert jwtleak.alert(finding, now=NOW, key=b"k" * 32).severity


@pytest.mark.parametrize("value", [None, 5, [], {}, [[["x"]]], True, 1.5, "\ud800", {"a": []}])
@pytest.mark.parametrize("name", ["iss", "aud", "sub", "scope", "typ", "role", "kubernetes.io"])
def test_claims_of_any_type(name: str, value: object) -> None:
    """No value of any claim is an error."""
    assert minted(json.dumps({name: value, "exp": NOW + 60})).severity


def test_a_full_cache_of_origins_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is cleared when it is full, and every token keeps its origin."""
    monkeypatch.setattr("jwtleak.assess.issuers._KINDS", 2)
    names = ("a", "b", "c", "d")
    table = Issuers([issuer_of(name, ClaimRule(iss=(name,))) for name in names])
    for _ in range(2):
        for name in names:
            assert table.recognise(token_of(json.dumps({"iss": name}))).provider == name
            assert len(table._origins) <= 2
