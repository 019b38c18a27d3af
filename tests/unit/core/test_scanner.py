"""The scanner finds every kind, among every neighbour, in every encoding, wherever the buffer
ends.
"""

from __future__ import annotations

import base64
import json

import pytest
from encodings_of_tokens import BINARY, TEXT
from minting import NOW, b64, jwe, jws, kinds, noise

from jwtleak.assess.lifetime import status, times
from jwtleak.assess.severity import confidence
from jwtleak.core.anchors import MAX_STARTS
from jwtleak.core.matches import TokenMatch
from jwtleak.core.scanner import Scanner

KINDS = kinds()
BEFORE = {
    "nothing": b"",
    "space": b" ",
    "quote": b'"',
    "percent": b"%3D",
    "newline escape": b"\\n",
    "ghs": b"ghs_123_",
    "sess": b"sess_",
    "ansi": b"\x1b[32m",
    "hex escape": b"\\x22",
    "slash": b"/",
    "amp": b"&t=",
    "comma": b",",
    "high byte": b"\xff",
    "bearer": b"Bearer ",
    "html": b"&quot;",
    "dot": b".",
    "letters": b"abc",
}
AFTER = {
    "nothing": b"",
    "space": b" x",
    "full stop": b". Then",
    "quote": b'"',
    "percent": b"%26x",
    "amp": b"&x=1",
    "comma": b",",
    "hex escape": b"\\x22",
    "newline": b"\nnext",
    "newline escape": b"\\n",
    "ellipsis": b"...",
    "html": b"&quot;",
    "high byte": b"\xff",
    "ansi": b"\x1b[0m",
    "colon": b":",
}
# A dot is the end of an unsecured token, an ellipsis three of them: these tokens take the first.
TAKES_DOT = {
    ("unsecured short", "full stop"),
    ("unsecured short", "ellipsis"),
    ("unsecured", "nothing after"),
}
WIDE = ("utf-16le", "utf-16be", "utf-32le", "utf-32be")


def scan(data: bytes) -> list[TokenMatch]:
    return Scanner().scan(data, 0, 0, len(data), final=True).matches


def only(data: bytes) -> TokenMatch:
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
    data = (
        BEFORE[before] + token + (AFTER[after][1:] if (kind, after) in TAKES_DOT else AFTER[after])
    )
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
    data = (
        (b"" if edge in ("alone", "start") else b'{"a":"')
        + encoded
        + (b"" if edge in ("alone", "end") else b'" }\nx')
    )
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


HEAD, BODY, SIGNATURE = jws().split(".")
NONE_HEAD = b64({"alg": "none"})
JWE_PARTS = jwe().split(".")

# What loggers do to tokens: (text, kind, confidence). Each is reported, as incomplete, never
# dropped.
CUT: dict[str, tuple[str, str, str]] = {
    "signature cut by an ellipsis": (f"{HEAD}.{BODY}.{SIGNATURE[:10]}...", "jws", "medium"),
    "signature cut by one character": (f"{HEAD}.{BODY}.{SIGNATURE[:9]}\u2026", "jws", "medium"),
    "signature cut by a line limit": (f"{HEAD}.{BODY}.{SIGNATURE[:30]}", "jws", "medium"),
    "signature masked": (f"{HEAD}.{BODY}.***", "jws", "medium"),
    "signature redacted": (f"{HEAD}.{BODY}.[REDACTED]", "jws", "medium"),
    "signature dropped": (f"{HEAD}.{BODY}.", "jws", "medium"),
    "signature gone": (f"{HEAD}.{BODY}", "jws", "medium"),
    "signature by words": (f"{HEAD}.{BODY}.signature", "jws", "medium"),
    "signature cut in the middle": (
        f"{HEAD}.{BODY}.{SIGNATURE[:6]}...{SIGNATURE[-6:]}",
        "jws",
        "medium",
    ),
    "signature too long": (f"{HEAD}.{BODY}.{SIGNATURE}abc", "jws", "medium"),
    "payload cut": (f"{HEAD}.{BODY[:40]}...", "jws", "low"),
    "payload cut by a line limit": (f"{HEAD}.{BODY[:41]}", "jws", "low"),
    "payload masked": (f"{HEAD}.***.***", "jws", "low"),
    "payload gone": (f"{HEAD}.", "jws", "low"),
    "header alone": (f"{HEAD}", "jws", "low"),
    "header cut": (f"{HEAD[:14]}...", "jws", "low"),
    "header masked": (f"{HEAD[:12]}***", "jws", "low"),
    "placeholder": ("eyJhbGci....signature", "jws", "low"),
    "detached, cut": (f"{b64({'alg': 'ES256'})}..{SIGNATURE[:20]}", "detached", "low"),
    "unsecured, payload gone": (f"{NONE_HEAD}.", "unsecured", "low"),
    "JWE with four parts": (".".join(JWE_PARTS[:4]), "jwe", "low"),
    "JWE cut by a line limit": (f"{JWE_PARTS[0]}.{JWE_PARTS[1][:50]}", "jwe", "low"),
}


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize(
    ("before", "after"), [("", ""), ("Bearer ", "\n"), ('{"t":"', '"}\n'), ("t=", " HTTP/1.1\n")]
)
def test_what_loggers_cut_is_reported(name: str, before: str, after: str) -> None:
    """A token that was cut or masked is one leak, incomplete, of the confidence that its rest
    deserves.
    """
    text, kind, sure = CUT[name]
    token = only((before + text + after).encode()).token
    assert (token.kind, token.integrity) == (kind, "clipped")
    assert confidence(token.kind, token.integrity, claims=token.claims is not None) == sure
    assert status(token, times(token.claims), NOW) == "incomplete"


