"""UTF-16 and UTF-32 (RFC 2781; Unicode 3.10), little and big endian: the run of single bytes around a needle.

Promises: width and byte order follow from the bytes around the needle, no byte order mark needed; the run is whole, up
to the first character on either side that is NUL or above U+00FF; each character of it becomes one byte. A unit that
the end of the region cuts is left out. Time is linear in the run, not in the region.
"""

from __future__ import annotations

from jwtleak.core.unwrap.interface import View

# Characters looked at on each side at first, then eight times as many: most UTF-16 in binaries is a short string.
_REACH = 256
# NUL bytes counted beside a run, in units: parity needs few, and a run of NUL may be as long as a disk image.
_BESIDE = 16


def _head(data: bytes, byte: bytes) -> int:
    """How many of `byte` stand at the beginning of `data`."""
    return len(data) - len(data.lstrip(byte))


def _tail(data: bytes, byte: bytes) -> int:
    """How many of `byte` stand at the end of `data`."""
    return len(data) - len(data.rstrip(byte))


def _before(part: bytes, width: int) -> int:
    """Characters before the end of `part`, each followed by width - 1 NUL bytes."""
    part = part[len(part) % width :]
    characters = part[::width]
    return min(
        len(characters) - 1 - characters.rfind(0), *(_tail(part[lane::width], b"\0") for lane in range(1, width))
    )


def _after(part: bytes, width: int) -> int:
    """Characters after the one that `part` begins with, each behind width - 1 NUL bytes."""
    characters = part[width::width]
    stop = characters.find(0)
    lanes = (_head(part[lane::width], b"\0") for lane in range(1, width))
    return min(len(characters) if stop < 0 else stop, *lanes)


def _run(region: bytes, hit: int, width: int) -> tuple[int, int]:
    """Offsets of the first and the last character of the run through `hit`."""
    reach = _REACH * width
    while True:
        before = _before(region[max(0, hit - reach) : hit], width)
        after = _after(region[hit : hit + reach + width], width)
        if reach >= len(region) or max(before, after) < reach // width:
            return hit - before * width, hit + after * width
        reach *= 8


def _is_big_endian(region: bytes, first: int, last: int, width: int) -> bool:
    """Whether each character ends its unit.

    The unit of the first (big endian) or of the last (little endian) has its NUL bytes outside of [first, last]: the
    side that lacks them decides. Where both have them, whole NUL units stand beside the run and the remainder decides.
    """
    own = width - 1
    before = _tail(region[max(0, first - _BESIDE * width) : first], b"\0")
    after = _head(region[last + 1 : last + 1 + _BESIDE * width], b"\0")
    if before < own <= first:
        return False
    if after < own <= len(region) - last - 1:
        return True
    return before % width == own != after % width


class Wide:
    """Undoes UTF-16 and UTF-32."""

    def unwrap_at(self, region: bytes, hit: int) -> tuple[str, View] | None:
        """The encoding's name (`utf16` or `utf32`) and the run that holds the character whose byte is at `hit`.

        None when fewer than three characters stand there: that is the length of the shortest needle.
        """
        if region[hit : hit + 1] in (b"", b"\0"):
            return None
        width = 4 if region[hit + 1 : hit + 4] == b"\0\0\0" else 2
        first, last = _run(region, hit, width)
        # A first character with no room for NUL bytes before it is little endian, whatever follows the run.
        if first >= width - 1 and _is_big_endian(region, first, last, width):
            start = first - width + 1
        else:
            start = first
            if _head(region[last + 1 : last + width], b"\0") < width - 1:
                last -= width
        if last - first < 2 * width:
            return None
        return f"utf{width * 8}", View(region[first : last + 1 : width], ((0, start, width, 1),))
