"""Compact serialisation: from the first byte of a header to a token (RFC 7515 section 7.1, RFC 7516
section 7.1).

Promises: for an offset at which a header may begin, the token there and its end, or the reason why
there is none. Refuses to read anything before the header, or anything behind the token except the
bytes that could continue it.
"""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import msgspec

from jwtleak.core.jose import (
    JoseHeader,
    JoseHeaders,
    decode_object,
    is_clipped_header,
    jwe_integrity,
    signature_integrity,
)
from jwtleak.core.lazy_regex import lazy
from jwtleak.core.matches import TokenMatch
from jwtleak.secret import Secret
from jwtleak.types import Integrity, Kind, Rejection, Token

Buffer = bytes | bytearray

# Up to five segments, each with its optional padding. Every repetition is possessive: linear on any
# input.
_SEGMENTS = lazy(
    rb"([\w-]++)(?:={0,2}\.([\w-]*+)(?:={0,2}\.([\w-]*+)"
    rb"(?:={0,2}\.([\w-]*+)(?:={0,2}\.([\w-]*+))?)?)?)?"
)
# SD-JWT: disclosures between tildes, then perhaps a key-binding JWT
# (draft-ietf-oauth-selective-disclosure-jwt section 4).
_DISCLOSURES = lazy(rb"~(?:[\w-]++~)*+(?:[\w-]++\.[\w-]++\.[\w-]++)?")
# The beginning of a further disclosure or key-binding JWT, which more bytes could complete.
_BEGUN = lazy(rb"[\w-]*+(?:\.[\w-]*+){0,2}")


def _padding(buffer: Buffer, start: int, end: int, limit: int) -> int:
    """The end of a segment that reaches `end`, including the padding that its length requires, if
    that is there before `limit`.
    """
    missing = -(end - start) % 4
    if 1 <= missing <= min(2, limit - end) and buffer[end : end + missing] == b"=" * missing:
        return end + missing
    return end


# Decoded tokens that are kept: a log repeats those of its last minutes. Cleared when full, so that
# memory is at most 512 x (2 KiB and its claims, which can be ten times that), 12 MB. The tokens of
# large identity providers stay below 2 KiB.
_TOKENS = 512
_LONGEST = 2048
# Padding or a disclosure may follow where the expression for the segments ends.
_CONTINUES = b"=~"


class _CachedToken(msgspec.Struct, frozen=True, gc=False):
    """A token and its length in the text, padding and disclosures included."""

    length: int
    token: Token


class Matcher:
    """Matches a token at an offset. Caches decoded headers (valid or not) and recently seen whole
    tokens.
    """

    def __init__(self) -> None:
        self._headers = JoseHeaders()
        self._tokens: dict[bytes, _CachedToken] = {}

    def at(self, buffer: Buffer, start: int, limit: int) -> TokenMatch | Rejection:
        """The token whose header begins at `start` and that ends before `limit`, or a rejection."""
        # One expression for all kinds: how many segments there are decides later what it is.
        found = _SEGMENTS.match(buffer, start, limit)
        if found is None:
            return Rejection("bad_alphabet", start + 1)
        # Long texts are neither copied nor cached: one of 64 KiB would push out thirty others.
        stop = found.end()
        if stop - start > _LONGEST:
            return _judged(buffer, found, self._headers)
        text = found[0]
        cached = self._tokens.get(text)
        # The key is the text of the segments only: behind them, padding or disclosures could make
        # another token of the same segments.
        if cached is not None and (stop == len(buffer) or buffer[stop] not in _CONTINUES):
            return TokenMatch(start, start + cached.length, cached.token, stop)
        match = _judged(buffer, found, self._headers)
        # Only tokens with claims: those without may be clipped by what follows, and cost little.
        if isinstance(match, TokenMatch) and match.stop == stop and match.token.claims is not None:
            if len(self._tokens) >= _TOKENS:
                self._tokens.clear()
            self._tokens[text] = _CachedToken(match.end - start, match.token)
        return match


def _judged(buffer: Buffer, found: re.Match[bytes], headers: JoseHeaders) -> TokenMatch | Rejection:
    header = headers.decode(found[1])
    if header is None:
        # A logger cut or masked the header: `eyJhbGci...`. It is reported, since a token was there.
        if is_clipped_header(found[1]):
            return _match(buffer, found, found.end(1), "jws", {}, None, "clipped", 0)
        return Rejection("header_not_json", found.end(1))
    # `enc` before `alg`: a JWE's `alg` says how its key is wrapped, and may be anything.
    if header.enc is not None:
        return _jwe(buffer, found, header, header.enc)
    if header.alg in _NONE:
        return _unsecured(buffer, found, header)
    return _jws(buffer, found, header)


