"""Where a header may begin, given a place where `"alg"` stands in base64.

Promises: finds every way of writing the opening brace (`{"`, `{ "`, `{\\n`, `{\\r\\n`, `{\\t`), also after characters that
belong to something else (`ghs_123_eyJ`, `\\neyJ`), because the alignment of `"alg"` gives that of the header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jwtleak.core.compact import Buffer

BASE64URL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_OPENINGS = re.compile(rb"(?=ey[JA]|ew[o0k])")

# Starts tried for one anchor, the outermost first. A header holds few objects; more openings are an attack on time.
_MAX_STARTS = 16


def run_before(buffer: Buffer, floor: int, place: int, alphabet: bytes = BASE64URL) -> int:
    """Where the run of `alphabet` that ends at `place` begins, not before `floor`."""
    window = bytes(buffer[floor:place])
    return floor + len(window.rstrip(alphabet))


def header_starts(buffer: Buffer, floor: int, place: int, phase: int) -> Iterator[int]:
    """Offsets in [floor, place) where a header may begin whose `"alg"` stands at `place`, `phase` past a group of four."""
    begin = run_before(buffer, floor, place)
    tried = 0
    for found in _OPENINGS.finditer(buffer, begin, place):
        if (place - phase - found.start()) % 4 == 0:
            yield found.start()
            tried += 1
            if tried == _MAX_STARTS:
                return
