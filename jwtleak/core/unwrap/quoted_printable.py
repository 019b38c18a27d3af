"""Quoted-printable (RFC 2045 section 6.7): `=2E` becomes `.`, a soft line break disappears.

Promises: `=XX` in either case becomes one byte; `=`, white space that a transport added, and a line
end disappear (rule 3 and 5). A `=` that is neither stays: base64 padding looks like that.
"""

from __future__ import annotations

import re

from jwtleak.core.lazy_regex import lazy
from jwtleak.core.unwrap.interface import WORD, View, rewrite

# 76 columns is the longest line (rule 5): more white space than that is no padding, and the bound
# keeps time linear.
_ESCAPES = lazy(rb"=(?:(?P<hex>[0-9A-Fa-f]{2}(?:=[0-9A-Fa-f]{2})*+)|[ \t]{0,76}+\r?\n)")


def _decode(match: re.Match[bytes]) -> bytes:
    run = match["hex"]
    # Without `hex` it is a soft line break, which encodes nothing (rule 5).
    return b"" if run is None else bytes.fromhex(run.replace(b"=", b"").decode("ascii"))


class QuotedPrintable:
    """Undoes `=XX` and soft line breaks."""

    name = "quoted_printable"
    # No blank: it would stretch each region over prose and delay the verdict, for padding that
    # transports rarely add.
    alphabet = WORD + b"\r\n"
    stops = b"="

    def unwrap(self, region: bytes) -> View | None:
        """`region` with each `=XX` as the byte it names and without soft line breaks."""
        return rewrite(region, _ESCAPES, _decode)
