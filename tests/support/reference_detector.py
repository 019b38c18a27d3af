"""A slow, obvious detector of plain compact tokens, written apart from the tool: each offset, `re`
and `json` alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from typing import Any

_SEGMENT = re.compile(rb"[A-Za-z0-9_-]*")
_RSA = {171, 342, 512, 683, 1366}
_LENGTHS = {
    "HS256": {43},
    "HS384": {64},
    "HS512": {86},
    "ES256": {86},
    "ES384": {128},
    "ES512": {176},
    "EdDSA": {86, 152},
}


def _object(segment: bytes) -> dict[str, Any] | None:
    try:
        text = base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
        value = json.loads(text)
    except (ValueError, binascii.Error, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _segments(data: bytes, start: int) -> list[tuple[int, int]]:
    """Up to five runs of base64url from `start` on, with dots between them."""
    found = []
    while len(found) < 5:
        end = _SEGMENT.match(data, start).end()  # type: ignore[union-attr]
        found.append((start, end))
        if data[end : end + 1] != b".":
            break
        start = end + 1
    return found


def _end(data: bytes, start: int) -> int | None:
    """Where the token that begins at `start` ends, or None."""
    segments = _segments(data, start)
    header = _object(data[slice(*segments[0])])
    if header is None or not isinstance(header.get("alg"), str) or len(segments) < 2:
        return None
    if isinstance(header.get("enc"), str):
        return segments[4][1] if len(segments) == 5 else None
    payload = data[slice(*segments[1])]
    if header["alg"].lower() == "none":
        return (segments[2] if len(segments) > 2 else segments[1])[1] if payload else None
    if len(segments) < 3:
        return None
    length = segments[2][1] - segments[2][0]
    whole = length in _LENGTHS.get(header["alg"], _RSA)
    return segments[2][1] if whole else None


def plain_tokens(data: bytes) -> list[tuple[int, int, str]]:
    """(offset, length, SHA-256) of every token of the right lengths, the first of those that
    overlap.
    """
    found = []
    at = 0
    while at < len(data):
        end = _end(data, at) if data[at : at + 1] == b"e" else None
        if end is None:
            at += 1
            continue
        found.append((at, end - at, hashlib.sha256(data[at:end]).hexdigest()))
        at = end
    return found
