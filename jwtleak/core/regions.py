"""Regions: the stretch of text around a place that one encoding covers, undone and scanned again.

Promises: each region is undone once, however many anchors stand in it; a region that the end of the
data cuts is not judged before more comes. Everything found is mapped back to the original bytes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from operator import attrgetter
from typing import Protocol

import msgspec

from jwtleak.core.anchors import run_before
from jwtleak.core.compact import Buffer
from jwtleak.core.matches import TokenMatch
from jwtleak.core.unwrap import ALL, LINES, Base64, LineUnwrapper, Unwrapper, Utf16, View

# How far before an anchor anything may begin: the headers that servers accept are 8-32 KiB, and a
# line that Docker split holds 16 KiB of content before escaping.
LOOKBACK = 32 * 1024
# How far after an anchor anything may end: a 64 KiB token with every byte escaped as %XX.
LOOKAHEAD = 192 * 1024
# Most UTF-16 in binaries is a short string: the first look at it goes no further than this.
_NEAR = 2048
# Most records of container runtimes are short, and were not split.
_NEAR_LINES = 4096
# `"alg":""}` is 12 characters of base64 from its needle on, and the other needles stand before it.
# Eight of them, in UTF-32, tell at little cost that a binary file only looks like wide text for a
# moment.
_SHORTEST_WIDE = 32
# Decoded text kept before and after a token to tell its channel.
CONTEXT = 1024


# The shortest token: a header with an `alg`, a dot and a payload (`eyJhbGciOiIifQ.e30`).
_SHORTEST = 18

# Encodings of lines among which other lines stand.
_SPLIT = frozenset(one.name for one in LINES)

_by_place = attrgetter("start")


@lru_cache(maxsize=None)
def _run(alphabet: bytes) -> re.Pattern[bytes]:
    """Matches the run of `alphabet` from a place on; it always matches, if only nothing. One for
    each encoding.
    """
    return re.compile(b"[" + re.escape(alphabet) + b"]*+")


class Undecided(Exception):  # noqa: N818 - a signal, not an error
    """More bytes could change the verdict: keep everything from `start`; `growing` when a token
    reaches the end.
    """

    def __init__(self, start: int, growing: bool) -> None:
        self.start = start
        self.growing = growing


class Rescan(Protocol):
    """Scans decoded text one level deeper."""

    def __call__(self, data: bytes) -> list[TokenMatch]: ...


class Region(msgspec.Struct, frozen=True):
    """Bytes [start, end) that an encoding covers and that are settled, and what was found in them,
    in order.
    """

    start: int
    end: int
    matches: list[TokenMatch]

    def at(self, place: int) -> TokenMatch | None:
        """The leak that covers `place`."""
        index = bisect_right(self.matches, place, key=_by_place)
        if index and place < self.matches[index - 1].end:
            return self.matches[index - 1]
        return None


class Regions:
    """Finds and undoes regions of one buffer."""

    def __init__(
        self, buffer: Buffer, floor: int, end: int, final: bool, rescan: Rescan | None
    ) -> None:
        self._buffer = buffer
        self._floor = floor
        self._end = end
        self._final = final
        self._rescan = rescan
        self._last: dict[str, Region] = {}

    def unwrapped(self, place: int, stop: int) -> Iterator[TokenMatch]:
        """What stands at `place` once an encoding that could explain the byte at `stop` is undone."""
        if self._rescan is None or stop >= self._end:
            return
        byte = self._buffer[stop]
        for unwrapper in ALL:
            if byte in unwrapper.stops:
                leak = self._region(unwrapper, place).at(place)
                if leak is not None:
                    yield leak

    def split_lines(self, place: int) -> Iterator[TokenMatch]:
        """What stands at `place` once the records that a container runtime split are joined."""
        if self._rescan is None:
            return
        floor = max(self._floor, place - LOOKBACK)
        line = max(floor, self._buffer.rfind(b"\n", floor, place) + 1)
        for unwrapper in LINES:
            if unwrapper.applies(bytes(self._buffer[line : min(self._end, line + 128)])):
                leak = self._lines(unwrapper, place, line).at(place)
                if leak is not None:
                    yield leak

    def base64(self, place: int) -> Region:
        """What is encoded in the run of base64 around the needle at `place`."""
        codec = Base64()
        start = run_before(self._buffer, max(self._floor, place - LOOKBACK), place, codec.alphabet)
        end = self._run_after(codec.alphabet, place, start)
        return self._decoded(
            codec.unwrap_at(bytes(self._buffer[start:end]), place - start),
            codec.name,
            place,
            start,
            end,
        )

    def wide(self, place: int) -> Region:
        """What the UTF-16 or UTF-32 text around the needle at `place` says."""
        if self._is_too_short(place):
            return Region(place, place + 1, [])
        for reach in (_NEAR, LOOKAHEAD):
            start = max(self._floor, place - min(reach, LOOKBACK))
            end = min(self._end, place + reach)
            found = Utf16().unwrap_at(bytes(self._buffer[start:end]), place - start)
            if found is None:
                return Region(place, place + 1, [])
            name, view = found
            first, last = view.span(0, len(view.data))
            if first > 4 and start + last < end - 4:
                break
        # A unit that the end of the data cuts is not in the view.
        self._need(
            place, self._end if start + last > self._end - 4 else start + last, start + first
        )
        return self._decoded(view, name, place, start, start + last)

    def _is_too_short(self, place: int) -> bool:
        """Whether fewer characters stand at `place` than any token has from a needle on: most of
        what is not text.
        """
        window = bytes(self._buffer[place : min(self._end, place + _SHORTEST_WIDE)])
        if len(window) < _SHORTEST_WIDE:
            return False
        width = 4 if window[1:4] == b"\0\0\0" else 2
        return any(window[1 : 8 * width - width : width])

    def _decoded(self, view: View | None, name: str, place: int, start: int, end: int) -> Region:
        """A region that is settled up to its end; where LOOKAHEAD cut it, only as far as a whole
        token would still fit.
        """
        if view is None or self._rescan is None:
            return Region(start, place + 1, [])
        leaks = self._leaks(view, name, start, end) if len(view.data) >= _SHORTEST else []
        return Region(start, self._settled(place, end), leaks)

    def _settled(self, place: int, end: int) -> int:
        return end if end < place + LOOKAHEAD else place + LOOKAHEAD // 2

    def _region(self, unwrapper: Unwrapper, place: int) -> Region:
        last = self._last.get(unwrapper.name)
        if last is not None and last.start <= place < last.end:
            return last
        start = run_before(
            self._buffer, max(self._floor, place - LOOKBACK), place, unwrapper.alphabet
        )
        end = self._run_after(unwrapper.alphabet, place, place)
        return self._undone(unwrapper, place, start, end)

    def _lines(self, unwrapper: LineUnwrapper, place: int, start: int) -> Region:
        """The region from the line at `start` up to where it and all lines that begin meanwhile are
        whole.
        """
        last = self._last.get(unwrapper.name)
        if last is not None and last.start <= place < last.end:
            return last
        limit = min(self._end, place + LOOKAHEAD)
        for reach in (_NEAR_LINES, limit - start):
            extent = unwrapper.extent(bytes(self._buffer[start : min(limit, start + reach)]))
            if extent is not None:
                return self._undone(unwrapper, place, start, start + extent)
        self._need(place, limit, start)
        return self._undone(unwrapper, place, start, limit)

    def _undone(self, unwrapper: Unwrapper, place: int, start: int, end: int) -> Region:
        view = unwrapper.unwrap(bytes(self._buffer[start:end]))
        leaks = [] if view is None else self._leaks(view, unwrapper.name, start, end)
        region = Region(start, self._settled(place, end), leaks)
        self._last[unwrapper.name] = region
        return region

    def _run_after(self, alphabet: bytes, place: int, start: int) -> int:
        limit = min(self._end, place + LOOKAHEAD)
        end = _run(alphabet).match(self._buffer, place, limit).end() if alphabet else limit  # type: ignore[union-attr]
        self._need(place, end, start)
        return end

    def _need(self, place: int, end: int, start: int) -> None:
        """Wait for more, and keep all from `start`, when a region reaches the end of the data and
        could go on.
        """
        if end == self._end and not self._final and self._end - place < LOOKAHEAD:
            raise Undecided(start, growing=True)

    def _leaks(self, view: View, name: str, start: int, end: int) -> list[TokenMatch]:
        assert self._rescan is not None
        leaks = []
        for inner in self._rescan(view.data):
            first, last = view.span(inner.start, inner.end)
            before, after = inner.before, inner.after
            if before is None or after is None:
                before = view.data[max(0, inner.start - CONTEXT) : inner.start]
                after = view.data[inner.end : inner.end + CONTEXT]
            if len(before) < CONTEXT:
                before = bytes(self._buffer[max(self._floor, start - CONTEXT) : start]) + before
            if len(after) < CONTEXT:
                after += bytes(self._buffer[end : min(self._end, end + CONTEXT)])
            pieces: tuple[tuple[int, int], ...] = ()
            if name in _SPLIT:
                pieces = tuple(
                    (start + a, start + b) for a, b in view.pieces(inner.start, inner.end)
                )
            leaks.append(
                TokenMatch(
                    start + first,
                    start + last,
                    inner.token,
                    0,
                    (name, *inner.encodings),
                    before,
                    after,
                    pieces,
                )
            )
        leaks.sort(key=_by_place)
        return leaks
