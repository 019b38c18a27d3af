"""Line wrapping: a token that a mail, a terminal or a pretty-printer broke over lines.

Promises: each line break disappears with the indentation behind it; blanks elsewhere stay.
Refuses to guess which breaks are meant: the scanner believes a joined reading only when a whole token comes out.
"""

from __future__ import annotations

import re

from jwtleak.core.unwrap.interface import WORD, View, rewrite

# An alternative, not `\r?`, in front: `re` then skips to the next of two bytes instead of trying every place.
_BREAKS = re.compile(rb"(?:\r\n|\n)(?:[ \t]++|\r?\n)*+")


def _decode(match: re.Match[bytes]) -> bytes:
    return b""


class LineWrap:
    """Joins lines."""

    name = "line_wrap"
    alphabet = WORD + b"\r\n\t "
    stops = b"\r\n"

    def unwrap(self, region: bytes) -> View | None:
        """`region` as one line."""
        return rewrite(region, _BREAKS, _decode)
