r"""Anchors: a few literals, at least one of which is in every token; one SIMD search finds them.

Promises: `Anchors.next` returns the offsets of all needles in order. `header_starts` finds every
way of writing the opening brace before an `"alg"` needle (`{"`, `{ "`, `{\n`, `{\r\n`, `{\t`),
also behind characters that belong to something else (`ghs_123_eyJ`, `\neyJ`), because the alignment
of `"alg"` is that of the header. The needles:

- `eyJ` begins every header written without white space;
- `"alg"` in base64, in its three alignments, is in every header however it is written;
- those of each `RegionUnwrapper` (base64, base64 twice, UTF-16 and UTF-32) find tokens in which
  none of these is left.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import lru_cache

import ahocorasick_rs
import msgspec

from jwtleak.core.compact import Buffer
from jwtleak.core.lazy_regex import lazy
from jwtleak.core.unwrap import REGIONS, RegionUnwrapper
from jwtleak.core.unwrap.interface import ALG_NEEDLES, HEADER_NEEDLE


class Needle(msgspec.Struct, frozen=True):
    """A literal and what it announces.

    `role` is "header", "alg" or the name of `unwrapper`, which decodes the region around the
    needle. `phase` is, for "alg", how many characters before it a group of four begins.
    """

    literal: bytes
    role: str
    phase: int = 0
    unwrapper: RegionUnwrapper | None = None


# Beyond this many the search library reads half as many bytes at a time; beyond twice as many it
# goes byte by byte, at a tenth of the speed.
MAX_NEEDLES = 32

# The order is for speed. The search library sorts needles into eight groups by their index in this
# tuple, and tests the half bytes of a group together: a byte passes that joins halves of two
# needles. In another order, needles with NUL bytes would stop the search at hexadecimal digits, or
# those of base64 twice in source code.
NEEDLES = (
    Needle(HEADER_NEEDLE, "header"),
    *(Needle(literal, "alg", phase) for literal, phase in ALG_NEEDLES),
    *(
        Needle(literal, unwrapper.name, unwrapper=unwrapper)
        for unwrapper in REGIONS
        for literal in unwrapper.needles
    ),
)
_ROLES = tuple(dict.fromkeys(needle.role for needle in NEEDLES))

# The length of the longest needle. So many bytes, less one, must stay in the buffer: a needle that
# the end of the buffer cuts is then found with the next bytes.
LONGEST = max(len(needle.literal) for needle in NEEDLES)
SHORTEST = min(len(needle.literal) for needle in NEEDLES)

# Bytes searched at once. A text made of needles alone gives a hit for every three bytes: 40,000
# tuples are 5 MB.
_WINDOW = 128 * 1024


_Hidden = dict[int, list[tuple[int, Needle]]]


def _hidden_in(literal: bytes) -> _Hidden:
    """The needles that can begin inside `literal`, each with its distance from the first byte of
    `literal`. The key is the byte behind `literal` that such a needle needs.
    """
    hidden: _Hidden = {}
    # No needle ends inside another or with it (a test checks that), so each has a byte behind.
    for behind in range(1, len(literal)):
        for other in NEEDLES:
            if other.literal.startswith(literal[behind:]):
                hidden.setdefault(other.literal[len(literal) - behind], []).append((behind, other))
    return hidden


@lru_cache
def _search() -> tuple[Callable[[memoryview], list[tuple[int, int, int]]], list[_Hidden]]:
    """The search for all needles, and for each needle those that it can hide: the matches of the
    search never overlap.
    """
    literals = [needle.literal for needle in NEEDLES]
    # Leftmost, not standard, which also finds overlaps: only then can the library test for all
    # literals at once, sixteen bytes at a time. The standard search was ten times slower.
    automaton = ahocorasick_rs.BytesAhoCorasick(
        literals, matchkind=ahocorasick_rs.MatchKind.LeftmostFirst
    )
    return automaton.find_matches_as_indexes, [_hidden_in(literal) for literal in literals]


class Anchors:
    """The places of needles in `buffer[start:end]`, in order."""

    def __init__(self, buffer: Buffer, start: int, end: int) -> None:
        self._view = memoryview(buffer)[:end]
        self._end = end
        self._settled = dict.fromkeys(_ROLES, 0)
        self._hits = self._walk(start)
        self._hit = next(self._hits, None)

    def _walk(self, start: int) -> Generator[tuple[int, Needle]]:
        view, end = self._view, self._end
        find, hidden = _search()
        for at in range(start, end, _WINDOW):
            # A needle belongs to the window in which it begins. The bytes behind the window only
            # complete a needle that begins at its end.
            for index, first, last in find(view[at : at + _WINDOW + LONGEST - 1]):
                if first >= _WINDOW:
                    break
                yield at + first, NEEDLES[index]
                # One byte rules out nearly all hidden needles before any text is compared.
                if at + last < end:
                    for behind, other in hidden[index].get(view[at + last], ()):
                        place = at + first + behind
                        if view[place : place + len(other.literal)] == other.literal:
                            yield place, other

    def next(self, start: int) -> tuple[int, Needle] | None:
        """The first needle at or after `start`, or None. `start` never goes back."""
        # A region covers the anchors in it: they are settled by role, since the needle of another
        # encoding at the same place may still find a token.
        hit = self._hit
        while hit is not None and (hit[0] < start or hit[0] < self._settled[hit[1].role]):
            hit = self._hit = next(self._hits, None)
        return hit

    def skip(self, role: str, to: int) -> None:
        """Settle the needles of `role` before `to`: `next` leaves them out."""
        if self._settled[role] < to:
            self._settled[role] = to

    def release(self) -> None:
        """Release the buffer, so that its owner may move bytes in it."""
        # A bytearray with a view cannot change its length. The generator ends with the view, which
        # it reads.
        self._hits.close()
        self._view.release()


BASE64URL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# `{"` is `eyJ` before a letter, `eyI` before a digit, sign or quote, `eyL` before other UTF-8.
_OPENINGS = lazy(rb"(?=ey[AIJL]|ew[o0k])")

_NEAR = 256

# Starts tried for a needle, the outermost first. A header holds few objects; more openings are an
# attack on time.
MAX_STARTS = 16


def run_before(buffer: Buffer, floor: int, place: int, alphabet: bytes = BASE64URL) -> int:
    """The offset at which the run of `alphabet` before `place` begins, not before `floor`."""
    # Most runs are short: 256 bytes are tried first, or a buffer full of anchors would be copied
    # whole for each of them.
    for reach in (_NEAR, place):
        start = max(floor, place - reach)
        begin = start + len(bytes(buffer[start:place]).rstrip(alphabet))
        if begin > start:
            break
    return begin


def header_starts(buffer: Buffer, floor: int, place: int, phase: int) -> Iterator[int]:
    """Offsets in [floor, place) where a header may begin whose `"alg"` is at `place`, `phase`
    characters behind the beginning of a group of four.
    """
    begin = run_before(buffer, floor, place)
    tried = 0
    # The opening may reach into `"alg"`: `eyJhbGci` is `eyJ` and `JhbGci`.
    for found in _OPENINGS.finditer(buffer, begin, place - phase + 3):
        # Only an opening that begins a group of four decodes to a brace; the others are chance.
        if (place - phase - found.start()) % 4 == 0:
            yield found.start()
            tried += 1
            if tried == MAX_STARTS:
                return
