"""Percent-encoding (RFC 3986 section 2.1): `%2E` becomes `.`.

Promises: each `%XX`, in either case, becomes one byte; one level only, so that `%252E` becomes
`%2E`. A `%` that no two hexadecimal digits follow stays. Refuses `+` for a space: no token holds
one.
"""

from __future__ import annotations

import re

from jwtleak.core.lazy_regex import lazy
from jwtleak.core.unwrap.interface import WORD, View, rewrite

# Possessive: the expression never backtracks into a run, however long. It begins with a literal,
# for which `re` has a fast search.
_ESCAPES = lazy(rb"%[0-9A-Fa-f]{2}(?:%[0-9A-Fa-f]{2})*+")


def _decode(match: re.Match[bytes]) -> bytes:
    # Bytes, not characters: above 0x7F they are parts of UTF-8, and no token has them.
    return bytes.fromhex(match[0].replace(b"%", b"").decode("ascii"))


class Percent:
    """Undoes `%XX`."""

    name = "percent"
    alphabet = WORD + b"%"
    stops = b"%"

    def unwrap(self, region: bytes) -> View | None:
        """`region` with each `%XX` as the byte it names."""
        return rewrite(region, _ESCAPES, _decode)
