"""Base64 (RFC 4648 sections 4 and 5) of a token, or of text around a token.

Promises: every unit of the region that can contain a token is decoded, so one call settles the
region. Both alphabets are read, with or without padding, wrapped or not. The map is exact across
line breaks. Time is linear in the region. Refuses wrapping wider than WIDEST, breaks closer than
DENSEST on average, and joining lines whose lengths no encoder writes: a list of tokens, one a
line, must not run together.

How `eyJ` (65 79 4A) reads in base64 depends on the byte of the group of three at which it begins:

- 0: `ZXlK`.
- 1: [x e y][J n .]: `e` gives 6 bits to the second character and x two bits: 0b..0110 is one of
  G W m 2. Then `V5S`. Then 0b10.... with the high half of n: g to v.
- 2: [x y e][y J n]: `e` gives 2 bits to the third character and y four bits: 0b....01 is one of
  B F J N R V Z d h l p t x 1 5 9. Then `leU`. Then 0b10100. or 0b10101.: o or p, as n is ASCII.

By chance these occur in random base64 once in 16, 16 and 33 million characters.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence

from jwtleak.core.lazy_regex import lazy
from jwtleak.core.unwrap.interface import Segment, UnwrappedRegion, View

# MIME wraps at 76 (RFC 2045), PEM at 64 (RFC 7468), GitHub at 60, others at 72, 80, 100 and 120
# columns. 128 characters of base64 encode 96 bytes: nearly every real token is longer, so a list
# of tokens, one a line, is not joined.
WIDEST = 128

# `{"alg":""}` is 14 characters of base64url, which are 19 of base64: a shorter unit has no header.
SHORTEST = 19

# Wrapping leaves lines of 19 columns and more, and `\/` is one break in 64 characters. Denser
# breaks are an attack on time.
DENSEST = 8

# (characters of the group before the needle, pattern). A pattern begins with its literal and looks
# behind afterwards: `re` searches a literal prefix several times faster than a look-behind.
PhasedNeedle = tuple[int, re.Pattern[bytes]]
_NEEDLES: tuple[PhasedNeedle, ...] = (
    (0, lazy(rb"ZXlK")),
    (2, lazy(rb"V5S(?<=[GWm2]V5S)(?=[g-v])")),
    (3, lazy(rb"leU(?<=[BFJNRVZdhlptx159]leU)(?=[op])")),
)
# The same where a line break, real or written as JSON, may be beside the needle.
_LOOSE = (
    _NEEDLES[0][1],
    lazy(rb"V5S(?<=[GWm2\s\\n]V5S)(?=[g-v\s\\])"),
    lazy(rb"leU(?<=[BFJNRVZdhlptx159\s\\n]leU)(?=[op\s\\])"),
)

# A unit may continue behind a line break, real or as JSON writes it, and behind the backslash of
# JSON's `\/`.
_UNIT = lazy(rb"[A-Za-z0-9+/_-]++(?:(?:\\(?=/)|(?:\r?\n|(?:\\r)?\\n)[ \t]*+)[A-Za-z0-9+/_-]++)*+")
LINE_BREAK = lazy(rb"(?:\r\n|\n|\\r\\n|\\n)[ \t]*+")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")

# (start, end) in the region
Piece = tuple[int, int]


def _lines(region: bytes, unit: Piece) -> list[Piece]:
    """The lines of a unit, without their breaks."""
    lines: list[Piece] = []
    # Nearly all base64 in logs is on one line: two searches instead of an expression.
    if region.find(b"\n", *unit) < 0 and region.find(b"\\", *unit) < 0:
        return [unit]
    start = unit[0]
    for gap in LINE_BREAK.finditer(region, *unit):
        lines.append((start, gap.start()))
        start = gap.end()
    lines.append((start, unit[1]))
    return lines


def _wrapped(lines: list[Piece]) -> Iterator[list[Piece]]:
    """`lines` in groups that one encoder wrote: all have one width, except that the first may begin
    late in its line and the last may be shorter.
    """
    at = 0
    while at < len(lines):
        group = [lines[at]]
        # Other text may precede the base64 on its first line: the second line's width counts too.
        widths = [end - start for start, end in lines[at : at + 2]]
        width = max(widths)
        # Encoders wrap between groups of four. Another width is not wrapping: a list of values.
        if width <= WIDEST and width % 4 == 0:
            while at + 1 < len(lines) and (len(group) == 1 or lines[at][1] - lines[at][0] == width):
                if lines[at + 1][1] - lines[at + 1][0] > width:
                    break  # a wider line was written by somebody else
                at += 1
                group.append(lines[at])
        at += 1
        yield group


def _pieces(region: bytes, lines: list[Piece]) -> list[Piece]:
    r"""The runs of base64 characters in `lines`, without the backslash of `\/`."""
    # PHP escapes each `/` of base64 in JSON: the backslash splits a line into pieces.
    pieces = []
    for start, end in lines:
        while (slash := region.find(b"\\", start, end)) >= 0:
            pieces.append((start, slash))
            start = slash + 1
        pieces.append((start, end))
    return pieces


def _phases(text: bytes, needles: Sequence[PhasedNeedle]) -> list[int]:
    """Where, modulo 4, groups begin according to the needles in `text`."""
    return sorted(
        {
            (needle.start() - into) % 4
            for into, pattern in needles
            for needle in pattern.finditer(text)
        }
    )


class _Joined:
    """Pieces of the region as one text, and the way back."""

    def __init__(self, region: bytes, pieces: list[Piece]) -> None:
        self.text = b"".join([region[start:end] for start, end in pieces])
        self._pieces = pieces
        # Where each piece begins in `text`, and last where `text` ends.
        self.starts = [0]
        for start, end in pieces:
            self.starts.append(self.starts[-1] + end - start)

    def origin(self, index: int) -> int:
        """The offset of text[index] in the region."""
        piece = bisect_right(self.starts, index, hi=len(self._pieces)) - 1
        return self._pieces[piece][0] + index - self.starts[piece]

    def decode(self, phase: int, size: int) -> tuple[bytes, list[Segment]]:
        """The groups from `phase` on, decoded, and their segments, which begin at `size` of the
        view.
        """
        text = self.text[phase:]
        # One character left over encodes no byte; two or three are a group without its padding.
        text = text[: len(text) - (len(text) % 4 == 1)].translate(_URL_SAFE)
        data = a2b_base64(text + b"=" * (-len(text) % 4))
        segments: list[Segment] = []
        group = phase  # the first group that has no segment yet
        # One segment for all groups within a piece, and one for each byte of a group in which a
        # break is: there the 4:3 line of the map has a gap.
        for begin, end in zip(self.starts, self.starts[1:], strict=False):
            while group < begin < end and group < phase + len(text):
                segments += self._group(group, phase, len(data), size)
                group += 4
            # Groups that end within this piece; at the very end also one without its padding.
            whole = (min(end, phase + len(text)) - group) // 4
            if end == self.starts[-1]:
                whole = -(-(phase + len(text) - group) // 4)
            if whole > 0 and group >= begin:
                segments.append((size + (group - phase) // 4 * 3, self.origin(group), 4, 3))
                group += 4 * whole
        return data, segments

    def _group(self, group: int, phase: int, limit: int, size: int) -> Iterator[Segment]:
        """A segment for each byte of a group that contains a break."""
        for byte in range(3):
            index = (group - phase) // 4 * 3 + byte
            if index < limit:
                start = self.origin(group + byte)
                yield size + index, start, self.origin(group + byte + 1) + 1 - start, 1


# Between two readings. The line end lets the search for a token's line stop there; the blank before
# it keeps other unwrappers from joining the lines.
_BETWEEN = b" \n"


def decode_units(
    region: bytes,
    loose: Sequence[re.Pattern[bytes]],
    needles: Sequence[PhasedNeedle],
    wanted: Callable[[bytes], bool] = bool,
) -> View:
    """Every unit of `region` with one of the needles in it, decoded, a line each.

    `loose` finds the units, also where a line break is beside a needle; `needles` say where groups
    begin. A unit whose needles disagree is decoded once for each reading: a prefix that looks like
    a needle must not hide a token. Readings that are not `wanted` are left out.
    """
    parts: list[bytes] = []
    segments: list[Segment] = []
    size = 0
    for joined in _units(region, loose):
        for phase in _phases(joined.text, needles):
            data, found = joined.decode(phase, size)
            if not wanted(data):
                continue
            # The text between two readings maps to the last character of the first.
            last = joined.origin(len(joined.text) - 1)
            segments += [*found, (size + len(data), last, 1, 1)]
            parts += [data, _BETWEEN]
            size += len(data) + len(_BETWEEN)
    return View(b"".join(parts), tuple(segments))


def _units(region: bytes, loose: Sequence[re.Pattern[bytes]]) -> Iterator[_Joined]:
    """The units that contain a needle."""
    places = sorted(needle.start() for pattern in loose for needle in pattern.finditer(region))
    if not places:
        return
    after = 0
    for unit in _UNIT.finditer(region):
        start, end = unit.span()
        # Most units are words of other text: one comparison each.
        if after < len(places) and places[after] < end:
            after = bisect_left(places, end, lo=after)
            if end - start >= SHORTEST:
                yield from _values(region, _lines(region, (start, end)))


def _values(region: bytes, lines: list[Piece]) -> Iterator[_Joined]:
    """The encoders' outputs in `lines` that are long enough for a token and not mostly breaks."""
    for group in _wrapped(lines):
        pieces = _pieces(region, group)
        length = sum(end - start for start, end in pieces)
        if length >= SHORTEST and length >= DENSEST * (len(pieces) - 1):
            yield _Joined(region, pieces)


class Base64:
    """Decodes base64."""

    name = "base64"
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=\r\n\t \\"
    needles: tuple[bytes, ...] = (b"ZXlK", b"V5S", b"leU")

    def plausible(self, probe: bytes, hit: int) -> bool:
        """Always: the needles' neighbours are checked where the region is decoded."""
        return True

    def unwrap_at(self, region: bytes, hit: int) -> UnwrappedRegion | None:
        """Every unit of `region` that contains the beginning of a token. None when no needle is at
        `hit`: only then is the region not settled.
        """
        # A needle of another encoding must not settle the region.
        if not region.startswith(self.needles, hit):
            return None
        return UnwrappedRegion("base64", decode_units(region, _LOOSE, _NEEDLES))
