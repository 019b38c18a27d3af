"""UTF-16 and UTF-32 (RFC 2781; Unicode 3.10), little and big endian: the run of single bytes around
a needle.

Promises: the bytes around the needle decide width and byte order; no byte order mark is needed. The
run extends to the first character on either side that is NUL or above U+00FF, and each of its
characters becomes one byte. A unit that an end of the region cuts is mapped to the part of it that
is there. Time is linear in the run, not in the region. Refuses to search for the byte order where
both neighbours, or the ends of the region, could be halves of either order. It then assumes little
endian, as Windows writes it: a span may be off by a unit's NUL bytes, and a big endian run directly
between two characters above U+00FF loses its last character.
"""

from __future__ import annotations

from jwtleak.core.unwrap.base64_ import Base64
from jwtleak.core.unwrap.interface import (
    ALG_NEEDLES,
    HEADER_NEEDLE,
    PROBE,
    Segment,
    UnwrappedRegion,
    View,
)

# Characters examined on each side at first, then eight times as many: most UTF-16 in binaries is a
# short string.
_REACH = 256
# NUL bytes counted beside a run, in units: parity needs few, and a run of NUL may be as long as a
# disk image.
_BESIDE = 16


def _spread(literal: bytes, width: int) -> bytes:
    """`literal` with NUL bytes between its characters; those of the outer units depend on the byte
    order.
    """
    return (b"\0" * (width - 1)).join(literal[n : n + 1] for n in range(len(literal)))


def _head(data: bytes, byte: bytes) -> int:
    """How many of `byte` are at the beginning of `data`."""
    return len(data) - len(data.lstrip(byte))


def _tail(data: bytes, byte: bytes) -> int:
    """How many of `byte` are at the end of `data`."""
    return len(data) - len(data.rstrip(byte))


def _before(part: bytes, width: int) -> int:
    """Characters before the end of `part`, each followed by width - 1 NUL bytes."""
    # From the needle backwards in whole units; each lane is one byte of all units, so that strips
    # and searches run at the speed of C.
    part = part[len(part) % width :]
    characters = part[::width]
    return min(
        len(characters) - 1 - characters.rfind(0),
        *(_tail(part[lane::width], b"\0") for lane in range(1, width)),
    )


def _after(part: bytes, width: int) -> int:
    """Characters after the one that `part` begins with, each behind width - 1 NUL bytes."""
    characters = part[width::width]
    stop = characters.find(0)
    lanes = (_head(part[lane::width], b"\0") for lane in range(1, width))
    return min(len(characters) if stop < 0 else stop, *lanes)


def _run(region: bytes, hit: int, width: int) -> tuple[int, int]:
    """Offsets of the first and the last character of the run through `hit`."""
    # The window grows eightfold: the total work stays linear in the run.
    reach = _REACH * width
    while True:
        before = _before(region[max(0, hit - reach) : hit], width)
        after = _after(region[hit : hit + reach + width], width)
        if reach >= len(region) or max(before, after) < reach // width:
            return hit - before * width, hit + after * width
        reach *= 8


def _is_big_endian(region: bytes, first: int, last: int, width: int) -> bool | None:
    """Whether each character ends its unit, as the bytes beside [first, last] show; None when they
    show neither order.

    Other units precede a whole little endian unit and follow a whole big endian one: NUL
    characters of `width` bytes each, or characters above U+00FF, which do not have width - 1 NUL
    bytes at that end. So a remainder of width - 1 is the unit's own NUL bytes. A side lacks them
    where its outermost character is half of another unit.
    """
    # Within the run NUL bytes are on both sides of each character: only the bytes outside show the
    # order.
    own = width - 1
    before = _tail(region[max(0, first - _BESIDE * width) : first], b"\0") % width
    after = _head(region[last + 1 : last + 1 + _BESIDE * width], b"\0") % width
    if (before == own) != (after == own):
        return before == own
    # Both sides say the same: an end of the region, or halves of other characters, hide the parity.
    # An outermost byte above 0x7F is then more likely half of a wide character than text.
    if first == 0 or region[first] < 0x80 <= region[last]:
        return False
    return True if region[last] < 0x80 <= region[first] else None


def _segments(region: bytes, first: int, last: int, width: int, big: bool) -> tuple[Segment, ...]:
    """The map of the characters at first, ..., last. A unit that an end of the region cuts maps to
    the part that is there.
    """
    start = first - (width - 1 if big else 0)
    count = (last - first) // width + 1
    whole = [(0, start, width, 1)]
    # The region begins within the first unit of a big endian run.
    if start < 0:
        whole = [(0, 0, width + start, 1), (1, start + width, width, 1)]
    end = start + count * width
    if end > len(region):
        at = count - 1
        whole.append((at, start + at * width, width - (end - len(region)), 1))
    return tuple(whole)


class Utf16:
    """Decodes UTF-16 and UTF-32."""

    name = "wide"
    # Every plain needle and those of base64, in both widths.
    needles: tuple[bytes, ...] = tuple(
        _spread(literal, width)
        for width in (2, 4)
        for literal in (HEADER_NEEDLE, *(alg for alg, _ in ALG_NEEDLES), *Base64.needles)
    )
    alphabet = b""

    def plausible(self, probe: bytes, hit: int) -> bool:
        """Whether as many characters follow as every token has from a needle on.

        `"alg":""}` is 12 characters of base64 from its needle on, and the other needles precede it.
        Eight of them in UTF-32 fill the probe. Binaries look like wide text for a few bytes.
        """
        window = probe[hit:]
        # Near the end of the buffer: fewer bytes than the test needs say nothing.
        if len(window) < PROBE:
            return True
        width = 4 if window[1:4] == b"\0\0\0" else 2
        return not any(window[1 : 8 * width - width : width])

    def unwrap_at(self, region: bytes, hit: int) -> UnwrappedRegion | None:
        """The run that contains the character whose byte is at `hit`, as `utf16` or `utf32`.

        None when it has fewer than three characters, the length of the shortest needle.
        """
        if region[hit : hit + 1] in (b"", b"\0"):
            return None
        width = 4 if region[hit + 1 : hit + 4] == b"\0\0\0" else 2
        first, last = _run(region, hit, width)
        order = _is_big_endian(region, first, last, width)
        # Big endian when little endian would cut the last unit at the region's end.
        big = last + 1 == len(region) if order is None else order
        # An outermost character with other bytes in its unit is half of a character above U+00FF.
        # Where the order is unknown it may as well be the first or last of a token, and stays.
        if order and region[max(0, first - width + 1) : first].strip(b"\0"):
            first += width
        if order is False and region[last + 1 : last + width].strip(b"\0"):
            last -= width
        # The neighbours may have cost it characters: less than a needle is left.
        if last - first < 2 * width:
            return None
        segments = _segments(region, first, last, width, big)
        return UnwrappedRegion(f"utf{width * 8}", View(region[first : last + 1 : width], segments))
