"""JOSE headers, claims and signatures: decoding decides what is a token (RFC 7515 section 3,
RFC 7516 section 3, RFC 7519 section 7.2).

Promises: a header is a base64url JSON object with a string `alg`, whatever else it looks like.
Never raises on any bytes. Caches recent headers, since a log repeats a handful of them millions of
times.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import Any

import msgspec

from jwtleak.types import Integrity

_URLSAFE = bytes.maketrans(b"-_", b"+/")

_INT64 = float(1 << 63)
_SCALARS = frozenset({str, int, bool, type(None)})

# Levels of objects and arrays in a header or claims set. Real ones stay under ten; code that walks
# them may recurse, and Python allows a thousand calls.
MAX_DEPTH = 900

# Signature lengths in base64url characters (RFC 7518 section 3.1, RFC 8037, RFC 8812, FIPS 204
# parameter sets). RSA: moduli of 1024 (still met), 2048, 3072, 4096 and 8192 bits.
_RSA = frozenset({171, 342, 512, 683, 1366})
_SIGNATURE_LENGTHS: dict[str, frozenset[int]] = {
    "HS256": frozenset({43}),
    "HS384": frozenset({64}),
    "HS512": frozenset({86}),
    "ES256": frozenset({86}),
    "ES256K": frozenset({86}),
    "ES384": frozenset({128}),
    "ES512": frozenset({176}),
    "EdDSA": frozenset({86, 152}),
    "Ed25519": frozenset({86}),
    "Ed448": frozenset({152}),
    "ML-DSA-44": frozenset({3227}),
    "ML-DSA-65": frozenset({4412}),
    "ML-DSA-87": frozenset({6170}),
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), _RSA),
}

# Characters of (initialisation vector, authentication tag) for each `enc` (RFC 7518 section 5.1).
_JWE_LENGTHS: dict[str, tuple[int, int]] = {
    "A128GCM": (16, 22),
    "A192GCM": (16, 22),
    "A256GCM": (16, 22),
    "C20P": (16, 22),
    "XC20P": (32, 22),
    "A128CBC-HS256": (22, 22),
    "A192CBC-HS384": (22, 32),
    "A256CBC-HS512": (22, 43),
}

# How a header that people or machines wrote begins; base64url of these is `eyJ`, `eyA`, `ewo`,
# `ew0`, `ewk`.
_OBJECT_STARTS = (b'{"', b'{ "', b"{\n", b"{\r\n", b"{\t")

# Headers kept decoded: a busy host has tens of keys. Cleared when full, so memory is at most 1024 x
# (1 KiB + its dict).
_CACHE_ENTRIES = 1024
_CACHE_KEY_BYTES = 1024


def decode_segment(segment: bytes) -> bytes | None:
    """The bytes behind a base64url segment, padded or not; None where its length cannot be one (RFC
    4648 section 5).
    """
    try:
        return binascii.a2b_base64(segment.translate(_URLSAFE) + b"==")
    except binascii.Error:
        return None


def _lenient_object(data: bytes) -> dict[str, Any] | None:
    """Read what a strict parser refuses but token libraries accept: lone surrogates, NaN, raw
    control characters, a BOM.
    """
    import json  # one header in a million comes here

    try:
        value = json.loads(data.decode("utf-8-sig", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _first_load(data: bytes) -> Any:
    """Load orjson and its `loads` for good. It brings `json`, `uuid`, `zoneinfo` and `dataclasses`
    along, and a scan that meets no header needs none of them.
    """
    global _loads
    import orjson

    _loads = orjson.loads
    return _loads(data)


_loads: Callable[[bytes], Any] = _first_load


def _is_exact(value: dict[str, Any]) -> bool | None:
    """Whether orjson kept every number of `value`; None where it nests deeper than MAX_DEPTH.

    orjson reads an integer beyond 64 bits as a float. `exp` and the rest are compared as they are
    written, so such an object is read again by a parser that keeps it.
    """
    if _SCALARS.issuperset(map(type, value.values())):
        return True  # nearly every header, and half of all claims
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        deeper: list[Any] = []
        for item in level:
            for member in item.values() if type(item) is dict else item:
                kind = type(member)
                if kind is dict or kind is list:
                    deeper.append(member)
                elif kind is float and not -_INT64 < member < _INT64:
                    return False
        if not deeper:
            return True
        level = deeper
    return None


def decode_object(segment: bytes) -> dict[str, Any] | None:
    """The JSON object in a base64url segment, or None."""
    data = decode_segment(segment)
    if data is None or b"{" not in data[:8]:
        return None
    try:
        value = _loads(data)
    except ValueError:
        return _lenient_object(data)
    if type(value) is not dict:
        return None
    exact = _is_exact(value)
    return value if exact else None if exact is None else _lenient_object(data)


def is_clipped_header(segment: bytes) -> bool:
    """Whether `segment` is the beginning of a header that was cut or masked, as in `eyJhbGci...`.

    True for readable text that begins as a JSON object, names `alg`, and is not closed.
    """
    data = decode_segment(segment if len(segment) % 4 != 1 else segment[:-1])
    if data is None or not data.startswith(_OBJECT_STARTS) or b'"alg"' not in data:
        return False
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if error.end < len(data):
            return False
        text = data[: error.start].decode()
    return text.isprintable() and not text.endswith("}")


class JoseHeader(msgspec.Struct, frozen=True):
    """A decoded header. `enc` is None except in a JWE."""

    fields: dict[str, Any]
    alg: str
    enc: str | None


class JoseHeaders:
    """Decodes JOSE headers. Caches them, valid or not."""

    def __init__(self) -> None:
        self._decoded: dict[bytes, JoseHeader | None] = {}

    def __len__(self) -> int:
        """How many headers are cached."""
        return len(self._decoded)

    def decode(self, segment: bytes) -> JoseHeader | None:
        """The header in `segment`: a JSON object with a string `alg`; None if it is none."""
        decoded = self._decoded
        if segment in decoded:
            return decoded[segment]
        header = _header(decode_object(segment))
        if len(segment) <= _CACHE_KEY_BYTES:
            if len(decoded) >= _CACHE_ENTRIES:
                decoded.clear()
            decoded[segment] = header
        return header


def _header(fields: dict[str, Any] | None) -> JoseHeader | None:
    if fields is None or not isinstance(fields.get("alg"), str):
        return None
    enc = fields.get("enc")
    return JoseHeader(fields, fields["alg"], enc if isinstance(enc, str) else None)


def signature_integrity(alg: str, length: int) -> Integrity:
    """Whether `alg` makes signatures of `length` base64url characters; `odd` for an unknown
    algorithm.
    """
    lengths = _SIGNATURE_LENGTHS.get(alg)
    if lengths is None:
        return "odd" if length else "clipped"
    return "whole" if length in lengths else "clipped"


def jwe_integrity(enc: str, iv: int, ciphertext: int, tag: int) -> Integrity:
    """Whether the last three of five parts have the lengths that `enc` gives, in base64url
    characters; `odd` if not.
    """
    return "whole" if _JWE_LENGTHS.get(enc) == (iv, tag) and ciphertext else "odd"
