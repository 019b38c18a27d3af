"""Named weaknesses: each with a token that has it and one that has not."""

from __future__ import annotations

from typing import Any

import pytest
from minting import CLAIMS, NOW, detached, jwe, jws, unsecured

import jwtleak
from jwtleak.assess.lifetime import times
from jwtleak.assess.weaknesses import WEAKNESSES, in_claims, in_header, meaning_of


def found(token: str) -> tuple[str, ...]:
    """What is named of a minted token."""
    (finding,) = jwtleak.scan(f"token {token} x\n".encode())
    return jwtleak.alert(finding, now=NOW, key=b"k" * 32).token.weaknesses


PAIRS: list[tuple[str, str, str]] = [
    ("alg_none", unsecured(), jws()),
    ("jku_header", jws(jku="https://evil.test/k"), jws(kid="jku")),
    ("x5u_header", jws(x5u="https://evil.test/k"), jws(x5t="a")),
    ("jwk_header", jws(jwk={"kty": "oct"}), jws(typ="dpop+jwt", jwk={"kty": "EC"})),
    ("unknown_crit", jws(crit=["http://example.com/UNDEFINED"]), jws(crit=["exp"], exp=1)),
    ("no_exp", jws({"sub": "1"}), jws()),
    ("bad_exp", jws({"exp": "soon"}), jws({"exp": NOW})),
    ("nonstandard_exp", jws({"exp": str(NOW)}), jws({"exp": NOW})),
    ("nonstandard_time", jws({**CLAIMS, "iat": NOW * 1000}), jws({**CLAIMS, "iat": NOW + 0.5})),
    (
        "long_lifetime",
        jws({"iat": NOW, "exp": NOW + 31 * 86400}),
        jws({"iat": NOW, "exp": NOW + 30 * 86400}),
    ),
    ("no_aud", jws({"iss": "x", "exp": NOW}), jws({"exp": NOW})),
]


@pytest.mark.parametrize(("name", "token", "other"), PAIRS, ids=lambda one: one[:20])
def test_each_weakness(name: str, token: str, other: str) -> None:
    """A token that has it is named so, one that only looks like it is not."""
    assert name in found(token)
    assert name not in found(other)


def test_every_name_is_tried_and_explained() -> None:
    """Each name has its pair here (or in the tests of keys and claims), a meaning and a
    reference.
    """
    elsewhere = {"published_key", "weak_key", "personal_data", "secret_claim"}
    assert {name for name, _, _ in PAIRS} | elsewhere == set(WEAKNESSES)
    for weakness in WEAKNESSES.values():
        assert weakness.meaning
        assert all(one.startswith(("RFC ", "CWE-")) for one in weakness.references)
        assert weakness.references
    assert meaning_of("personal_data:email") is WEAKNESSES["personal_data"]


@pytest.mark.parametrize("crit", [[], "exp", ["exp"], [1], None, {}, ["b64", "x"], ["b64"]])
def test_crit(crit: Any) -> None:
    """`crit` must be a list, not empty, of registered names that stand in the header; null is no
    `crit`.
    """
    header = {"alg": "HS256", "crit": crit}
    assert ("unknown_crit" in in_header("jws", header)) is (crit is not None)
    assert in_header("jws", {**header, "crit": ["b64"], "b64": False}) == ()


def test_keys_in_proofs() -> None:
    """A proof of possession carries its key by design: DPoP, ACME."""
    assert in_header("jws", {"typ": "DPoP+JWT", "jwk": {}}) == ()
    assert in_header("jws", {"nonce": "a", "url": "https://ca.test", "jwk": {}}) == ()
    assert in_header("jws", {"typ": 5, "jwk": {}}) == ("jwk_header",)
    assert in_header("jws", {"typ": "dpop+jwt", "jku": "x"}) == ("jku_header",)


@pytest.mark.parametrize("value", [True, "1", -1, 1e12, [], {}, float("inf"), float("nan")])
@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_odd_times(name: str, value: object) -> None:
    """A time is a number of seconds since 1970, whole or not."""
    claims = {"exp": NOW, name: value}
    assert "nonstandard_time" in in_claims(claims, times(claims), None)


def test_lifetimes_need_both_ends() -> None:
    """Without an issue time or a limit nothing is said of the lifetime; `nbf` stands in for
    `iat`.
    """
    for claims in ({"exp": NOW}, {"iat": 0}):
        assert "long_lifetime" not in in_claims(claims, times(claims), 10)
    claims = {"nbf": 0, "exp": NOW}
    assert "long_lifetime" in in_claims(claims, times(claims), 10)
    assert "long_lifetime" not in in_claims(claims, times(claims), None)


@pytest.mark.parametrize("token", [detached(), jwe()])
def test_what_has_no_claims(token: str) -> None:
    """Nothing is said of claims that cannot be read."""
    assert found(token) == ()