# RFC 8725 section 2.1: attackers vary the case of `none`, and libraries have accepted it.
_NONE = frozenset("".join(letters) for letters in product("nN", "oO", "nN", "eE"))


def _match(
    buffer: Buffer,
    found: re.Match[bytes],
    end: int,
    kind: Kind,
    fields: dict[str, Any],
    claims: dict[str, Any] | None,
    integrity: Integrity,
    signature_length: int,
    *,
    stop: int = 0,
) -> TokenMatch:
    start = found.start()
    # The match already has a copy of its text; most tokens are exactly that.
    raw = Secret(found[0] if end == found.end() else bytes(buffer[start:end]))
    token = Token(kind, fields, claims, integrity, signature_length, raw)
    return TokenMatch(start, end, token, max(end, stop, found.end()))


def _jws(buffer: Buffer, found: re.Match[bytes], header: JoseHeader) -> TokenMatch:
    payload, signature = found[2], found[3]
    if not signature:
        # `h..` is no more than the header. `h.p.` has a signature, which is empty.
        last = 1 if not payload else 2 if signature is None else 3
        claims = decode_object(payload) if payload else None
        return _match(buffer, found, found.end(last), "jws", header.fields, claims, "clipped", 0)
    length = len(signature)
    integrity = signature_integrity(header.alg, length)
    # Behind a clipped signature, `=` is more likely a soft line break or an escape than padding.
    end = found.end(3)
    # A whole signature may be padded, though RFC 7515 forbids it: some encoders do.
    if length % 4 and integrity != "clipped":
        end = _padding(buffer, end - length, end, found.endpos)
    if not payload:
        return _match(buffer, found, end, "detached", header.fields, None, integrity, length)
    kind: Kind = "jws"
    stop = end
    if buffer[end : end + 1] == b"~":
        # Up to the last whole disclosure; a further one that has begun keeps the token waiting.
        tail = _DISCLOSURES.match(buffer, end, found.endpos)
        if tail is not None:
            kind, end = "sd-jwt", tail.end()
            begun = _BEGUN.match(buffer, end, found.endpos)
            stop = begun.end() if begun else end
    return _match(
        buffer,
        found,
        end,
        kind,
        header.fields,
        decode_object(payload),
        integrity,
        length,
        stop=stop,
    )


def _unsecured(buffer: Buffer, found: re.Match[bytes], header: JoseHeader) -> TokenMatch:
    """`h.p.` and `h.p`; a signature that an attacker left behind belongs to the span (RFC 7519
    section 6).
    """
    if not found[2]:
        return _match(buffer, found, found.end(1), "unsecured", header.fields, None, "clipped", 0)
    claims = decode_object(found[2])
    # There is no signature to measure: claims that parse are the only sign that nothing is missing.
    integrity: Integrity = "odd" if claims is None else "whole"
    last = 2 if found[3] is None else 3
    return _match(
        buffer,
        found,
        found.end(last),
        "unsecured",
        header.fields,
        claims,
        integrity,
        len(found[3] or b""),
    )


def _jwe(buffer: Buffer, found: re.Match[bytes], header: JoseHeader, enc: str) -> TokenMatch:
    # Three dots in a row are an ellipsis.
    if found[5] is None or not (found[3] or found[4] or found[5]):
        # Not five parts: a JWS whose signer wrote `enc` into its header, or a JWE that was cut.
        if found[2] and decode_object(found[2]) is not None:
            return _jws(buffer, found, header)
        last = max(n for n in range(1, 5) if found[n])
        return _match(buffer, found, found.end(last), "jwe", header.fields, None, "clipped", 0)
    # The initialisation vector and the tag have lengths that `enc` fixes; the key has none.
    integrity = jwe_integrity(enc, len(found[3]), len(found[4]), len(found[5]))
    end = (
        _padding(buffer, found.start(5), found.end(5), found.endpos)
        if integrity == "whole"
        else found.end(5)
    )
    return _match(buffer, found, end, "jwe", header.fields, None, integrity, 0)
