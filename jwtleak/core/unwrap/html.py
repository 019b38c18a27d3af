"""Character references of HTML (WHATWG HTML section 13.5) and XML: `&#46;`, `&#x2E;`, `&period;`.

Promises: each reference becomes one byte, `?` for a character above 0x7f (no token holds one). One
level only: `&amp;#46;` becomes `&#46;`. Refuses references without their semicolon and unknown
names: they stay.
"""

from __future__ import annotations

import re
from functools import lru_cache

from jwtleak.core.lazy_regex import lazy
from jwtleak.core.unwrap.interface import WORD, View, rewrite

# At most 11 bytes: encoders pad numbers to 7 digits at most; names that they write for ASCII have 8
# letters at most.
_ESCAPES = lazy(
    rb"&(?:#(?P<dec>[0-9]{1,7})|#[xX](?P<hex>[0-9A-Fa-f]{1,7})|(?P<name>[A-Za-z]{2,8}));"
)


@lru_cache(maxsize=1)
def _names() -> dict[bytes, str]:
    from html.entities import html5  # 2,231 names, which few logs ask for

    # U+2010, but encoders that name their characters mean the ASCII hyphen by it.
    hyphens = {b"hyphen": "-", b"dash": "-"}
    return {
        name[:-1].encode(): value for name, value in html5.items() if name.endswith(";")
    } | hyphens


def _decode(match: re.Match[bytes]) -> bytes | None:
    if match["name"] is not None:
        text = _names().get(match["name"])
        if text is None:
            return None
        code = ord(text[0])
    else:
        code = int(match["dec"]) if match["dec"] is not None else int(match["hex"], 16)
    return bytes((code,)) if code < 0x80 else b"?"


class Html:
    """Undoes character references."""

    name = "html"
    alphabet = WORD + b"&#;"
    stops = b"&"

    def unwrap(self, region: bytes) -> View | None:
        """`region` with each reference as the character it names."""
        return rewrite(region, _ESCAPES, _decode)
