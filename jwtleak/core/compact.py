"""Compact serialisation: from the first byte of a header to a judged token (RFC 7515 section 7.1, RFC 7516 section 7.1).

Promises: given where a header may begin, says which token stands there and where it ends, or why none does. Looks at
nothing before the header and at nothing after the token but the bytes that could continue it.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from jwtleak.core.judge import Headers, decode_object, is_clipped_header, jwe_integrity, signature_integrity
from jwtleak.secret import Secret
from jwtleak.types import Kind, Rejection, Token

Buffer = bytes | bytearray

# Up to five segments, each with its optional padding. Every repetition is possessive: linear on any input.
_SEGMENTS = re.compile(
    rb"([\w-]++)(?:={0,2}\.([\w-]*+)(?:={0,2}\.([\w-]*+)(?:={0,2}\.([\w-]*+)(?:={0,2}\.([\w-]*+))?)?)?)?"
)
# SD-JWT: disclosures between tildes, then perhaps a key-binding JWT (draft-ietf-oauth-selective-disclosure-jwt section 4).
_DISCLOSURES = re.compile(rb"~(?:[\w-]++~)*+(?:[\w-]++\.[\w-]++\.[\w-]++)?")


class Match(NamedTuple):
    """A judged token at [start, end) of the buffer it was found in. `stop` is the furthest offset that was looked at."""

    start: int
    end: int
    token: Token
    stop: int




def _padding(buffer: Buffer, start: int, end: int) -> int:
    """The end of a segment that reaches `end`, with the padding that its length asks for."""
    missing = -(end - start) % 4
    if 1 <= missing <= 2 and buffer[end : end + missing] == b"=" * missing:
        return end + missing
    return end


def match_at(buffer: Buffer, start: int, limit: int, headers: Headers) -> Match | Rejection:
    """The token whose header begins at `start`, looking no further than `limit`."""
    found = _SEGMENTS.match(buffer, start, limit)
    if found is None:
        return Rejection("bad_alphabet", start + 1)
    header = headers.decode(found[1])
    if header is None:
        if is_clipped_header(found[1]):
            return _token(buffer, start, found.end(1), found.end(), "jws", {}, None, "clipped", 0)
        return Rejection("header_not_json", found.end(1))
    if "enc" in header and isinstance(header["enc"], str):
        return _jwe(buffer, found, header)
    if header["alg"] in _NONE:
        return _unsecured(buffer, found, header)
    return _jws(buffer, found, header, limit)


# RFC 8725 section 2.1: attackers vary the case of `none`, and libraries have accepted it.
_NONE = frozenset({"none", "None", "NONE", "nOnE", "nonE", "noNe", "NonE", "NoNe"})


def _token(
    buffer: Buffer, start: int, end: int, stop: int, kind: Kind, header: dict[str, Any], claims: dict[str, Any] | None,
    integrity: Any, signature_length: int,
) -> Match:
    raw = Secret(bytes(buffer[start:end]))
    return Match(start, end, Token(kind, header, claims, integrity, signature_length, raw), stop)


def _jws(buffer: Buffer, found: re.Match[bytes], header: dict[str, Any], limit: int) -> Match:
    start, stop = found.start(), found.end()
    payload, signature = found[2], found[3]
    if not payload and not signature:
        return _token(buffer, start, found.end(1), stop, "jws", header, None, "clipped", 0)
    claims = decode_object(payload)
    if not signature:
        last = 2 if signature is None else 3
        return _token(buffer, start, found.end(last), stop, "jws", header, claims, "clipped", 0)
    kind: Kind = "jws" if payload else "detached"
    length = len(signature)
    integrity = signature_integrity(header["alg"], length)
    # Behind a signature that is cut, `=` is a soft line break or an escape rather than padding.
    end = found.end(3) if integrity == "clipped" else _padding(buffer, found.start(3), found.end(3))
    if buffer[end : end + 1] == b"~" and payload and end < limit:
        tail = _DISCLOSURES.match(buffer, end, limit)
        if tail is not None:
            kind, end, stop = "sd-jwt", tail.end(), max(stop, tail.end())
    return _token(buffer, start, end, max(stop, end), kind, header, claims, integrity, length)


def _unsecured(buffer: Buffer, found: re.Match[bytes], header: dict[str, Any]) -> Match:
    """`h.p.` and `h.p`; a signature that an attacker left behind belongs to the span (RFC 7519 section 6)."""
    start, stop = found.start(), found.end()
    if not found[2]:
        return _token(buffer, start, found.end(1), stop, "unsecured", header, None, "clipped", 0)
    claims = decode_object(found[2])
    # Without a signature to measure, claims that parse are the only sign that nothing is missing.
    integrity = "odd" if claims is None else "whole"
    last = 2 if found[3] is None else 3
    return _token(buffer, start, found.end(last), stop, "unsecured", header, claims, integrity, len(found[3] or b""))


def _jwe(buffer: Buffer, found: re.Match[bytes], header: dict[str, Any]) -> Match:
    start, stop = found.start(), found.end()
    if found[5] is None:
        # Not five parts: a JWS whose signer wrote `enc` into its header, or a JWE that was cut.
        claims = decode_object(found[2]) if found[2] else None
        if claims is not None:
            return _jws(buffer, found, header, stop)
        last = max(n for n in range(1, 5) if found[n])
        return _token(buffer, start, found.end(last), stop, "jwe", header, None, "clipped", 0)
    integrity = jwe_integrity(header["enc"], len(found[3]), len(found[4]), len(found[5]))
    end = _padding(buffer, found.start(5), found.end(5)) if integrity == "whole" else found.end(5)
    return _token(buffer, start, end, max(stop, end), "jwe", header, None, integrity, 0)
