"""What an unwrapper is: it undoes one encoding and says where each decoded byte stood.

Promises: a `View` maps every decoded byte to the original bytes that encode it, exactly; the map
costs O(log segments) per span. Refuses to decide where an encoding is in use: the scanner does, and
hands over a bounded region.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import NoReturn, Protocol

import msgspec

# The bytes of a compact serialisation: base64url and its padding (RFC 4648 section 5), the dot (RFC
# 7515 section 7.1), the tilde between SD-JWT disclosures (RFC 9901 section 4).
WORD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.~"

# (decoded start, original start, num, den): the decoded byte `i` of a segment stands in the
# original at [o + (i-d)*num//den, o + ceil((i-d+1)*num/den)). Literal text 1:1, %XX 3:1, UTF-16
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
        """The original [start, end) from the first byte of what encodes data[start] to the last of
        data[end - 1].

        Raises ValueError when data[start:end] is empty or not all there.
        """
        if not 0 <= start < end <= len(self.data):
            raise ValueError("a span needs at least one decoded byte")
        d, o, num, den = self._segment(start)
        first = o + (start - d) * num // den
        d, o, num, den = self._segment(end - 1)
        return first, o - (d - end) * num // den

    def pieces(self, start: int, end: int) -> tuple[tuple[int, int], ...]:
        """The original bytes that encode data[start:end], without what stands between segments."""
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
        return self.segments[bisect_right(self.segments, index, key=_decoded_start) - 1]

    def __repr__(self) -> str:
        """Only the size: decoded text may hold a token."""
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
        """What an alert's `channel.encodings` shows."""

    @property
    def alphabet(self) -> bytes:
        """Every byte that can belong to a token written in this encoding; empty when it works on
        whole lines.
        """

    @property
    def stops(self) -> bytes:
        """Bytes at which a plain match stops where this encoding is in use."""

    def unwrap(self, region: bytes) -> View | None:
        """`region` with one level of the encoding undone, or None when nothing in it is encoded."""


class LineUnwrapper(Unwrapper, Protocol):
    """An encoding of whole lines: regions begin where a line begins."""

    def applies(self, line: bytes) -> bool:
        """Whether `line` (its first 128 bytes are enough) is a record of this kind."""

    def extent(self, region: bytes) -> int | None:
        """How far the lines reach that begin with the first record of `region`; None when they go
        on behind it.
        """


def rewrite(
    region: bytes, escapes: re.Pattern[bytes], decode: Callable[[re.Match[bytes]], bytes | None]
) -> View | None:
    """`region` with each match of `escapes` replaced by what `decode` says; None when nothing is
    replaced.

    A match is one escape or a run of escapes of one width, so that len(match) is a multiple of
    len(decoded). `decode` returns b"" to delete, None to leave the match as it is.
    """
    parts: list[bytes] = []
    segments: list[Segment] = []
    done = size = 0
    for match in escapes.finditer(region):
        decoded = decode(match)
        if decoded is None:
            continue
        start, end = match.span()
        if start > done:
            parts.append(region[done:start])
            segments.append((size, done, 1, 1))
            size += start - done
        if decoded:
            parts.append(decoded)
            segments.append((size, start, (end - start) // len(decoded), 1))
            size += len(decoded)
        done = end
    if done == 0:
        return None
    if done < len(region):
        parts.append(region[done:])
        segments.append((size, done, 1, 1))
    return View(b"".join(parts), tuple(segments))
