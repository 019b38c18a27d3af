"""Regions: the text around an anchor that one encoding covers, decoded and scanned again.

Promises: each region is decoded once, however many anchors are in it. A region that the end of the
data cuts is not judged before more bytes come. Every match is mapped back to the original bytes.
Refuses to know any encoding by name: the tables of `core.unwrap` do.
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
from jwtleak.core.unwrap import ALL, LINES, LineUnwrapper, RegionUnwrapper, Unwrapper, View
from jwtleak.core.unwrap.interface import PROBE, WIDEST_UNIT

# Bytes before an anchor that a token may begin: the headers that servers accept are 8-32 KiB, and a
# line that Docker split has 16 KiB of content before escaping.
LOOKBACK = 32 * 1024
# Bytes behind an anchor that a token may end: a 64 KiB token with every byte escaped as %XX.
LOOKAHEAD = 192 * 1024
# Bytes on each side of a needle in the first window: most UTF-16 in binaries is a short string.
_NEAR = 2048
# Bytes from the beginning of a line that are tried first: most records of container runtimes are
# short, and were not split.
_NEAR_LINES = 4096
# Bytes of decoded text kept before and after a token for the channel rules.
CONTEXT = 1024


# The shortest token: a header with an `alg`, a dot and a payload (`eyJhbGciOiIifQ.e30`).
_SHORTEST = 18

# Encodings of lines, between which lines of another stream may be.
_SPLIT = frozenset(unwrapper.name for unwrapper in LINES)

_by_start = attrgetter("start")


@lru_cache(maxsize=None)
def _run(alphabet: bytes) -> re.Pattern[bytes]:
    """Matches the run of `alphabet` from an offset on, perhaps empty. One for each encoding."""
    return re.compile(b"[" + re.escape(alphabet) + b"]*+")


class Undecided(Exception):  # noqa: N818 - a signal, not an error
    """More bytes could change the verdict: keep everything from `start`. `growing` when a token
    reaches the end of the data.
    """

    def __init__(self, start: int, growing: bool) -> None:
        self.start = start
        self.growing = growing


class Rescan(Protocol):
    """Scans decoded text one level deeper."""

    def __call__(self, data: bytes) -> list[TokenMatch]: ...


class Region(msgspec.Struct, frozen=True):
    """Bytes [start, end) that an encoding covers and that are judged for good, and the matches in
    them, in order.
    """

    start: int
    end: int
    matches: list[TokenMatch]

    def at(self, place: int) -> TokenMatch | None:
        """The match that covers `place`."""
        # Not only a match that begins at `place`: in decoded text it may begin before the anchor.
        index = bisect_right(self.matches, place, key=_by_start)
        if index and place < self.matches[index - 1].end:
            return self.matches[index - 1]
        return None


class Regions:
    """Finds and decodes the regions of one buffer."""

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
        """Readings of the token at `place` in each encoding that could explain the byte at `stop`,
        where the plain reading ended.
        """
        if self._rescan is None or stop >= self._end:
            return
        # The byte that ended the plain reading decides which encodings are possible.
        byte = self._buffer[stop]
        for unwrapper in ALL:
            if byte in unwrapper.stops:
                match = self._region(unwrapper, place).at(place)
                if match is not None:
                    yield match

    def split_lines(self, place: int) -> Iterator[TokenMatch]:
        """Readings of the token at `place` with the split records of a container runtime joined."""
        if self._rescan is None:
            return
        # A record of 16 KiB, escaped, is within LOOKBACK; a longer line is no split record.
        floor = max(self._floor, place - LOOKBACK)
        line = max(floor, self._buffer.rfind(b"\n", floor, place) + 1)
        for unwrapper in LINES:
            if unwrapper.applies(bytes(self._buffer[line : min(self._end, line + 128)])):
                match = self._lines(unwrapper, place, line).at(place)
                if match is not None:
                    yield match

    def encoded(self, unwrapper: RegionUnwrapper, place: int) -> Region:
        """The region around the needle of `unwrapper` at `place`."""
        # Most needles in binaries are chance hits: 64 bytes are copied before a region is.
        begin = max(self._floor, place - PROBE)
        probe = bytes(self._buffer[begin : min(self._end, place + PROBE)])
        if not unwrapper.plausible(probe, place - begin):
            return Region(place, place + 1, [])
        if not unwrapper.alphabet:
            return self._windowed(unwrapper, place)
        alphabet = unwrapper.alphabet
        start = run_before(self._buffer, max(self._floor, place - LOOKBACK), place, alphabet)
        end = self._run_after(alphabet, place, start)
        found = unwrapper.unwrap_at(bytes(self._buffer[start:end]), place - start)
        if found is None:
            return Region(start, place + 1, [])
        return self._decoded(found.view, found.encoding, place, start, end)

    def _windowed(self, unwrapper: RegionUnwrapper, place: int) -> Region:
        """The region of an encoding whose text ends where only the unwrapper can find it."""
        # A small window first: most wide text is short, and a binary may have many pieces of it.
        for reach in (_NEAR, LOOKAHEAD):
            start = max(self._floor, place - min(reach, LOOKBACK))
            end = min(self._end, place + reach)
            found = unwrapper.unwrap_at(bytes(self._buffer[start:end]), place - start)
            if found is None:
                return Region(place, place + 1, [])
            name, view = found
            first, last = view.span(0, len(view.data))
            if first > WIDEST_UNIT and start + last < end - WIDEST_UNIT:
                break
        # Only now, unlike with an alphabet: the run's end is known after decoding.
        # A unit that the end of the data cuts is not in the view: the region reaches that end.
        cut = start + last > self._end - WIDEST_UNIT
        self._need(place, self._end if cut else start + last, start + first)
        return self._decoded(view, name, place, start, start + last)

    def _decoded(self, view: View, name: str, place: int, start: int, end: int) -> Region:
        if self._rescan is None:
            return Region(start, place + 1, [])
        matches = self._matches(view, name, start, end) if len(view.data) >= _SHORTEST else []
        return Region(start, self._settled(place, end), matches)

    def _settled(self, place: int, end: int) -> int:
        """Where the next region may begin. A region that LOOKAHEAD cut is settled only as far as a
        whole token would still have fitted.
        """
        return end if end < place + LOOKAHEAD else place + LOOKAHEAD // 2

    def _region(self, unwrapper: Unwrapper, place: int) -> Region:
        # A line of a thousand percent-encoded tokens is decoded once, not a thousand times.
        last = self._last.get(unwrapper.name)
        if last is not None and last.start <= place < last.end:
            return last
        start = run_before(
            self._buffer, max(self._floor, place - LOOKBACK), place, unwrapper.alphabet
        )
        end = self._run_after(unwrapper.alphabet, place, place)
        return self._unwrap(unwrapper, place, start, end)

    def _lines(self, unwrapper: LineUnwrapper, place: int, start: int) -> Region:
        """The region from the line at `start` up to where it is whole, and every line that begins
        in between.
        """
        last = self._last.get(unwrapper.name)
        if last is not None and last.start <= place < last.end:
            return last
        limit = min(self._end, place + LOOKAHEAD)
        # `extent` reads records until all lines are whole: a second, longer try is rare.
        for reach in (_NEAR_LINES, limit - start):
            extent = unwrapper.extent(bytes(self._buffer[start : min(limit, start + reach)]))
            if extent is not None:
                return self._unwrap(unwrapper, place, start, start + extent)
        self._need(place, limit, start)
        return self._unwrap(unwrapper, place, start, limit)

    def _unwrap(self, unwrapper: Unwrapper, place: int, start: int, end: int) -> Region:
        view = unwrapper.unwrap(bytes(self._buffer[start:end]))
        matches = [] if view is None else self._matches(view, unwrapper.name, start, end)
        region = Region(start, self._settled(place, end), matches)
        # Anchors come in order, so only the last region of an encoding can have further ones.
        self._last[unwrapper.name] = region
        return region

    def _run_after(self, alphabet: bytes, place: int, start: int) -> int:
        # The run is matched in place: a copy of LOOKAHEAD bytes for each anchor would be quadratic.
        limit = min(self._end, place + LOOKAHEAD)
        run = _run(alphabet).match(self._buffer, place, limit) if alphabet else None
        end = limit if run is None else run.end()
        self._need(place, end, start)
        return end

    def _need(self, place: int, end: int, start: int) -> None:
        """Wait for more bytes, and keep all from `start`, when a region reaches the end of the data
        and could continue.
        """
        if end == self._end and not self._final and self._end - place < LOOKAHEAD:
            raise Undecided(start, growing=True)

    def _matches(self, view: View, name: str, start: int, end: int) -> list[TokenMatch]:
        assert self._rescan is not None
        matches = []
        for inner in self._rescan(view.data):
            first, last = view.span(inner.start, inner.end)
            before, after = inner.before, inner.after
            if before is None or after is None:
                before = view.data[max(0, inner.start - CONTEXT) : inner.start]
                after = view.data[inner.end : inner.end + CONTEXT]
            # Where the decoded text is short, the plain text around the region says where the token
            # is: `token=` before its percent-encoded form.
            if len(before) < CONTEXT:
                before = bytes(self._buffer[max(self._floor, start - CONTEXT) : start]) + before
            if len(after) < CONTEXT:
                after += bytes(self._buffer[end : min(self._end, end + CONTEXT)])
            # Between the records of one stream are those of another, which are not the token's.
            pieces: tuple[tuple[int, int], ...] = ()
            if name in _SPLIT:
                pieces = tuple(
                    (start + a, start + b) for a, b in view.pieces(inner.start, inner.end)
                )
            matches.append(
                TokenMatch(
                    start + first,
                    start + last,
                    inner.token,
                    encodings=(name, *inner.encodings),
                    before=before,
                    after=after,
                    pieces=pieces,
                )
            )
        # Joined records come in the order in which their lines begin, tokens in the order in which
        # they are whole.
        matches.sort(key=_by_start)
        return matches
