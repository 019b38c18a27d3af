"""JSON serialisations: flattened, general, pretty, nested in text, and what only looks like one."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minting import CLAIMS, b64, jwe, jws, noise

from jwtleak.core.jose import JoseHeaders
from jwtleak.core.json_serialization import is_protected_value, match_object
from jwtleak.core.matches import TokenMatch
from jwtleak.core.scanner import Scanner
from jwtleak.types import MAX_TOKEN

TOKEN = jws(alg="ES256", kid="json-1")
HEAD, BODY, SIGNATURE = TOKEN.split(".")
SEALED = jwe(alg="RSA-OAEP-256")
FLAT: dict[str, Any] = {
    "payload": BODY,
    "protected": HEAD,
    "header": {"jku": "https://idp.test/"},
    "signature": SIGNATURE,
}
GENERAL: dict[str, Any] = {
    "payload": BODY,
    "signatures": [
        {
            "protected": b64({"alg": "RS256"}),
            "header": {"kid": "1"},
            "signature": b64(noise(256, "g")),
        },
        {"protected": HEAD, "header": {"kid": "2"}, "signature": SIGNATURE},
    ],
}
JWE: dict[str, Any] = dict(
    zip(("protected", "encrypted_key", "iv", "ciphertext", "tag"), SEALED.split("."), strict=True),
    unprotected={"jku": "x"},
)


def scan(text: str | bytes) -> list[TokenMatch]:
    data = text.encode() if isinstance(text, str) else text
    return Scanner().scan(data, 0, 0, len(data), final=True).matches


@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("around", ["{}", "x {} y", '{{"data":{}}}', "[{0}]"])
def test_flattened(indent: int | str | None, around: str) -> None:
    """A flattened JWS is one token, that of its compact form, and its span is the whole object."""
    text = json.dumps(FLAT, indent=indent)
    data = around.format(text)
    (leak,) = scan(data)
    assert leak.token.raw.reveal() == TOKEN.encode()
    assert (leak.token.kind, leak.token.integrity, leak.token.claims) == ("jws", "whole", CLAIMS)
    assert data[leak.start : leak.end] == text


@pytest.mark.parametrize("order", list(permutations(["protected", "payload", "signature"])))
def test_members_in_any_order(order: tuple[str, ...]) -> None:
    """The order of members has no meaning (RFC 8259 section 4)."""
    (leak,) = scan(json.dumps({name: FLAT[name] for name in order}))
    assert leak.token.raw.reveal() == TOKEN.encode()


def test_general() -> None:
    """A general JWS is reported once, whole, as the first of its signatures."""
    text = json.dumps(GENERAL)
    (leak,) = scan("log: " + text + "\n")
    assert leak.token.raw.reveal().split(b".")[2] == GENERAL["signatures"][0]["signature"].encode()
    assert (leak.start, leak.end) == (5, 5 + len(text))
    assert (leak.token.kind, leak.token.integrity) == ("jws", "whole")


@pytest.mark.parametrize("indent", [None, 4])
def test_jwe(indent: int | None) -> None:
    """A flattened JWE is one token, that of its compact form."""
    text = json.dumps(JWE, indent=indent)
    (leak,) = scan(text)
    assert leak.token.raw.reveal() == SEALED.encode()
    assert (leak.token.kind, leak.token.integrity) == ("jwe", "whole")
    assert (leak.start, leak.end) == (0, len(text))


def test_detached() -> None:
    """Without a payload it is a detached JWS."""
    (leak,) = scan(json.dumps({**FLAT, "payload": ""}))
    assert (leak.token.kind, leak.token.integrity) == ("detached", "whole")


def test_json_in_json() -> None:
    """A serialisation that is a string of another record is found, with the encoding named, and its
    span is the whole.
    """
    inner = json.dumps(FLAT)
    data = json.dumps({"level": "info", "body": inner})
    (leak,) = scan(data)
    assert leak.token.raw.reveal() == TOKEN.encode()
    assert leak.encodings == ("json",)
    assert json.loads('"' + data[leak.start : leak.end] + '"') == inner


@pytest.mark.parametrize(
    "value",
    [
        {"protected": HEAD},
        {"protected": HEAD, "payload": BODY},
        {"protected": HEAD, "signature": SIGNATURE},
        {"protected": HEAD, "payload": BODY, "signature": None},
        {"protected": HEAD, "payload": BODY, "signature": SIGNATURE[:-9]},
        {"protected": HEAD, "payload": BODY, "signatures": []},
        {"protected": HEAD, "ciphertext": "x"},
        {"protected": HEAD, "ciphertext": 5},
    ],
)
def test_parts_are_incomplete(value: dict[str, Any]) -> None:
    """Where a part is missing or of the wrong kind, what is found is not taken for whole."""
    for leak in scan(json.dumps(value)):
        assert leak.token.integrity != "whole"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        *(('"protected":"', True), ('"protected" : "', True), ('"protected":\n  "', True)),
        *(('"unprotected":"', False), ('"x":"', False), ('"protected":', False), ("", False)),
    ],
)
def test_where_a_header_is_a_member(before: str, expected: bool) -> None:
    """Only as the value of `protected` is a header part of a serialisation."""
    assert is_protected_value((before + HEAD).encode(), len(before)) == expected


def test_two_objects_are_two_tokens() -> None:
    """Serialisations that stand side by side are found each with its own span."""
    one = json.dumps(FLAT)
    other = json.dumps(JWE)
    leaks = scan(f"[{one}, {other}]")
    assert [leak.token.raw.reveal().decode() for leak in leaks] == [TOKEN, SEALED]


@given(st.text('{}[]":,\\ab', max_size=30), st.text('{}[]":,\\ab', max_size=30))
def test_broken_objects_never_raise(before: str, after: str) -> None:
    """Whatever JSON, whole or broken, stands around a member, there is an answer."""
    data = f'{before}"protected":"{HEAD}"{after}'.encode()
    header = JoseHeaders().decode(HEAD.encode())
    assert header is not None
    match_object(data, data.index(HEAD.encode()), header.fields, 0, len(data))
    scan(data)


def matched(data: str) -> TokenMatch | None:
    """The serialisation around the header in `data`."""
    header = JoseHeaders().decode(HEAD.encode())
    assert header is not None
    return match_object(data.encode(), data.index(HEAD), header.fields, 0, len(data))


@pytest.mark.parametrize(("siblings", "found"), [(11, True), (12, False)])
def test_the_braces_tried_are_bounded(siblings: int, found: bool) -> None:
    """A serialisation is found behind eleven sibling objects; the twelfth ends the search."""
    data = json.dumps({"x": [{}] * siblings, **FLAT})
    assert (matched(data) is not None) == found


@pytest.mark.parametrize("length", [100, 5_000, 50_000])
def test_objects_of_every_reach(length: int) -> None:
    """A serialisation is found whether it fits the shortest text that is decoded or a longer
    one.
    """
    match = matched(json.dumps({**FLAT, "x": "a" * length}))
    assert match is not None
    assert match.token.raw.reveal() == TOKEN.encode()


def test_an_object_beyond_every_reach() -> None:
    """An object that does not end within the longest text that is decoded is none."""
    assert matched(json.dumps({**FLAT, "x": "a" * 2 * MAX_TOKEN})) is None


@pytest.mark.parametrize("value", ["9" * 5_000, "[" * 100_000], ids=["digits", "depth"])
def test_what_a_parser_refuses_is_no_object(value: str) -> None:
    """An integer of more digits than Python converts, or nesting deeper than its stack, is no
    serialisation and no error.
    """
    assert matched(f'{{"protected":"{HEAD}","x":{value}') is None
