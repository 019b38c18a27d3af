"""The scanner finds every kind, among every neighbour, in every encoding, wherever the buffer ends."""

from __future__ import annotations

import pytest
from encodings_of_tokens import BINARY, TEXT
from minting import kinds

from jwtleak.core.leak import Leak
from jwtleak.core.scanner import Scanner

KINDS = kinds()
BEFORE = {
    "nothing": b"", "space": b" ", "quote": b'"', "percent": b"%3D", "newline escape": b"\\n", "ghs": b"ghs_123_", "sess": b"sess_",
    "ansi": b"\x1b[32m", "hex escape": b"\\x22", "slash": b"/", "amp": b"&t=", "comma": b",", "high byte": b"\xff",
    "bearer": b"Bearer ", "html": b"&quot;", "dot": b".", "letters": b"abc",
}  # fmt: skip
AFTER = {
    "nothing": b"", "space": b" x", "full stop": b". Then", "quote": b'"', "percent": b"%26x", "amp": b"&x=1", "comma": b",",
    "hex escape": b"\\x22", "newline": b"\nnext", "newline escape": b"\\n", "ellipsis": b"...", "html": b"&quot;",
    "high byte": b"\xff", "ansi": b"\x1b[0m", "colon": b":",
}  # fmt: skip
# A dot is the end of an unsecured token, an ellipsis three of them: these tokens take the first.
TAKES_DOT = {("unsecured short", "full stop"), ("unsecured short", "ellipsis"), ("unsecured", "nothing after")}
WIDE = ("utf-16le", "utf-16be", "utf-32le", "utf-32be")


def scan(data: bytes) -> list[Leak]:
    return Scanner().scan(data, 0, 0, len(data), final=True).leaks


def only(data: bytes) -> Leak:
    leaks = scan(data)
    assert len(leaks) == 1, [(leak.start, leak.end, leak.encodings) for leak in leaks]
    return leaks[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("after", AFTER)
def test_every_kind_among_every_neighbour(kind: str, before: str, after: str) -> None:
    """A token is found whole whatever stands before and behind it."""
    token = KINDS[kind].encode()
    if (kind, after) in TAKES_DOT:
        token += b"."
    data = BEFORE[before] + token + (AFTER[after][1:] if (kind, after) in TAKES_DOT else AFTER[after])
    leak = only(data)
    assert data[leak.start : leak.end] == token
    assert leak.token.raw.reveal() == token


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encoding", TEXT)
@pytest.mark.parametrize("edge", ["alone", "start", "middle", "end"])
def test_every_kind_in_every_textual_encoding(kind: str, encoding: str, edge: str) -> None:
    """The span covers the encoded form whole, and the fingerprint is that of the token itself."""
    encode, names = TEXT[encoding]
    token = KINDS[kind]
    encoded = encode(token)
    data = (b"" if edge in ("alone", "start") else b'{"a":"') + encoded + (b"" if edge in ("alone", "end") else b'" }\nx')
    leak = only(data)
    assert leak.token.raw.reveal() == token.encode()
    span = data[leak.start : leak.end]
    assert encoded.startswith(span)
    assert encoded[len(span) :].strip() == b""
    assert leak.encodings == (names if encoded != token.encode() else ())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encoding", BINARY)
@pytest.mark.parametrize("edge", ["alone", "start", "middle", "end"])
def test_every_kind_in_every_binary_encoding(kind: str, encoding: str, edge: str) -> None:
    """The same for encodings that change every byte."""
    encode, names = BINARY[encoding]
    encoded = encode(KINDS[kind])
    wide = next((name for name in WIDE if encoding.startswith(name)), "ascii")
    data = (b"" if edge in ("alone", "start") else "\n<<".encode(wide)) + encoded
    data += b"" if edge in ("alone", "end") else ">> x".encode(wide)
    leak = only(data)
    assert leak.token.raw.reveal() == KINDS[kind].encode()
    assert leak.encodings[: len(names)] == names
    assert scan(data[: leak.start] + data[leak.end :]) == []
