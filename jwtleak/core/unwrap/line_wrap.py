"""Line wrapping: a token that a mail, a terminal or a pretty-printer broke over lines.

Promises: each line break is removed together with the indentation behind it; blanks elsewhere stay.
The break behind a last, shorter line stays, so that the next line of a log, which may begin like
base64url, does not become part of a token. Refuses to guess further which breaks are wrapping: the
scanner accepts a joined reading only when it is a whole token.
"""

from __future__ import annotations

import re

from jwtleak.core.lazy_regex import lazy
from jwtleak.core.unwrap.interface import WORD, View, rewrite

# An alternative, not `\r?`, in front: `re` then skips to the next of two bytes instead of trying
# every place.
_BREAKS = lazy(rb"(?:\r\n|\n)(?:[ \t]++|\r?\n)*+")


class _Joiner:
    """Decides which breaks to remove, one after another.

    A line shorter than the one it continues is the last wrapped line, unless a segment ends there.
    So is a longer line behind one that ends with a dot: where each segment has its own line, no
    width says which is the last.

        eyJhbGciOiJIUzI1NiJ9.eyJzdWIi    width 29, joined
        OiIxMjM0NTY3ODkwIn0.dozjgNryP    width 29, joined
        4J3jVmNHl0w5N                    shorter: joined to the line before, and the last
        2026-11-23T10:15:30Z GET /       not joined
    """

    def __init__(self) -> None:
        self._begin = 0  # where the line begins, behind its indentation
        self._indented = 0  # width of that indentation
        self._dotted = False  # whether the line before ends with a dot
        # Of the line before, where this one continues it: width of its last word, of all of it.
        self._widths = (0, 0)

    def __call__(self, match: re.Match[bytes]) -> bytes | None:
        region, (start, end) = match.string, match.span()
        line = region[self._begin : start]
        # Text before a token on its first line was not wrapped with it, so the width of the last
        # word counts as well. A width that is too small only joins more.
        word = max(line.rfind(b" ") + 1, line.rfind(b"=") + 1, line.find(b"eyJ"))
        widths = (len(line) - word, self._indented + len(line))
        last = widths[0] < self._widths[0] and widths[1] < self._widths[1]
        last = last or (self._dotted and widths[1] > self._widths[1])
        joined = not last or line.endswith(b".") or region.startswith(b".", end)
        self._widths = widths if joined else (0, 0)
        self._dotted = joined and line.endswith(b".")
        self._begin, self._indented = end, end - region.rfind(b"\n", start, end) - 1
        return b"" if joined else None


class LineWrap:
    """Joins lines."""

    name = "line_wrap"
    alphabet = WORD + b"\r\n\t "
    stops = b"\r\n"

    def unwrap(self, region: bytes) -> View | None:
        """`region` without the line breaks that wrapping added."""
        return rewrite(region, _BREAKS, _Joiner())
