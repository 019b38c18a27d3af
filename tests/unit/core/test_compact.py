"""Compact forms: which token stands at a place, and where it ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minting import CLAIMS, b64, detached, jwe, jws, kinds, noise, sd_jwt, unsecured

from jwtleak.core.compact import Matcher
from jwtleak.core.matches import TokenMatch
from jwtleak.types import Integrity, Kind, Rejection, Token

KINDS = kinds()
HEAD = b64({"alg": "HS256"})
BODY = b64(CLAIMS)
SIGNATURE = b64(noise(32, "s"))
NONE = b64({"alg": "none"})


def at(text: str | bytes, start: int = 0) -> TokenMatch | Rejection:
    data = text.encode() if isinstance(text, str) else text
    return Matcher().at(data, start, len(data))


def match(text: str | bytes, start: int = 0) -> TokenMatch:
    found = at(text, start)
    assert isinstance(found, TokenMatch), found
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "tail", ["", " ", '"', "&x", "\n", "%26", "\\n", ",", ". And", ";", "/", "<", "é", ":"]
)
def test_every_kind_is_whole(kind: str, tail: str) -> None:
    """A token ends where it ends, whatever follows, and is of its kind and whole."""
    token = KINDS[kind]
    if token.count(".") == 1 and tail.startswith("."):
        token += "."  # the dot of `h.p.`
        tail = tail[1:]
    found = match("x" + token + tail, 1)
    assert (found.start, found.end) == (1, 1 + len(token))
    assert found.token.kind == kind.split()[0]
    assert found.token.integrity == "whole"
    assert found.token.raw.reveal() == token.encode()


@pytest.mark.parametrize(
    ("text", "length", "kind", "integrity"),
    [
        (f"{HEAD}.{BODY}.{SIGNATURE[:-1]}", None, "jws", "clipped"),
        (f"{HEAD}.{BODY}.{SIGNATURE}A", None, "jws", "clipped"),
        (f"{HEAD}.{BODY}.", None, "jws", "clipped"),
        (f"{HEAD}.{BODY}", None, "jws", "clipped"),
        (f"{HEAD}.{BODY}...", -2, "jws", "clipped"),
        (f"{HEAD}.{BODY}.***", -3, "jws", "clipped"),
        (f"{HEAD}.", -1, "jws", "clipped"),
        (f"{HEAD}..", -2, "jws", "clipped"),
        (f"{HEAD}", None, "jws", "clipped"),
        (f"{HEAD[:12]}...", 12, "jws", "clipped"),
        (f"{HEAD}.***.***", len(HEAD), "jws", "clipped"),
        (f"{HEAD}..{SIGNATURE}", None, "detached", "whole"),
        (f"{HEAD}..{SIGNATURE[:-3]}", None, "detached", "clipped"),
        (f"{NONE}.{BODY}.", None, "unsecured", "whole"),
        (f"{NONE}.{BODY}", None, "unsecured", "whole"),
        (f"{NONE}.{BODY}.{SIGNATURE}", None, "unsecured", "whole"),
        (f"{NONE}.{BODY[:-5]}", None, "unsecured", "odd"),
        (f"{NONE}.", -1, "unsecured", "clipped"),
        (jwe()[:-1], None, "jwe", "odd"),
        (".".join(jwe().split(".")[:4]), None, "jwe", "clipped"),
        (".".join(jwe().split(".")[:2]), None, "jwe", "clipped"),
        (jwe().split(".")[0] + "...", -3, "jwe", "clipped"),
        (f"{b64({'alg': 'HS256', 'enc': 'A128GCM'})}.{BODY}.{SIGNATURE}", None, "jws", "whole"),
        (f"{b64({'alg': 'custom'})}.{BODY}.abc", None, "jws", "odd"),
        (f"{b64({'alg': 'RS256'})}.bm90IGpzb24.{b64(noise(256, 'r'))}", None, "jws", "whole"),
    ],
)  # fmt: skip
def test_pieces(text: str, length: int | None, kind: Kind, integrity: Integrity) -> None:
    """What is cut, masked or odd is told from what is whole, and the span is what there is of the
    token.
    """
    found = match(text)
    end = len(text) if length is None else length if length > 0 else len(text) + length
    assert (found.end, found.token.kind, found.token.integrity) == (end, kind, integrity)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "NonE"])
def test_none_in_any_case(alg: str) -> None:
    """`none` counts in every case: attackers vary it, and libraries have accepted it (RFC 8725
    section 2.1).
    """
    assert match(f"{b64({'alg': alg})}.{BODY}.").token.kind == "unsecured"


@pytest.mark.parametrize("alg", ["noNE", "nONe", "NOne", "nOne", "NOnE", "NONe", "NoNE", "nONE"])
def test_none_in_the_rarer_cases(alg: str) -> None:
    """The same for the remaining spellings."""
    assert match(f"{b64({'alg': alg})}.{BODY}.").token.kind == "unsecured"


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "eyJ", "eyJ.eyJ.eyJ", "abc.def.ghi", "=eyJ"),
        *(b64(head) + ".e30.x" for head in ('{"typ":"JWT"}', '{"alg":1}', "[1]", '"alg"')),
    ],
)
def test_what_is_no_token(text: str) -> None:
    """Without a header there is no token, and the rejection says up to where nothing else
    begins.
    """
    found = at(text)
    assert isinstance(found, Rejection)
    assert 0 < found.end <= max(1, len(text))


def test_nothing_beyond_the_limit_is_looked_at() -> None:
    """A limit ends the match as an end of the data would."""
    data = jws().encode()
    found = Matcher().at(data, 0, len(data) - 5)
    assert isinstance(found, TokenMatch)
    assert found.end == len(data) - 5
    assert found.token.integrity == "clipped"


def test_padding_belongs_to_its_segment() -> None:
    """Padding counts where the length asks for it; more `=` is somebody else's."""
    token = jws(pad=True)
    assert match(token + "=").end == len(token)
    assert match(jws() + "==").end == len(jws()) + 1
    assert match(jws(alg="HS384") + "=").end == len(jws(alg="HS384"))
    found = match(token)
    assert found.token.raw.reveal() == token.encode()


