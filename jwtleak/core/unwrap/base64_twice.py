"""Base64 of base64 of a token: how secrets pass the masking of CI logs (`env | base64 | base64`).

Promises: finds tokens whose header begins with `{"alg":`, `{"typ":` or `{"kid":`, in all nine
alignments of the two levels, in both alphabets, each level wrapped or not. It decodes the outer
level; `Base64` finds the needles of the inner one in the result. Nothing is decoded by chance: 12
characters of the inner level must be those of a header, which random base64 has once in 10**21
characters. Refuses other headers: `eyJ` alone is 3 to 5 characters after two levels, and occurs by
chance.

Which characters a text decides alone follows from its bits. At byte n of a group of three the text
has the bits from 8n to 8(n + length), and a character is six bits: ceil(8n / 6) is the first whole
one, floor(8(n + length) / 6) the first that is not. For `eyJ` twice, with the byte in the inner
level across and that in the outer level down:

        0: ZXlK    1: V5S    2: leU
    0   WlhsS      VjVT      bGVV
    1   pYbE       Y1U       xlV
    2   aWGxL      WNV       sZV

For `eyJhbGciOi` and the other two they are 15 to 17 characters in all nine alignments. The search
uses the short ones, which are nine instead of 27: beyond 32 needles the SIMD search reads half the
bytes at a time. What they hit is decoded and compared with the long form.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, b2a_base64

from jwtleak.core.lazy_regex import lazy
from jwtleak.core.unwrap.base64_ import LINE_BREAK, Base64, decode_units
from jwtleak.core.unwrap.interface import UnwrappedRegion

# Parts of the nine above. These parts, in this order, let the SIMD search stop least often in logs,
# source code and base64 (found by trying; see `anchors`).
_NEEDLES = (b"GVV", b"xlV", b"sZV", b"GxL", b"VjVT", b"lhsS", b"Y1U", b"YbE", b"WNV")
_HEADERS = (b"eyJhbGciOi", b"eyJ0eXAiOi", b"eyJraWQiOi")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_BREAKS = b"\r\n\t \\"


def decided(text: bytes, byte: int) -> tuple[int, bytes]:
    """How many characters of a group come before those that `text` alone decides in base64, and
    those characters. `text` begins at `byte` of a group of three.
    """
    first, last = -(-8 * byte // 6), 8 * (byte + len(text)) // 6
    encoded = b2a_base64(bytes(byte) + text + bytes(3), newline=False)
    return first, encoded[first:last]


def _places() -> dict[bytes, tuple[int, int, bytes]]:
    """For each needle: its distance from the beginning of its group, and the byte of the group's
    decoded text at which the characters of the inner level begin, and those.
    """
    places = {}
    for inner in (decided(b"eyJ", byte)[1] for byte in range(3)):
        for outer in range(3):
            into, literal = decided(inner, outer)
            # Exactly one: otherwise the table above and the needles disagree.
            (needle,) = [needle for needle in _NEEDLES if needle in literal]
            places[needle] = (into + literal.index(needle), outer, inner)
    return places


_PLACES = _places()
# A line break within a needle is not searched for: the payload, which begins with `eyJ` too, has
# another.
_PATTERNS = tuple(lazy(re.escape(needle)) for needle in _PLACES)
_PHASED = tuple((into, lazy(re.escape(needle))) for needle, (into, _, _) in _PLACES.items())
_INNER = tuple(decided(header, byte)[1] for header in _HEADERS for byte in range(3))


def _has_header(data: bytes) -> bool:
    """Whether `data`, of which lines may be wrapped, is base64 of one of the headers."""
    # The inner level may be wrapped too, and a break may be within the header.
    text = LINE_BREAK.sub(b"", data).translate(_URL_SAFE)
    return any(literal in text for literal in _INNER)


class Base64Twice:
    """Decodes the outer level of base64 of base64."""

    name = "base64 twice"
    alphabet = Base64.alphabet
    needles: tuple[bytes, ...] = _NEEDLES

    def plausible(self, probe: bytes, hit: int) -> bool:
        """Whether the two groups around the needle decode to `eyJ` in base64, or a break is among
        them.
        """
        needle = next((needle for needle in _NEEDLES if probe.startswith(needle, hit)), None)
        if needle is None:
            return False
        # Two groups are 8 characters, 6 decoded bytes: up to 2 of the group's and 4 of `eyJ`.
        into, outer, inner = _PLACES[needle]
        groups = probe[max(0, hit - into) : hit - into + 8].translate(_URL_SAFE, _BREAKS)
        if len(groups) < 8:
            return True  # wrapped here, or cut: too rare to be clever about
        try:
            return a2b_base64(groups).startswith(inner, outer)
        except Error:
            return False

    def unwrap_at(self, region: bytes, hit: int) -> UnwrappedRegion | None:
        """The readings of `region` that contain a header in base64. None when no needle is at
        `hit`: only then is the region not settled.
        """
        if not region.startswith(_NEEDLES, hit):
            return None
        return UnwrappedRegion("base64", decode_units(region, _PATTERNS, _PHASED, _has_header))
