"""What a token is worth by itself: looked at once, without data no_tables breaks."""

from __future__ import annotations

import pytest
from minting import NOW, detached, jwe, jws, kinds, sha256, unsecured
from msgspec import UNSET

from jwtleak.assess.assessor import Assessment, AssessmentTables, Assessor, no_tables
from jwtleak.assess.conditions import ClaimRule
from jwtleak.assess.hmac_keys import Keys, PublishedKey, WeakKeys
from jwtleak.assess.issuers import Issuer, Issuers, Use
from jwtleak.assess.lifetime import times
from jwtleak.core.compact import Matcher
from jwtleak.core.matches import TokenMatch
from jwtleak.types import Channel, Finding, Token

MATCHER = Matcher()


class Says:
    """A verifier that says the same of every token, and counts."""

    def __init__(self, verdict: str | None) -> None:
        self.verdict, self.asked = verdict, 0

    def check(self, token: Token) -> str | None:
        """The verdict."""
        self.asked += 1
        return self.verdict


def worth(
    assessor: Assessor, token: str, excerpt: str = "t=[JWT 12345678]", channel: str | None = "t"
) -> Assessment:
    """What `assessor` says of a token at a place."""
    found = MATCHER.at(token.encode(), 0, len(token))
    assert isinstance(found, TokenMatch)
    one = Finding(
        token=found.token,
        sha256=sha256(token),
        offset=0,
        length=len(token),
        line=1,
        column=1,
        channel=Channel("url_query", channel),
        encodings=(),
        logged_at=None,
        excerpt=excerpt,
    )
    return assessor.assess(one, found.token, times(found.token.claims))


@pytest.mark.parametrize("kind", kinds())
def test_without_tables(kind: str) -> None:
    """Without pattern files no_tables is known of any kind of token, and no_tables breaks."""
    said = worth(Assessor(no_tables()), kinds()[kind])
    assert (said.origin.provider, said.origin.use, said.example, said.personal, said.secret) == (
        None,
        None,
        False,
        False,
        False,
    )
    assert said.signature in ("unchecked", "none", UNSET)


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (jws(), "valid"),
        (jws()[:-9], "truncated"),
        (unsecured(), "none"),
        (jwe(), UNSET),
        (detached(), "valid"),
    ],
)
def test_signatures(token: str, expected: object) -> None:
    """Only a whole signature is verified; a cut one is truncated, none is none, and a JWE has none
    to speak of.
    """
    assert worth(Assessor(AssessmentTables(verifier=Says("valid"))), token).signature == expected


def test_what_is_asked_first() -> None:
    """Published keys, then the word list, then the keys of the issuer; None leaves the signature
    unchecked.
    """
    published = Keys(
        [PublishedKey(id="a", reference="b", key="a throw-away key of the test suite")]
    )
    weak = WeakKeys(b"a throw-away key of the test suite", lambda: 0.0, 1.0)
    verifier = Says("invalid")
    assert (
        worth(
            Assessor(AssessmentTables(keys=published, weak=weak, verifier=verifier)), jws()
        ).signature
        == "published_key"
    )
    said = worth(Assessor(AssessmentTables(weak=weak, verifier=verifier)), jws())
    assert (said.signature, said.weaknesses, verifier.asked) == ("weak_key", ("weak_key",), 0)
    assert worth(Assessor(AssessmentTables(verifier=verifier)), jws()).signature == "invalid"
    assert worth(Assessor(AssessmentTables(verifier=Says(None))), jws()).signature == "unchecked"


def test_a_token_is_assessed_once() -> None:
    """A token that comes again costs no verification, in any place; another stream asks again."""
    verifier = Says("valid")
    assessor = Assessor(AssessmentTables(verifier=verifier))
    assert worth(assessor, jws()) is worth(assessor, jws(), "other=[JWT 12345678]", "other")
    assert verifier.asked == 1
    worth(assessor, jws({"sub": "2", "exp": NOW}))
    assert verifier.asked == 2


def test_memory_is_bounded() -> None:
    """Tokens that an attacker varies are not kept for ever."""
    assessor = Assessor(no_tables())
    for number in range(9000):
        worth(assessor, f"{jws({'n': number})[:60]}")
    assert 0 < len(assessor) <= 8192


def test_the_prefix_before_a_token() -> None:
    """A prefix right before the token, with word characters between, is seen by the rules that ask
    for it.
    """
    issuer = Issuer(
        id="g",
        name="g",
        match=(ClaimRule(before="ghs_"),),
        uses=(Use(use="access"),),
        revoke=("x",),
        reference="y",
    )
    assessor = Assessor(AssessmentTables(Issuers([issuer])))
    for excerpt, provider in (
        ("x ghs_12345_[JWT 12345678]", "g"),
        ("ghs_[JWT 12345678]", "g"),
        ("ghs_1 [JWT 12345678]", None),
        ("aghs_1_[JWT 12345678]", None),
        ("[JWT 12345678] ghs_", None),
    ):
        assert worth(assessor, jws(), excerpt).origin.provider == provider


def test_weaknesses_of_all_sorts() -> None:
    """Header, key and claims are named in this order, each header once looked at for each kind."""
    known = AssessmentTables(
        keys=Keys([PublishedKey(id="a", reference="b", key="a throw-away key of the test suite")])
    )
    said = worth(Assessor(known), jws({"iss": "x"}, jku="https://evil.test"))
    assert said.weaknesses == ("jku_header", "published_key", "no_exp", "no_aud")
    assert not said.long_lived