def test_a_jwe_cut_by_an_ellipsis() -> None:
    """A JWE of which an ellipsis stands for the rest is incomplete."""
    token = only(f"{JWE_PARTS[0]}.{JWE_PARTS[1][:50]}...".encode()).token
    assert (token.kind, token.integrity) == ("jwe", "clipped")


def _sourcemap() -> str:
    value = json.dumps(
        {"version": 3, "sources": ["app.ts"], "names": ["alg", "eyJ"], "mappings": "AAAA;" * 40}
    )
    return (
        "//# sourceMappingURL=data:application/json;charset=utf-8;base64,"
        + base64.b64encode(value.encode()).decode()
    )


JWK = {
    "kty": "RSA",
    "kid": "k1",
    "use": "sig",
    "alg": "RS256",
    "n": b64(noise(256, "n")),
    "e": "AQAB",
}
# What looks like a token to a regular expression.
LOOKALIKES: dict[str, str] = {
    "source map": _sourcemap(),
    "cursor": "cursor=" + b64({"id": 123, "createdAt": "2026-01-15T12:00:00Z", "dir": "next"}),
    "cursor with dots": ".".join(b64({"page": n}) for n in range(3)),
    "Relay cursor": base64.b64encode(b"arrayconnection:10").decode(),
    "itsdangerous": f"{b64({'user_id': 7})}.aBcDeF.{b64(noise(20, 'flask'))}",
    "Flask session with a flash": f"{b64({'_flashes': [], 'csrf_token': 'x' * 40})}.ZxYwVu.{b64(noise(20, 'f'))}",  # noqa: E501
    "Flask session, compressed": f".{b64(noise(60, 'z'))}.ZxYwVu.{b64(noise(20, 'g'))}",
    "Django signing": f"{b64({'next': '/'})}:1abcDE:{b64(noise(32, 'd'))}",
    "Rails message": f"{b64({'_rails': {'message': 'x'}})}--{noise(20, 'r').hex()}",
    "noise with dots": ".".join(b64(noise(40, str(n))) for n in range(3)),
    "noise that begins like one": "eyJ"
    + b64(noise(60, "a"))
    + "."
    + b64(noise(60, "b"))
    + "."
    + b64(noise(32, "c")),
    "host name": "eyjafjallajokull.example.com eyJa.eyJb.eyJc",
    "code": "import com.eyJson.parser.eyJhbGNvZGVy; this.eyJ.alg.none = eyJbuf.eyJlen.slice",
    "alg is a number": f"{b64({'alg': 1})}.{BODY}.{SIGNATURE}",
    "no alg": f"{b64({'typ': 'JWT'})}.{BODY}.{SIGNATURE}",
    "alg within": f"{b64({'header': {'alg': 'HS256'}})}.{BODY}.{SIGNATURE}",
    "JSON array": f"{b64('[{' + chr(34) + 'alg' + chr(34) + ':' + chr(34) + 'HS256' + chr(34) + '}]')}.{BODY}.{SIGNATURE}",  # noqa: E501
    "public key as JSON": json.dumps(JWK),
    "public key in base64": base64.b64encode(json.dumps(JWK).encode()).decode(),
    "public key in base64url": b64(JWK),
    "key set in base64": b64({"keys": [JWK, JWK]}),
    "image": "data:image/png;base64," + base64.b64encode(b"\x89PNG" + noise(600, "png")).decode(),
    "encoded JSON without alg": base64.b64encode(
        json.dumps({"user": {"id": 1}, "scope": "a b"}).encode()
    ).decode(),
    "state parameter": "state=" + b64({"returnTo": "/", "nonce": "abc"}),
    "GraphQL id": base64.b64encode(b"User:12345").decode(),
    "Kubernetes config map": "algorithm: " + base64.b64encode(b'{"algorithm":"HS256"}').decode(),
}


@pytest.mark.parametrize("name", LOOKALIKES)
@pytest.mark.parametrize("after", ["", "\n", '" x', "."])
def test_lookalikes_are_not_reported(name: str, after: str) -> None:
    """What is no JWT is not reported with a confidence that is shown by default."""
    sure = [
        confidence(leak.token.kind, leak.token.integrity, claims=leak.token.claims is not None)
        for leak in scan((LOOKALIKES[name] + after).encode())
    ]
    assert sure in ([], ["low"])


def test_failed_headers_in_one_run_are_bounded() -> None:
    """A run full of openings and of `"alg"` costs MAX_STARTS failed headers, however long it is;
    the token behind it is found.
    """
    token = jws()
    for length in (30, 300):
        scanner = Scanner()
        hostile = b64(b'{"a' * length + b'"alg":' * length + b"}").encode()
        data = hostile + b" " + token.encode() + b" "
        (match,) = scanner.scan(data, 0, 0, len(data), final=True).matches
        assert match.token.raw.reveal() == token.encode()
        # One more for the `eyJ` with which the run begins.
        assert sum(scanner.rejections.values()) == MAX_STARTS + 1
