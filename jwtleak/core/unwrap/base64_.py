"""Base64 (RFC 4648 sections 4 and 5): of a token, or of text around one.

Promises: every unit of the region that may hold a token is decoded, so one call settles the region;
both alphabets, with or without padding, wrapped or not; the map is exact where line breaks stand
inside. Time is linear in the region. Refuses wrapping wider than WIDEST, breaks closer than DENSEST
on the average, and to join lines of lengths that no encoder writes: a list of tokens, one a line,
must not run together.

`eyJ` (65 79 4A) in base64 depends on the byte of the group of three at which it begins:

- 0: `ZXlK`.
- 1: [x e y][J n .]: `e` leaves 6 to the second character, x two bits: 0b..0110 is one of G W m 2. Then `V5S`. Then
  0b10.... with the high half of n: g to v.
- 2: [x y e][y J n]: `e` leaves 1 to the third character, y four bits: 0b....01 is one of B F J N R V Z d h l p t x 1
  5 9. Then `leU`. Then 0b10100. or 0b10101.: o or p, as n is ASCII.

By chance these stand in random base64 once in 16, 16 and 33 million characters.
"""

from __future__ import annotations

from binascii import a2b_base64
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from jwtleak.core.lazy_regex import lazy
from jwtleak.core.unwrap.interface import Segment, View

# MIME wraps at 76 (RFC 2045), PEM at 64 (RFC 7468), GitHub at 60, others at 72, 80, 100 and 120
# columns. A token of 128 characters of base64 would be 96 bytes: nearly every real one is longer,
# so a list of tokens is not joined.
WIDEST = 128

# `{"alg":""}` is 14 characters of base64url, and those are 19 of base64: a shorter unit holds no
# header.
SHORTEST = 19

# Wrapping leaves lines of 19 columns and more, `\/` one break in 64 characters. Denser breaks are
# an attack on time.
DENSEST = 8

# With the characters of a group before each needle. The needle comes first in the pattern: `re`
# searches a literal prefix several times faster than a look-behind.
_NEEDLES = (
    (0, lazy(rb"ZXlK")),
    (2, lazy(rb"V5S(?<=[GWm2]V5S)(?=[g-v])")),
    (3, lazy(rb"leU(?<=[BFJNRVZdhlptx159]leU)(?=[op])")),
)
# The same where a line break, real or written as JSON, may stand beside the needle.
_LOOSE = (
    _NEEDLES[0][1],
    lazy(rb"V5S(?<=[GWm2\s\\n]V5S)(?=[g-v\s\\])"),
    lazy(rb"leU(?<=[BFJNRVZdhlptx159\s\\n]leU)(?=[op\s\\])"),
)

# A unit may go on behind a line break, real or as JSON writes it, and behind the backslash of
# JSON's `\/`.
_UNIT = lazy(rb"[A-Za-z0-9+/_-]++(?:(?:\\(?=/)|(?:\r?\n|(?:\\r)?\\n)[ \t]*+)[A-Za-z0-9+/_-]++)*+")
_LINES = lazy(rb"(?:\r\n|\n|\\r\\n|\\n)[ \t]*+")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")

# (start, end) in the region
Piece = tuple[int, int]


def _lines(region: bytes, unit: Piece) -> list[Piece]:
    """The lines of a unit, without their breaks."""
    lines: list[Piece] = []
    if region.find(b"\n", *unit) < 0 and region.find(b"\\", *unit) < 0:
        return [unit]
    start = unit[0]
    for gap in _LINES.finditer(region, *unit):
        lines.append((start, gap.start()))
        start = gap.end()
    lines.append((start, unit[1]))
    return lines


def _wrapped(lines: list[Piece]) -> Iterator[list[Piece]]:
    """`lines` in groups that one encoder wrote: all of one width but the last, and the first that
    may begin late.
    """
    at = 0
    while at < len(lines):
        group = [lines[at]]
        widths = [end - start for start, end in lines[at : at + 2]]
        width = max(widths)
        if width <= WIDEST and width % 4 == 0:
            while at + 1 < len(lines) and (len(group) == 1 or lines[at][1] - lines[at][0] == width):
                if lines[at + 1][1] - lines[at + 1][0] > width:
                    break
                at += 1
                group.append(lines[at])
        at += 1
        yield group


