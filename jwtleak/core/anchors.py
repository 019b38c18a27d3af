"""Anchors: the few literals of which at least one stands in every token, found by SIMD search.

Promises: `Anchors.next` gives the places of all needles in order; one search looks for all of them.
The needles:

- `eyJ` begins every header written without white space;
- `"alg"` in base64, in its three alignments, stands in every header however it is written;
- `eyJ` once more in base64, in its three alignments, finds tokens that something encoded;
- all of these with NUL bytes between them find UTF-16 and UTF-32.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import lru_cache

import ahocorasick_rs
import msgspec

from jwtleak.core.compact import Buffer
from jwtleak.core.lazy_regex import lazy


class Needle(msgspec.Struct, frozen=True):
    """A literal, what it announces, and (for `alg`) how many characters before it a group of four
    begins.
    """

    literal: bytes
    role: str  # "header" | "alg" | "base64" | "wide"
    phase: int = 0


def _spread(literal: bytes, width: int) -> bytes:
    return (b"\0" * (width - 1)).join(literal[n : n + 1] for n in range(len(literal)))


# `"alg"` begins at byte 0, 1 or 2 of a group of three; the first character that it decides alone is
# the 0th, 2nd or 3rd.
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

# The library sorts literals into eight groups by their number, and tests the half bytes of a whole
# group at once. In this order no needle with NUL bytes lends those to one that a text of
# hexadecimal digits would seem to meet ever after.
_NEEDLES = _WIDE + PLAIN

# The longest needle: what must stay in the buffer so that one cut by its end is seen whole with the
# next bytes.
LONGEST = max(len(needle.literal) for needle in _NEEDLES)
SHORTEST = min(len(needle.literal) for needle in _NEEDLES)

# Bytes searched at once. A text made of needles alone gives a hit for every three bytes: 40,000
# tuples are 5 MB.
_WINDOW = 128 * 1024


_Hidden = dict[int, list[tuple[int, Needle]]]


def _hidden_in(literal: bytes) -> _Hidden:
    """The needles that can begin inside `literal` and go on behind it, and how far behind its first
    byte, by the byte that follows `literal` then. None ends inside another, or with it.
    """
    hidden: _Hidden = {}
    for behind in range(1, len(literal)):
        for other in _NEEDLES:
            if other.literal.startswith(literal[behind:]):
                hidden.setdefault(other.literal[len(literal) - behind], []).append((behind, other))
    return hidden


@lru_cache
def _search() -> tuple[Callable[[memoryview], list[tuple[int, int, int]]], list[_Hidden]]:
    """One search for all needles, and for each what is hidden in it: the matches that it gives
    never overlap.
    """
    literals = [needle.literal for needle in _NEEDLES]
    # Leftmost, not standard: only then can the library test for all literals at once, sixteen bytes
    # at a time.
    automaton = ahocorasick_rs.BytesAhoCorasick(
        literals, matchkind=ahocorasick_rs.MatchKind.LeftmostFirst
    )
    return automaton.find_matches_as_indexes, [_hidden_in(literal) for literal in literals]


class Anchors:
    """The places of needles in `buffer[start:end]`, in order."""

    def __init__(self, buffer: Buffer, start: int, end: int) -> None:
        self._view = memoryview(buffer)[:end]
        self._end = end
        self._settled = dict.fromkeys(("header", "alg", "base64", "wide"), 0)
        self._hits = self._walk(start)
        self._hit = next(self._hits, None)

    def _walk(self, start: int) -> Generator[tuple[int, Needle]]:
        view, end = self._view, self._end
        find, hidden = _search()
        for at in range(start, end, _WINDOW):
            # A needle belongs to the window in which it begins.
            for index, first, last in find(view[at : at + _WINDOW + LONGEST - 1]):
                if first >= _WINDOW:
                    break
                yield at + first, _NEEDLES[index]
                if at + last < end:
                    for behind, other in hidden[index].get(view[at + last], ()):
                        place = at + first + behind
                        if view[place : place + len(other.literal)] == other.literal:
                            yield place, other

    def next(self, start: int) -> tuple[int, Needle] | None:
        """The first needle at or after `start`, or None. `start` never goes back."""
        hit = self._hit
        while hit is not None and (hit[0] < start or hit[0] < self._settled[hit[1].role]):
            hit = self._hit = next(self._hits, None)
        return hit

    def skip(self, role: str, to: int) -> None:
        """Needles of `role` before `to` are settled."""
        if self._settled[role] < to:
            self._settled[role] = to

    def release(self) -> None:
        """Let go of the buffer, so that its owner may move bytes in it."""
        self._hits.close()
        self._view.release()


# Where a header may begin, given a place where `"alg"` stands in base64.
#
# Promises: finds every way of writing the opening brace (`{"`, `{ "`, `{\n`, `{\r\n`, `{\t`), also
# after characters that belong to something else (`ghs_123_eyJ`, `\neyJ`), because the alignment of
# `"alg"` gives that of the header.

BASE64URL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# `{"` is `eyJ` before a letter, `eyI` before a digit, sign or quote, `eyL` before other UTF-8.
_OPENINGS = lazy(rb"(?=ey[AIJL]|ew[o0k])")

_NEAR = 256

# Starts tried in one run, the outermost first. A header holds few objects; more openings are an
# attack on time.
MAX_STARTS = 16


def run_before(buffer: Buffer, floor: int, place: int, alphabet: bytes = BASE64URL) -> int:
    """Where the run of `alphabet` that ends at `place` begins, not before `floor`."""
    # Most runs are short: look at a little first, so that a buffer full of them is not copied again
    # and again.
    for reach in (_NEAR, place):
        start = max(floor, place - reach)
        begin = start + len(bytes(buffer[start:place]).rstrip(alphabet))
        if begin > start:
            break
    return begin


def header_starts(buffer: Buffer, floor: int, place: int, phase: int) -> Iterator[int]:
    """Offsets in [floor, place) where a header may begin whose `"alg"` stands at `place`, `phase`
    past a group of four.
    """
    begin = run_before(buffer, floor, place)
    tried = 0
    # The opening may reach into `"alg"`: `eyJhbGci` is `eyJ` and `JhbGci`.
    for found in _OPENINGS.finditer(buffer, begin, place - phase + 3):
        if (place - phase - found.start()) % 4 == 0:
            yield found.start()
            tried += 1
            if tried == MAX_STARTS:
                return
