"""The check of the tables: mistakes of an entry are found and reported."""

from __future__ import annotations

from typing import Any

import pytest

from jwtleak.assess.advice import Server
from jwtleak.assess.conditions import ClaimRule
from jwtleak.assess.hmac_keys import Example, PublishedKey
from jwtleak.assess.issuers import Issuer, Issuers, Note, Use
from jwtleak.patterns.check_tables import (
    check_assessment_tables,
    check_claims,
    check_issuers,
    check_keys,
    check_notes,
    check_servers,
    check_uses,
    example,
)


def test_what_comes_with_jwtleak_is_sound() -> None:
    """The tables pass their own check."""
    assert check_assessment_tables() == []


def issuer(**more: Any) -> Issuer:
    """A sound provider but for `more`."""
    use = Use(use="access", examples=('{"iss":"x"}',))
    whole = {
        "match": (ClaimRule(iss=("x",)),),
        "uses": (use,),
        "revoke": ("r",),
        "negative_examples": ('{"iss":"y"}',),
        **more,
    }
    return Issuer(id="a", name="A", reference="r", **whole)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({}, None),
        ({"revoke": ()}, "at least one is needed"),
        ({"negative_examples": ()}, "at least one is needed"),
        ({"uses": (Use(use="access"),)}, "at least one is needed"),
        ({"negative_examples": ('{"iss":"x"}',)}, "negative example 1 is recognised"),
        (
            {"uses": (Use(use="access", examples=('{"iss":"z"}',)),)},
            "example 1 is (None, None, 'user')",
        ),
        ({"uses": (Use(use="access", examples=("{",)),)}, "example 1: "),
        ({"uses": (Use(use="access", examples=("[]",)),)}, "example 1: is not an object"),
        ({"match": (ClaimRule(iss=("x",)), ClaimRule(aud=("*a*b*c*",)))}, "more than 3 stars"),
        (
            {"match": (ClaimRule(iss=("x",)), ClaimRule(claims={"r": ("a", "****a****b****")}))},
            "more than 3 stars",
        ),
    ],
)
def test_providers(more: dict[str, Any], problem: str | None) -> None:
    """A provider has steps, examples of each use that are its own, negative ones that are not, and
    cheap globs.
    """
    one = issuer(**more)
    messages = [problem.message for problem in check_issuers([one], Issuers([one]))]
    assert (messages == []) if problem is None else any(problem in message for message in messages)


@pytest.mark.parametrize(
    ("examples", "negative", "problem"),
    [
        (('{"a":1}',), ('{"b":1}',), None),
        (('{"b":1}',), ('{"b":1}',), "example 1 is (None, None)"),
        (('{"a":1}',), ('{"a":1}',), "negative example 1 is recognised"),
        ((), ('{"b":1}',), "at least one of each"),
    ],
)
def test_uses_and_notes(
    examples: tuple[str, ...], negative: tuple[str, ...], problem: str | None
) -> None:
    """A use and a note fit their examples and no negative one."""
    match = (ClaimRule(claims={"a": "*"}),)
    use = Use(use="u", match=match, examples=examples, negative_examples=negative)
    note = Note(
        id="n",
        effect="public",
        match=match,
        why="w",
        reference="r",
        examples=examples,
        negative_examples=negative,
    )
    uses = [problem.message for problem in check_uses([use], Issuers((), (use,)))]
    notes = [problem.message for problem in check_notes([note], Issuers((), (), (note,)))]
    assert (uses == notes == []) if problem is None else any(problem in message for message in uses)
    assert problem is None or notes


def test_keys_and_examples() -> None:
    """A key or a fingerprint that stands twice, and a fingerprint that is none, are problems."""
    keys = [
        PublishedKey(id="a", reference="r", key="x"),
        PublishedKey(id="b", reference="r", base64="eA"),
    ]
    examples = [
        Example(where="p", sha256=("a" * 64, "A" * 64)),
        Example(where="q", sha256=("a" * 64,)),
    ]
    assert [problem.id for problem in check_keys(keys, examples)] == ["b", "p", "q"]


def test_claims() -> None:
    """A name that is not written as names are compared, or that stands twice, is a problem."""
    tables = {"personal": {"email": ["email", "E-Mail"]}, "secret": {"password": ["email"]}}
    assert [problem.id for problem in check_claims(tables)] == ["email", "password"]


def test_servers() -> None:
    """A path that is not of its server, or a negative one that is, is a problem."""
    server = Server(
        id="s",
        paths=("**s**",),
        url="u",
        referer="r",
        header="h",
        reference="x",
        examples=("/a",),
        negative_examples=("/s",),
    )
    assert [problem.message for problem in check_servers((server,))] == [
        "/a: is no server",
        "/s: is recognised",
    ]


def test_examples_of_every_form() -> None:
    """Claims alone, or header, claims and place; null claims are those of a JWE."""
    assert example('{"iss":"x"}').token.claims == {"iss": "x"}
    spelled = example('{"header":{"kid":"k"},"claims":{"claims":1},"before":"ghs_","channel":"c"}')
    assert (spelled.token.header["kid"], spelled.token.claims, spelled.before, spelled.channel) == (
        "k",
        {"claims": 1},
        "ghs_",
        "c",
    )
    assert example('{"header":{"alg":"dir","enc":"A256GCM"},"claims":null}').token.kind == "jwe"
    assert example("{}").token.claims == {}
