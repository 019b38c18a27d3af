"""What must never come out, and everything that is scanned to see that it does not.

Forbidden are any 8 bytes in a row of a segment behind the header, as they stand in the compact or
in the encoded form.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from encodings_of_tokens import BINARY, TEXT
from minting import NOW, jws, kinds

SLICE = 8
ENCODINGS = TEXT | BINARY
SUBJECT = "jane.roe@personal.test"


class Checker:
    """Knows every forbidden slice."""

    def __init__(self) -> None:
        self._slices: set[bytes] = set()

    def forbid(self, token: str) -> str:
        """Every segment but the header; for the token's own convenience it is given back."""
        _, *segments = token.replace("~", ".").split(".")
        for segment in segments:
            self._add(segment.encode())
        return token

    def forbid_encoded(self, token: str, encoded: bytes) -> bytes:
        """What `encoded` holds behind the header. Escapes make it longer, at most as the whole."""
        header = token.partition(".")[0]
        self._add(encoded[-(-len(header) * len(encoded) // len(token)) + 8 :])
        return encoded

    def _add(self, data: bytes) -> None:
        slices = {data[at : at + SLICE] for at in range(len(data) - SLICE + 1)}
        # A line break with an indentation, or a NUL between letters, says nothing.
        self._slices |= {
            one for one in slices if len(one.replace(b" ", b"").replace(b"\0", b"")) >= SLICE - 2
        }

    def found(self, shown: bytes) -> set[bytes]:
        """The forbidden slices in `shown`."""
        return {shown[at : at + SLICE] for at in range(len(shown) - SLICE + 1)} & self._slices

    def check(self, shown: bytes) -> None:
        """Fails, without showing more than one slice."""
        found = sorted(self.found(shown))
        if found:
            at = shown.index(found[0])
            raise AssertionError(
                f"{len(found)} slices leaked, one as {shown[max(0, at - 60) : at + 20]!r}"
            )


CHANNELS: dict[str, Callable[[bytes], bytes]] = {
    "query": lambda t: b"GET /cb?state=1&access_token=" + t + b"&x=1 HTTP/1.1\n",
    "referer": lambda t: (
        b'1.2.3.4 - - [15/Jan/2026:11:59:30 +0000] "GET / HTTP/1.1" 200 1 "https://a.test/#t='
        + t
        + b'"\n'
    ),
    "bearer": lambda t: b"Authorization: Bearer " + t + b"\r\n",
    "cookie": lambda t: b"Cookie: a=b; session=" + t + b"; c=d\r\n",
    "json": lambda t: b'{"level":"debug","id_token":"' + t + b'","ok":true}\n',
    "error": lambda t: b"Traceback: InvalidTokenError: could not verify " + t + b".\n",
    "alone": lambda t: t,
}


def neighbours(token: str, other: str) -> dict[str, str]:
    """Texts in which more than one token, or pieces of them, stand side by side."""
    header, payload, *rest = token.split(".")
    signature = rest[-1] if rest and rest[-1] else payload
    return {
        "two in a row": token + other,
        "two with a dot": f"{token}.{other}",
        "two with a comma": f"{token},{other}",
        "two with a tilde": f"{token}~{other}",
        "cut, then whole": token[: len(token) * 2 // 3] + " " + other,
        "cut, then whole, without a space": token[: len(token) * 2 // 3] + other,
        "tail, then whole": f"...{payload[-30:]}.{signature} {other}",
        "whole, then its payload": f"{token} payload={payload}",
        "payload, then whole": f"{payload} {token}",
        "signature, then whole": f"sig={signature}; {token}",
        "split by dots and spaces": f"{header} . {payload} . {signature} of {token}",
        "a JSON key": json.dumps({token: other}),
        "a path": f"GET /v/{payload}/{token}/{signature} HTTP/1.1",
        "percent-encoded throughout": "".join(f"%{byte:02x}" for byte in payload.encode())
        + f" {token}",
        "hexadecimal": payload.encode().hex() + f" {token}",
        "short lines": "\n".join(token[at : at + 20] for at in range(0, len(token), 20))
        + f" {other}",
        "masked": f"{header}.{payload[:20]}*****{signature[-10:]} {other}",
        "cut by an ellipsis": f"{token[:-10]}... {other}",
    }


def names(token: str) -> dict[str, str]:
    """Texts in which a piece of a token is the name of the place where it stands."""
    _, payload, *rest = token.split(".")
    signature = (rest and rest[-1]) or payload
    return {
        "a parameter": f"/x?{payload}={token}&{signature}={token}",
        "a header": f"X-{payload[:40]}: {token}",
        "a cookie": f"Cookie: {payload[:40]}={token}; {signature[:30]}={token}",
        "a JSON field": f'{{"{payload[:60]}":"{token}"}}',
    }


def claims_with(token: str) -> dict[str, Any]:
    """Claims whose every shown field holds a token."""
    return {
        "iss": token,
        "aud": [token, "x"],
        "scope": f"a {token} b",
        "sub": token,
        "exp": NOW + 60,
        "jti": token,
    }


def corpus(checker: Checker) -> Iterator[tuple[str, bytes]]:
    """(A name, the text) of everything that is scanned."""
    tokens = {name: checker.forbid(token) for name, token in kinds().items()}
    tokens["personal"] = checker.forbid(
        jws({"sub": SUBJECT, "email": SUBJECT, "name": SUBJECT, "exp": NOW + 9})
    )
    for name, token in tokens.items():
        for encoding, (encode, _) in ENCODINGS.items():
            data = checker.forbid_encoded(token, encode(token))
            for channel, around in CHANNELS.items():
                yield f"{name}, {encoding}, {channel}", around(data)
    other = checker.forbid(jws({"iss": "other", "exp": NOW + 1}))
    for name, token in tokens.items():
        for neighbour, text in neighbours(token, other).items():
            yield f"{name}, {neighbour}", b"\n" + text.encode() + b"\n"
