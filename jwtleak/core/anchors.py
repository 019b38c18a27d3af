"""Anchors: the few literals of which at least one stands in every token, found by SIMD search.

Promises: `Anchors.next` gives the places of all needles in order, each byte searched once per needle. The needles:

- `eyJ` begins every header written without white space;
- `"alg"` in base64, in its three alignments, stands in every header however it is written;
- `eyJ` once more in base64, in its three alignments, finds tokens that something encoded;
- all of these with NUL bytes between them find UTF-16 and UTF-32; they are tried only where a NUL stands.
"""

from __future__ import annotations

from typing import NamedTuple

import stringzilla

from jwtleak.core.compact import Buffer


class Needle(NamedTuple):
    """A literal, what it announces, and (for `alg`) how many characters before it a group of four begins."""

    literal: bytes
    role: str  # "header" | "alg" | "base64" | "wide"
    phase: int = 0


def _spread(literal: bytes, width: int) -> bytes:
    return (b"\0" * (width - 1)).join(literal[n : n + 1] for n in range(len(literal)))


# `"alg"` begins at byte 0, 1 or 2 of a group of three; the first character that it decides alone is the 0th, 2nd or 3rd.
_ALG = ((b"ImFsZ", 0), (b"JhbGci", 2), (b"iYWxn", 3))
_BASE64 = (b"ZXlK", b"V5S", b"leU")
PLAIN = (
    Needle(b"eyJ", "header"),
    *(Needle(literal, "alg", phase) for literal, phase in _ALG),
    *(Needle(literal, "base64") for literal in _BASE64),
)
_WIDE = tuple(
    Needle(_spread(literal, width), "wide")
    for width in (2, 4)
    for literal in (b"eyJ", *(one for one, _ in _ALG), *_BASE64)
)

_INDICES = {
    role: tuple(index for index, needle in enumerate(PLAIN + _WIDE) if needle.role == role)
    for role in ("header", "alg", "base64", "wide")
}

# The longest needle: what must stay in the buffer so that one cut by its end is seen whole with the next bytes.
LONGEST = max(len(needle.literal) for needle in PLAIN + _WIDE)

_find = stringzilla.find
_NOWHERE = 1 << 62


class Anchors:
    """The places of needles in `buffer[start:end]`, in order."""

    def __init__(self, buffer: Buffer, start: int, end: int) -> None:
        self._view = memoryview(buffer)[:end]
        self._needles = PLAIN
        if _find(self._view, b"\0", start) >= 0:
            self._needles = PLAIN + _WIDE
        self._places = [self._after(needle, start) for needle in self._needles]

    def _after(self, needle: Needle, start: int) -> int:
        place: int = _find(self._view, needle.literal, start)
        return place if place >= 0 else _NOWHERE

    def next(self, start: int) -> tuple[int, Needle] | None:
        """The first needle at or after `start`, or None. `start` never goes back."""
        places = self._places
        while True:
            place = min(places)
            if place == _NOWHERE:
                return None
            index = places.index(place)
            if place >= start:
                return place, self._needles[index]
            places[index] = self._after(self._needles[index], start)

    def skip(self, role: str, to: int) -> None:
        """Needles of `role` before `to` are settled."""
        places, needles = self._places, self._needles
        for index in _INDICES[role]:
            if index < len(places) and places[index] < to:
                places[index] = self._after(needles[index], to)

    def release(self) -> None:
        """Let go of the buffer, so that its owner may move bytes in it."""
        self._view.release()
