"""Encodes tokens as loggers and transports do: name -> (encode, names that an alert shows,
outermost first).
"""

from __future__ import annotations

import base64
import json
import quopri
from collections.abc import Callable


def _lines(text: str, width: int, end: str = "\n") -> str:
    return end.join(text[at : at + width] for at in range(0, len(text), width))


def _b64(data: bytes, skip: int = 0, *, url: bool = False) -> bytes:
    """base64 of `data` behind `skip` bytes of other text."""
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    return encode(b"id:"[:skip] + data)


def _soft(token: str) -> bytes:
    return quopri.encodestring(
        token.replace("=", "=3D").encode().replace(b"=3D", b"="), quotetabs=False
    ).rstrip(b"\n")


Encode = Callable[[str], bytes]

TEXT: dict[str, tuple[Encode, tuple[str, ...]]] = {
    "plain": (lambda t: t.encode(), ()),
    "percent": (lambda t: t.replace(".", "%2E").replace("=", "%3D").encode(), ("percent",)),
    "percent twice": (
        lambda t: t.replace(".", "%252E").replace("=", "%253D").encode(),
        ("percent", "percent"),
    ),
    "percent lower": (
        lambda t: t.replace(".", "%2e").replace("_", "%5f").replace("-", "%2d").encode(),
        ("percent",),
    ),
    "json escape": (lambda t: t.replace(".", "\\u002e").encode(), ("json",)),
    "hex escape": (lambda t: t.replace(".", "\\x2E").encode(), ("json",)),
    "json in json": (lambda t: t.replace(".", "\\\\u002e").encode(), ("json", "json")),
    "html": (lambda t: t.replace(".", "&#46;").encode(), ("html",)),
    "html hex": (lambda t: t.replace(".", "&#x2E;").encode(), ("html",)),
    "html in percent": (lambda t: t.replace(".", "%26%2346%3B").encode(), ("percent", "html")),
    "quoted-printable dots": (
        lambda t: t.replace("=", "=3D").replace(".", "=2E").encode(),
        ("quoted_printable",),
    ),
    "newline between segments": (lambda t: t.replace(".", ".\n").encode(), ("line_wrap",)),
    "wrapped at 76": (lambda t: _lines(t, 76).encode(), ("line_wrap",)),
    "wrapped at 76 crlf": (lambda t: _lines(t, 76, "\r\n").encode(), ("line_wrap",)),
    "wrapped and indented": (lambda t: _lines(t, 64, "\n    ").encode(), ("line_wrap",)),
    "soft line breaks": (
        lambda t: _lines(t.replace("=", "=3D"), 75, "=\r\n").encode(),
        ("quoted_printable",),
    ),
}
BINARY: dict[str, tuple[Encode, tuple[str, ...]]] = {
    "base64": (lambda t: _b64(t.encode()), ("base64",)),
    "base64 behind 1": (lambda t: _b64(t.encode(), 1), ("base64",)),
    "base64 behind 2": (lambda t: _b64(t.encode(), 2), ("base64",)),
    "base64url": (lambda t: _b64(t.encode(), 3, url=True).rstrip(b"="), ("base64",)),
    "base64 of json": (lambda t: _b64(json.dumps({"t": t}).encode()), ("base64",)),
    "base64 of percent": (lambda t: _b64(t.replace(".", "%2E").encode()), ("base64", "percent")),
    "base64 wrapped": (lambda t: _lines(_b64(t.encode()).decode(), 76).encode(), ("base64",)),
    "utf-16le": (lambda t: t.encode("utf-16-le"), ("utf16",)),
    "utf-16be": (lambda t: t.encode("utf-16-be"), ("utf16",)),
    "utf-32le": (lambda t: t.encode("utf-32-le"), ("utf32",)),
    "utf-32be": (lambda t: t.encode("utf-32-be"), ("utf32",)),
    "utf-16le of percent": (
        lambda t: t.replace(".", "%2E").encode("utf-16-le"),
        ("utf16", "percent"),
    ),
}
