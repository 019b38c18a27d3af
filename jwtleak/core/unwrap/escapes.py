r"""Backslash escapes of JSON (RFC 8259 section 7) and of the loggers near it: `\u002e`, `\x2E`
(nginx), `\/`, `\"`.

Promises: one level each time, left to right, so that `\\u002e` becomes `\u002e`; each escape
becomes one byte, `?` for a character above 0x7f (no token holds one). Punctuation behind a
backslash (`\_` of Markdown, `\.`, `\=`) loses it. Refuses octal and other escapes: they stay as
they are.
"""

from __future__ import annotations

import re

from jwtleak.core.lazy_regex import lazy
from jwtleak.core.unwrap.interface import WORD, View, rewrite

_SHORT_ESCAPE = rb"""[\\"'/bfnrt_.=~&%:+,;@?#<>(){}\[\]*!|^`$-]"""
_ESCAPES = lazy(
    rb"\\(?:(?P<u>u[0-9A-Fa-f]{4}(?:\\u[0-9A-Fa-f]{4})*+)"
    rb"|(?P<x>x[0-9A-Fa-f]{2}(?:\\x[0-9A-Fa-f]{2})*+)|"
    + _SHORT_ESCAPE
    + rb"(?:\\"
    + _SHORT_ESCAPE
    + rb")*+)"
)
_SHORT = bytes.maketrans(b"bfnrt", b"\b\f\n\r\t")


def _decode(match: re.Match[bytes]) -> bytes:
    run = match[0]
    # A run is of one width (see `rewrite`), so each branch decodes all of it at once.
    if match["u"] is not None:
        utf16 = bytes.fromhex(run.replace(b"\\u", b"").decode("ascii"))
        # By bytes and not as UTF-16: half of a surrogate pair is no character, and each escape must
        # become one byte for the map to hold.
        high, low = utf16[::2], utf16[1::2]
        if high.count(0) == len(high) and low.isascii():
            return low
        return bytes(
            byte if not page and byte < 0x80 else 0x3F for page, byte in zip(high, low, strict=True)
        )
    if match["x"] is not None:
        return bytes.fromhex(run.replace(b"\\x", b"").decode("ascii"))
    return run[1::2].translate(_SHORT)


class Escapes:
    r"""Undoes `\uXXXX`, `\xXX` and `\c`."""

    name = "json"
    # An escape's letters and digits are base64url already. The rest is what a JSON serialisation
    # (RFC 7515 section 7.2) inside a JSON string is written with; no line end, so that a region is
    # at most the rest of a line.
    alphabet = WORD + b'\\/"{}[]:, '
    stops = b"\\"

    def unwrap(self, region: bytes) -> View | None:
        """`region` with one level of backslashes less."""
        return rewrite(region, _ESCAPES, _decode)