def test_disclosures() -> None:
    """Disclosures, and a key-binding JWT behind them, belong to an SD-JWT; a tilde alone makes one
    too.
    """
    for token in (sd_jwt(), sd_jwt(bound=True), jws(alg="ES256") + "~"):
        found = match(token + " ~x~")
        assert (found.token.kind, found.end) == ("sd-jwt", len(token))


def test_claims_are_those_of_the_payload() -> None:
    """Claims are the payload's object, and None where it is none."""
    assert match(jws()).token.claims == CLAIMS
    assert match(unsecured()).token.claims == CLAIMS
    assert match(detached()).token.claims is None
    assert match(jwe()).token.claims is None
    assert match(f"{HEAD}.bm90IGpzb24.{SIGNATURE}").token.claims is None


@given(
    st.sampled_from(sorted(KINDS.values())), st.text(".~=-_eyJA ", max_size=12), st.integers(0, 400)
)
def test_spans_lie_within_the_data(token: str, tail: str, cut: int) -> None:
    """However a token is cut and whatever is put behind it, a match lies within the data and never
    raises.
    """
    text = token[:cut] + tail
    found = at(text)
    if isinstance(found, TokenMatch):
        assert 0 < found.end <= found.stop <= len(text)
        assert found.token.raw.reveal() == text[: found.end].encode()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tail", ["", " ", "=", "==", "=x", "~", "~x", "%3D", ".", ".x", "&a=b"])
def test_what_is_remembered_changes_nothing(kind: str, tail: str) -> None:
    """A token that was met before, behind it something else or nothing, is judged as if it was
    new.
    """
    matcher = Matcher()
    token = KINDS[kind].encode()
    for before in (b"", b" ", b"=", b"~", b"%3D", b".x"):
        matcher.at(token + before, 0, len(token + before))
        data = b"xx" + token + tail.encode()
        known, new = matcher.at(data, 2, len(data)), Matcher().at(data, 2, len(data))
        assert known == new
    cut = len(data) - 3
    assert matcher.at(data, 2, cut) == Matcher().at(data, 2, cut)


def test_a_token_of_late_is_not_decoded_again() -> None:
    """The same text gives the same token; a bound keeps memory small, and long tokens are not
    kept.
    """
    matcher = Matcher()
    token = KINDS["jws"].encode()

    def judged(data: bytes) -> Token:
        found = matcher.at(data, 0, len(data))
        assert isinstance(found, TokenMatch)
        return found.token

    assert judged(token) is judged(token + b" ")
    first = judged(token)
    for number in range(600):
        judged(jws({"n": number}).encode())
    assert judged(token) is not first
    long = jws({"n": "x" * 2000}).encode()
    assert judged(long) is not judged(long)
