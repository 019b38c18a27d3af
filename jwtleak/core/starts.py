"""Where a header may begin, given a place where `"alg"` stands in base64.

Promises: finds every way of writing the opening brace (`{"`, `{ "`, `{\\n`, `{\\r\\n`, `{\\t`), also after characters that
belong to something else (`ghs_123_eyJ`, `\\neyJ`), because the alignment of `"alg"` gives that of the header.
"""

from __future__ import annotations

from collections.abc import Iterator

from jwtleak.core.compact import Buffer
from jwtleak.core.lazy_regex import lazy

BASE64URL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# `{"` is `eyJ` before a letter, `eyI` before a digit, sign or quote, `eyL` before other UTF-8.
_OPENINGS = lazy(rb"(?=ey[AIJL]|ew[o0k])")

_NEAR = 256

# Starts tried in one run, the outermost first. A header holds few objects; more openings are an attack on time.
MAX_STARTS = 16


def run_before(buffer: Buffer, floor: int, place: int, alphabet: bytes = BASE64URL) -> int:
    """Where the run of `alphabet` that ends at `place` begins, not before `floor`."""
    # Most runs are short: look at a little first, so that a buffer full of them is not copied again and again.
    for reach in (_NEAR, place):
        start = max(floor, place - reach)
        begin = start + len(bytes(buffer[start:place]).rstrip(alphabet))
        if begin > start:
            break
    return begin


def header_starts(buffer: Buffer, floor: int, place: int, phase: int) -> Iterator[int]:
    """Offsets in [floor, place) where a header may begin whose `"alg"` stands at `place`, `phase` past a group of four."""
    begin = run_before(buffer, floor, place)
    tried = 0
    # The opening may reach into `"alg"`: `eyJhbGci` is `eyJ` and `JhbGci`.
    for found in _OPENINGS.finditer(buffer, begin, place - phase + 3):
        if (place - phase - found.start()) % 4 == 0:
            yield found.start()
            tried += 1
            if tried == MAX_STARTS:
                return
