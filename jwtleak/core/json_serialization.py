"""JSON serialisation of JWS and JWE, flattened and general (RFC 7515 section 7.2, RFC 7516 section
7.2).

Promises: finds the JSON object around a base64url header that has the other parts, and judges it as
its compact form. The span is the whole object. Refuses objects with an unprotected header only:
nothing in them could be decoded to decide.
"""

from __future__ import annotations

from typing import Any

from jwtleak.core.compact import Buffer
from jwtleak.core.jose import decode_object, jwe_integrity, signature_integrity
from jwtleak.core.lazy_regex import lazy
from jwtleak.core.matches import TokenMatch
from jwtleak.secret import Secret
from jwtleak.types import MAX_TOKEN, Token

_KEY = lazy(rb'"protected"\s{0,8}:\s{0,8}"\Z')
# Bytes of "protected", a colon, quotes and the white space above.
_KEY_BYTES = 40

# Enclosing braces tried, from the inside out: a general serialisation nests three deep, and the
# headers of each signature add a few siblings.
_MAX_BRACES = 12
# Bytes from a brace that are decoded, one reach after another: most objects are small, and hostile
# text must not be decoded whole for each of its braces.
_REACHES = (2048, 16 * 1024, 2 * MAX_TOKEN)


def is_protected_value(buffer: Buffer, start: int) -> bool:
    """Whether the text at `start` is the value of a `protected` member."""
    return (
        buffer[start - 1 : start] == b'"'
        and _KEY.search(buffer[max(0, start - _KEY_BYTES) : start]) is not None
    )


def match_object(
    buffer: Buffer, header_start: int, header: dict[str, Any], floor: int, limit: int
) -> TokenMatch | None:
    """The serialised JWS or JWE around the header at `header_start`, within [floor, limit), or
    None.
    """
    brace = header_start
    protected = _string_at(buffer, header_start, limit)
    for _ in range(_MAX_BRACES):
        brace = buffer.rfind(b"{", floor, brace)
        if brace < 0:
            return None
        value, length = _object_at(buffer, brace, limit)
        # An object that closes before the header is a sibling, such as the unprotected header.
        if brace + length <= header_start:
            continue
        # The innermost object of a general serialisation is one signature: it has no payload, and
        # the search goes on outwards.
        match = _judge(value, protected, header, brace, brace + length)
        if match is not None:
            return match
    return None


def _object_at(buffer: Buffer, brace: int, limit: int) -> tuple[dict[str, Any], int]:
    """The JSON object at `brace` and its length; an empty one and 0 where there is none."""
    import json  # loaded here: few logs contain this serialisation

    for reach in _REACHES:
        # Latin-1: one character for each byte, so that lengths are those of the original bytes.
        text = buffer[brace : min(limit, brace + reach)].decode("latin-1")
        try:
            return json.JSONDecoder().raw_decode(text)
        except json.JSONDecodeError as error:
            # More text helps only where the error is that the text ended.
            if len(text) < reach or not (
                error.pos >= len(text) - 1 or error.msg.startswith("Unterminated")
            ):
                break
        except (ValueError, RecursionError):
            break
    return {}, 0


def _string_at(buffer: Buffer, start: int, limit: int) -> str:
    end = buffer.find(b'"', start, limit)
    return buffer[start : max(start, end)].decode("latin-1")


def _text(value: dict[str, Any], key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""


def _judge(
    value: dict[str, Any], protected: str, header: dict[str, Any], start: int, end: int
) -> TokenMatch | None:
    if isinstance(value.get("ciphertext"), str):
        parts = [
            protected,
            *(_text(value, key) for key in ("encrypted_key", "iv", "ciphertext", "tag")),
        ]
        sealed = jwe_integrity(str(header.get("enc")), len(parts[2]), len(parts[3]), len(parts[4]))
        # The compact form of the same JWE, so that both have one fingerprint.
        raw = Secret(".".join(parts).encode("latin-1", "replace"))
        return TokenMatch(start, end, Token("jwe", header, None, sealed, 0, raw), end)
    # Without a signature for this header, it is one object of several: a larger one has it.
    signature = _signature(value, protected)
    if signature is None:
        return None
    payload = _text(value, "payload")
    claims = decode_object(payload.encode("latin-1", "replace")) if payload else None
    raw = Secret(f"{protected}.{payload}.{signature}".encode("latin-1", "replace"))
    integrity = signature_integrity(header["alg"], len(signature))
    token = Token("jws" if payload else "detached", header, claims, integrity, len(signature), raw)
    return TokenMatch(start, end, token, end)


def _signature(value: dict[str, Any], protected: str) -> str | None:
    """The signature that belongs to this header; None where `value` is only a part of the
    serialisation.
    """
    # General (RFC 7515 section 7.2.1): each signature has a protected header of its own.
    several = value.get("signatures")
    if isinstance(several, list):
        own = (
            signature
            for signature in several
            if isinstance(signature, dict) and signature.get("protected") == protected
        )
        return _text(next(own, {}), "signature")
    # Flattened (section 7.2.2). Without a payload it is a member of `signatures`.
    return _text(value, "signature") if "signature" in value and "payload" in value else None
