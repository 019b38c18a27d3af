"""What an unwrapper is: it decodes one encoding and says where each decoded byte came from.

Promises: a `View` maps every decoded byte exactly to the original bytes that encode it. A lookup
costs O(log segments). Refuses to decide where an encoding is in use: the scanner decides, and
passes a bounded region.

There are three kinds. An `Unwrapper` decodes text in which `eyJ` still reads `eyJ`, so the plain
needles find the token. A `LineUnwrapper` is one that works on whole lines. A `RegionUnwrapper`
decodes text in which no plain needle is left, so it brings needles of its own.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import NamedTuple, NoReturn, Protocol

import msgspec

# The bytes of a compact serialisation: base64url and its padding (RFC 4648 section 5), the dot (RFC
# 7515 section 7.1), the tilde between SD-JWT disclosures (RFC 9901 section 4).
WORD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.~"

# The literals of which at least one is in every plain token. `eyJ` begins a header written without
# white space. `"alg"` in base64 depends on the byte of the group of three at which it begins; the
# number is how many characters of a group precede those that `"alg"` alone decides.
HEADER_NEEDLE = b"eyJ"
ALG_NEEDLES = ((b"ImFsZ", 0), (b"JhbGci", 2), (b"iYWxn", 3))

# Bytes on each side of a needle that `RegionUnwrapper.plausible` sees.
PROBE = 32
# Bytes of the widest code unit (UTF-32). A run that ends closer than this to an end of the window
# may have been cut by it.
WIDEST_UNIT = 4

# (decoded start, original start, num, den): the decoded byte `i` of a segment comes from the
# original bytes [o + (i-d)*num//den, o + ceil((i-d+1)*num/den)). Literal text 1:1, %XX 3:1, UTF-16
# 2:1, base64 4:3. Original bytes between segments encode nothing (a soft line break, the head of a
# record).
Segment = tuple[int, int, int, int]

_decoded_start = itemgetter(0)


class View(msgspec.Struct, frozen=True):
    """Decoded bytes and the piecewise linear map back. `segments` ascend by decoded start and begin
    with byte 0.
    """

    data: bytes
    segments: tuple[Segment, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The original [first, last) that encodes data[start:end].

        Raises ValueError when data[start:end] is empty or out of range.
        """
        if not 0 <= start < end <= len(self.data):
            raise ValueError("a span needs at least one decoded byte")
        d, o, num, den = self._segment(start)
        first = o + (start - d) * num // den
        d, o, num, den = self._segment(end - 1)
        # Rounded up: a base64 character that holds bits of two bytes belongs to both of them.
        return first, o - (d - end) * num // den

    def pieces(self, start: int, end: int) -> tuple[tuple[int, int], ...]:
        """The original bytes that encode data[start:end], without the bytes between segments."""
        # Like `span`, but the bytes between segments may be another stream's records.
        # Those are scanned on their own, for the tokens of that stream.
        first = bisect_right(self.segments, start, key=_decoded_start) - 1
        found = []
        for index in range(first, len(self.segments)):
            begin = max(start, self.segments[index][0])
            stop = min(end, self.segments[index + 1][0] if index + 1 < len(self.segments) else end)
            if begin >= end:
                break
            found.append(self.span(begin, stop))
        return tuple(found)

    def _segment(self, index: int) -> Segment:
        # The first segment begins with byte 0, so there is always one at or before `index`.
        return self.segments[bisect_right(self.segments, index, key=_decoded_start) - 1]

    def __repr__(self) -> str:
        """Only the size: decoded text may contain a token."""
        return f"View(<{len(self.data)} bytes>)"

    def __rich_repr__(self) -> Iterable[tuple[str, int]]:  # type: ignore[override]
        """Only the size, as in `__repr__`."""
        yield "size", len(self.data)

    def __reduce__(self) -> NoReturn:
        """Not picklable: decoded text stays in its process."""
        raise TypeError("a view cannot be pickled")


class Unwrapper(Protocol):
    """One encoding. Pure; never raises, whatever the bytes; linear in them."""

    @property
    def name(self) -> str:
        """The name in an alert's `channel.encodings`."""

    @property
    def alphabet(self) -> bytes:
        """Every byte that can belong to a token in this encoding; empty when it works on whole
        lines.
        """

    @property
    def stops(self) -> bytes:
        """Bytes at which a plain match stops where this encoding is in use."""

    def unwrap(self, region: bytes) -> View | None:
        """`region` with one level decoded, or None when nothing in it is encoded."""


class LineUnwrapper(Unwrapper, Protocol):
    """An encoding of whole lines: its regions begin where a line begins."""

    def applies(self, line: bytes) -> bool:
        """Whether `line` (its first 128 bytes are enough) is a record of this kind."""

    def extent(self, region: bytes) -> int | None:
        """Where the lines end that begin with the first record of `region`; None when they continue
        behind it.
        """


class UnwrappedRegion(NamedTuple):
    """The decoded part of a region, and the name of the encoding in an alert."""

    encoding: str
    view: View


class RegionUnwrapper(Protocol):
    """An encoding that hides every plain needle. Pure; never raises, whatever the bytes."""

    @property
    def name(self) -> str:
        """A name that no other unwrapper has. No alert shows it."""

    @property
    def needles(self) -> tuple[bytes, ...]:
        """Literals of at least three bytes, one of which is in every token in this encoding.

        The order matters for speed only: see `anchors`.
        """

    @property
    def alphabet(self) -> bytes:
        """Every byte that can belong to encoded text: the scanner passes the run of these bytes
        around a needle. Empty when only `unwrap_at` can find where the text ends: the scanner then
        passes a window, and a larger one when the text reaches an end of the first.
        """

    def plausible(self, probe: bytes, hit: int) -> bool:
        """A cheap test before the region is cut out: whether the needle at `hit` can be part of a
        token. `probe` is up to PROBE bytes on each side of the hit.
        """

    def unwrap_at(self, region: bytes, hit: int) -> UnwrappedRegion | None:
        """The text around the needle at `hit`, one level decoded; None when it cannot be decoded.

        An empty view says that the whole region was examined and has no token.
        """


def rewrite(
    region: bytes, escapes: re.Pattern[bytes], decode: Callable[[re.Match[bytes]], bytes | None]
) -> View | None:
    """`region` with each match of `escapes` replaced by `decode(match)`; None when nothing is
    replaced.

    A match is one escape or a run of escapes of one width, so that len(match) is a multiple of
    len(decoded). `decode` returns b"" to delete the match and None to keep it.
    """
    parts: list[bytes] = []
    segments: list[Segment] = []
    done = size = 0
    for match in escapes.finditer(region):
        # In order, each match once: `decode` may keep a state (`LineWrap` does).
        decoded = decode(match)
        # Kept text joins the literal text around it, in one segment.
        if decoded is None:
            continue
        start, end = match.span()
        if start > done:
            parts.append(region[done:start])
            segments.append((size, done, 1, 1))
            size += start - done
        if decoded:
            # One segment for a whole run: a text of nothing but escapes would otherwise make one
            # segment for each of them.
            parts.append(decoded)
            segments.append((size, start, (end - start) // len(decoded), 1))
            size += len(decoded)
        done = end
    # Nothing was decoded: the text reads as it is, and the plain match holds.
    if done == 0:
        return None
    if done < len(region):
        parts.append(region[done:])
        segments.append((size, done, 1, 1))
    return View(b"".join(parts), tuple(segments))