def _pieces(region: bytes, lines: list[Piece]) -> list[Piece]:
    r"""The runs of base64 characters in `lines`, without the backslash of `\/`."""
    pieces = []
    for start, end in lines:
        while (slash := region.find(b"\\", start, end)) >= 0:
            pieces.append((start, slash))
            start = slash + 1
        pieces.append((start, end))
    return pieces


def _phases(text: bytes) -> list[int]:
    """Where, modulo 4, groups begin according to the needles in `text`."""
    return sorted(
        {
            (needle.start() - into) % 4
            for into, pattern in _NEEDLES
            for needle in pattern.finditer(text)
        }
    )


class _Joined:
    """Pieces of the region as one text, and the way back."""

    def __init__(self, region: bytes, pieces: list[Piece]) -> None:
        self.text = b"".join([region[start:end] for start, end in pieces])
        self._pieces = pieces
        self.starts = [
            0
        ]  # where each piece begins in `text`, and behind the last where `text` ends
        for start, end in pieces:
            self.starts.append(self.starts[-1] + end - start)

    def origin(self, index: int) -> int:
        """Where text[index] stands in the region."""
        piece = bisect_right(self.starts, index, hi=len(self._pieces)) - 1
        return self._pieces[piece][0] + index - self.starts[piece]

    def decode(self, phase: int, size: int) -> tuple[bytes, list[Segment]]:
        """The groups from `phase` on, and segments for them, which begin at `size` of the view."""
        text = self.text[phase:]
        text = text[: len(text) - (len(text) % 4 == 1)].translate(_URL_SAFE)
        data = a2b_base64(text + b"=" * (-len(text) % 4))
        segments: list[Segment] = []
        group = phase  # the first group that has no segment yet
        for begin, end in zip(self.starts, self.starts[1:], strict=False):
            while group < begin < end and group < phase + len(text):
                segments += self._group(group, phase, len(data), size)
                group += 4
            whole = (min(end, phase + len(text)) - group) // 4
            if end == self.starts[-1]:
                whole = -(-(phase + len(text) - group) // 4)
            if whole > 0 and group >= begin:
                segments.append((size + (group - phase) // 4 * 3, self.origin(group), 4, 3))
                group += 4 * whole
        return data, segments

    def _group(self, group: int, phase: int, limit: int, size: int) -> Iterator[Segment]:
        """A segment for each byte of a group in which a break stands."""
        for byte in range(3):
            index = (group - phase) // 4 * 3 + byte
            if index < limit:
                start = self.origin(group + byte)
                yield size + index, start, self.origin(group + byte + 1) + 1 - start, 1


# Between two readings: a line end, for whoever looks for the line of a token, behind a blank, over
# which no unwrapper joins lines.
_BETWEEN = b" \n"


class Base64:
    """Undoes base64."""

    name = "base64"
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=\r\n\t \\"
    needles = (b"ZXlK", b"V5S", b"leU")

    def unwrap_at(self, region: bytes, hit: int) -> View | None:
        """Every unit of `region` with a token's beginning in it, a line each; empty when there is
        none.

        A unit whose needles disagree about the groups is there once for each reading. None when no
        needle is at `hit`: that is the only case in which the region is not settled.
        """
        if not region.startswith(self.needles, hit):
            return None
        parts: list[bytes] = []
        segments: list[Segment] = []
        size = 0
        for joined in self._units(region):
            for phase in _phases(joined.text):
                data, found = joined.decode(phase, size)
                last = joined.origin(len(joined.text) - 1)
                segments += [*found, (size + len(data), last, 1, 1)]
                parts += [data, _BETWEEN]
                size += len(data) + len(_BETWEEN)
        return View(b"".join(parts), tuple(segments))

    def _units(self, region: bytes) -> Iterator[_Joined]:
        """The units in which a needle stands."""
        places = sorted(needle.start() for pattern in _LOOSE for needle in pattern.finditer(region))
        if not places:
            return
        after = 0
        for unit in _UNIT.finditer(region):
            start, end = unit.span()
            if after < len(places) and places[after] < end:
                after = bisect_left(places, end, lo=after)
                if end - start >= SHORTEST:
                    yield from self._values(region, _lines(region, (start, end)))

    def _values(self, region: bytes, lines: list[Piece]) -> Iterator[_Joined]:
        """What one encoder wrote each, where it is long enough for a token and not mostly breaks."""
        for group in _wrapped(lines):
            pieces = _pieces(region, group)
            length = sum(end - start for start, end in pieces)
            if length >= SHORTEST and length >= DENSEST * (len(pieces) - 1):
                yield _Joined(region, pieces)
