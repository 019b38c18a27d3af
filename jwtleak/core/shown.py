"""Text as it may be shown: a name, a path, a message or a claim can hold a token too.

Promises: a token in a text, plain or encoded, is replaced as in an excerpt, and what is left of one is masked; text
without one stays as it is, and costs next to nothing.
"""

from __future__ import annotations

from functools import lru_cache

from jwtleak.core.anchors import PLAIN
from jwtleak.core.fingerprint import token_sha256
from jwtleak.core.sanitize import mask
from jwtleak.core.scanner import Scanner

# A token cannot stand where none of these does. The wide needles are left out: what is shown holds no NUL.
_NEEDLES = tuple(needle.literal.decode("ascii") for needle in PLAIN)
_HEADER = "eyJ"


@lru_cache(maxsize=1)
def _scanner() -> Scanner:
    return Scanner()


def shown(text: str) -> str:
    """`text` with every token in it replaced by `[JWT ` and 8 hex of its SHA-256 and `]`."""
    if not any(needle in text for needle in _NEEDLES):
        return text
    data = text.encode("utf-8", "surrogatepass" if _lone(text) else "surrogateescape")
    parts, done = [], 0
    for leak in _scanner().scan(bytearray(data), 0, 0, len(data), final=True).leaks:
        name = token_sha256(leak.token.raw.reveal())[:8]
        parts += [data[done : leak.start], f"[JWT {name}]".encode("ascii")]
        done = leak.end
    clear = b"".join([*parts, data[done:]])
    if _HEADER.encode("ascii") in clear:
        clear = mask(clear)
    return clear.decode("utf-8", "surrogateescape")


def _lone(text: str) -> bool:
    """Whether `text` holds surrogates that no path does, but a claim may (`\\ud800`)."""
    return any("\ud800" <= sign <= "\udfff" and not "\udc80" <= sign <= "\udcff" for sign in text)
