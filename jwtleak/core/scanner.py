"""The scanner: proposes candidates at anchors, decodes an encoding where one is in the way, and
lets the JOSE parser decide.

Promises: the matches depend on the bytes alone, not on how they were cut. A candidate that more
bytes could change is not reported; `ScanResult.resume` is the offset to scan again from. Time is
linear in the bytes, whatever they are. Refuses to search further than LOOKBACK before an anchor and
LOOKAHEAD behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from operator import attrgetter

import msgspec
from msgspec.structs import replace

from jwtleak.core import json_serialization
from jwtleak.core.anchors import (
    BASE64URL,
    MAX_STARTS,
    SHORTEST,
    Anchors,
    Needle,
    header_starts,
    run_before,
)
from jwtleak.core.compact import Buffer, Matcher
from jwtleak.core.matches import TokenMatch, rank
from jwtleak.core.regions import LOOKAHEAD, LOOKBACK, Regions, Rescan, Undecided
from jwtleak.core.unwrap import RegionUnwrapper
from jwtleak.types import MAX_TOKEN, Rejection

# How deep encodings may nest (a percent-encoded JSON string in base64). Each level costs a pass
# over its region.
MAX_DEPTH = 3

# Bytes that may be between the beginning of a token, in whatever encoding, and its first anchor.
_RUN = BASE64URL + b"+/=\0\r\n"

# First bytes of an escaped `=`: %3D, \\u003d, &#61;, =3D.
_ESCAPES = b"%\\&="

_by_start = attrgetter("start")


class ScanResult(msgspec.Struct, frozen=True):
    """The matches of one pass. Bytes from `resume` on are not judged yet. `growing` says that a
    candidate reaches the very end.
    """

    matches: list[TokenMatch]
    resume: int
    growing: bool


class Scanner:
    """Scans buffers. Keeps nothing between them except the matcher's caches and the rejections,
    counted by reason.
    """

    def __init__(self, max_token: int = MAX_TOKEN) -> None:
        self.max_token = max_token
        self.matcher = Matcher()
        self.rejections: dict[str, int] = {}

    def scan(
        self,
        buffer: Buffer,
        floor: int,
        start: int,
        end: int,
        *,
        final: bool,
        reported: int = 0,
        claimed: Sequence[tuple[int, int]] = (),
        depth: int = MAX_DEPTH,
    ) -> ScanResult:
        """Judge `buffer[start:end]`; [floor, start) is context. `final` when nothing can follow
        `end`.

        No match begins before `reported`, the end of the last match of earlier scans (of its first
        piece, if it has several), nor in `claimed`, the further pieces of earlier matches.
        """
        # The end of most files: the last line break was left over from the read before.
        if final and end - start < SHORTEST:
            return ScanResult([], end, False)
        anchors = Anchors(buffer, start, end)
        try:
            regions = Regions(buffer, floor, end, final, self.rescan(depth))
            scan = _Pass(self, buffer, floor, end, final, anchors, regions)
            return scan.run(start, reported, claimed)
        finally:
            anchors.release()

    def rescan(self, depth: int) -> Rescan | None:
        """How regions scan decoded text, or None at the bound on nesting."""
        if depth == 0:
            return None
        return lambda data: self.scan(data, 0, 0, len(data), final=True, depth=depth - 1).matches


class _Pass:
    """One walk over one buffer.

        floor          start     reported                                    end
        |   context    |         |    1      2         3           4         |
        |   only       |#########|    eyJ... eyJ (in   ZXlK......  ImFsZ     |
        |              |reported |    token  claims)   region      "alg"     |

        1  `eyJ`: match a token here; `reported` moves behind it.
        2  Skipped: it is in bytes that are reported now.
        3  The needle of a region: decode all of it. It reaches past other anchors, so its matches
           wait in `ahead` until the walk comes to where they begin.
        4  `"alg"` in base64: the header began before it; try each place where it may have.

    Anchors come in order. The walk ends at `end`, or at the first candidate that more bytes could
    change: everything from there is scanned again, with more bytes. That place is never before
    `reported`, or a token would be reported twice.
    """

    def __init__(
        self,
        scanner: Scanner,
        buffer: Buffer,
        floor: int,
        end: int,
        final: bool,
        anchors: Anchors,
        regions: Regions,
    ) -> None:
        self._scanner = scanner
        self._buffer = buffer
        self._floor = floor
        self._end = end
        self._final = final
        self._anchors = anchors
        self._regions = regions
        # Heap of the further pieces of split matches, and where the last piece ended that the walk
        # has passed.
        self._claimed: list[tuple[int, int]] = []
        self._passed = 0
        # End of the last run of base64url in which a header failed, and how many failed in it.
        self._run_end = 0
        self._failed = 0
        # For each alignment: headers that begin before this were tried.
        self._tried = [floor] * 4

    def run(self, start: int, reported: int, claimed: Sequence[tuple[int, int]]) -> ScanResult:
        self._claimed = sorted(claimed)
        matches: list[TokenMatch] = []
        ahead: list[TokenMatch] = []  # matches of regions, the nearest last
        at = start
        while True:
            hit = self._anchors.next(at)
            if ahead and (hit is None or ahead[-1].start <= hit[0]):
                # A region reaches past anchors that are still to be visited: its matches wait here,
                # so that matches come out in the order of the stream.
                found: Iterable[TokenMatch] = (ahead.pop(),)
            elif hit is None:
                break
            else:
                place, needle = hit
                at = place + 1
                # Bytes that were reported hold nothing new. One case remains: the last scan stopped
                # within a region, so this one resumes at the region's anchor, which precedes the
                # matches of it that were reported. The region has more behind them.
                resumes_region = place == start and needle.unwrapper is not None
                if (place < reported and not resumes_region) or self._is_claimed(place):
                    continue
                try:
                    found = self._at(place, needle)
                except Undecided as undecided:
                    # A region may begin before `start`, which is only context, and a reported match
                    # must not be scanned twice.
                    resume = max(start, reported, min(place, undecided.start))
                    return ScanResult(matches, self._resume_with(resume, ahead), undecided.growing)
                if needle.unwrapper is not None:
                    found = [
                        replace(match, anchor=place) if place < match.start else match
                        for match in found
                    ]
                    ahead = sorted((*ahead, *found), key=_by_start, reverse=True)
                    continue
            for match in found:
                # Two regions may contain the same token, and a header may begin before an anchor
                # that follows a reported match: the first reading wins.
                if match.start >= max(reported, self._passed):
                    matches.append(match)
                    # Only behind the first piece: between the records of a split line are those of
                    # another stream, with tokens of their own.
                    reported = match.first_end
                    for piece in match.pieces[1:]:
                        heappush(self._claimed, piece)
                    at = max(at, reported)
        if self._final:
            return ScanResult(matches, self._end, False)
        return ScanResult(matches, max(start, reported, self._unfinished()), False)

    def _resume_with(self, resume: int, ahead: list[TokenMatch]) -> int:
        """Where to resume so that matches ahead are found again: at their anchors, unless those are
        too far back for a buffer. Then they are found if they have a needle of their own, as nearly
        all do.
        """
        near = (match.rescan_from for match in ahead)
        return min([resume, *(place for place in near if self._end - place < LOOKAHEAD)])

    def _is_claimed(self, place: int) -> bool:
        """Whether `place`, which only grows, is in a further piece of a match."""
        while self._claimed and self._claimed[0][1] <= place:
            self._passed = max(self._passed, heappop(self._claimed)[1])
        return bool(self._claimed) and self._claimed[0][0] <= place

    def _unfinished(self) -> int:
        """Where a token may begin whose anchor is still to come: the run that reaches the end of
        the data. A needle that the end cuts is in it.
        """
        return run_before(self._buffer, max(self._floor, self._end - LOOKBACK), self._end, _RUN)

    def _at(self, place: int, needle: Needle) -> Iterable[TokenMatch]:
        if needle.unwrapper is not None:
            return self._region(place, needle.unwrapper)
        return self._plain(place) if needle.role == "header" else self._before(place, needle)

    def _region(self, place: int, unwrapper: RegionUnwrapper) -> list[TokenMatch]:
        region = self._regions.encoded(unwrapper, place)
        # Its other needles would decode the same bytes again.
        self._anchors.skip(unwrapper.name, region.end)
        return region.matches

    def _before(self, place: int, needle: Needle) -> list[TokenMatch]:
        """Headers around an `"alg"`: those with white space, or behind characters that are not
        theirs.
        """
        aligned = (place - needle.phase) % 4
        # Headers before this were tried at an earlier "alg" of the same alignment and failed.
        floor = max(self._tried[aligned], place - LOOKBACK)
        if place >= self._run_end:
            self._failed = 0
        for start in header_starts(self._buffer, floor, place, needle.phase):
            found = self._plain(start)
            if found:
                return found
            self._failed += 1
            if self._failed >= MAX_STARTS:
                # Each failure has read the run to its end: more would be quadratic in it.
                self._anchors.skip("alg", self._run_end)
                return []
        self._tried[aligned] = place
        # A line break or an escape may have cut the header before this anchor.
        begin = run_before(self._buffer, floor, place)
        return self._best(None, self._regions.unwrapped(place, begin - 1)) if begin > floor else []

    def _plain(self, start: int) -> list[TokenMatch]:
        """The token whose header begins at `start`, plain or with an encoding in its way."""
        limit = min(self._end, start + self._scanner.max_token)
        match = self._scanner.matcher.at(self._buffer, start, limit)
        if isinstance(match, Rejection):
            self._need(start, match.end)
            found = self._best(None, self._regions.unwrapped(start, match.end))
            if not found:
                rejections = self._scanner.rejections
                rejections[match.reason] = rejections.get(match.reason, 0) + 1
                # `eyJ` within the same run would fail like this one: "alg" finds headers there.
                self._anchors.skip("header", match.end)
                if start >= self._run_end:
                    self._failed = 0  # another run
                self._run_end = max(self._run_end, match.end)
            return found
        self._need(start, match.stop)
        # Nearly every token: whole, and no escape behind it that could be its padding.
        if match.token.integrity == "whole" and not (
            match.end < self._end
            and self._buffer[match.end] in _ESCAPES
            and self._escaped_padding(match)
        ):
            return [match]
        return self._best(match, self._alternatives(match))

    def _alternatives(self, match: TokenMatch) -> Iterator[TokenMatch]:
        """Other readings of the token at `match`: a JSON serialisation, or an encoding."""
        header = match.token.header
        if (
            header
            and match.token.claims is None
            and json_serialization.is_protected_value(self._buffer, match.start)
        ):
            floor = max(self._floor, match.start - LOOKBACK)
            found = json_serialization.match_object(
                self._buffer, match.start, header, floor, self._end
            )
            if found is not None:
                yield found
            elif not self._final and self._end - match.start < LOOKAHEAD:
                # The object's closing brace may be still to come.
                raise Undecided(match.start, growing=True)
        yield from self._regions.unwrapped(match.start, match.stop)
        yield from self._regions.split_lines(match.start)

    def _best(self, plain: TokenMatch | None, others: Iterable[TokenMatch]) -> list[TokenMatch]:
        """The reading with the highest rank."""
        best = plain
        for match in others:
            # Any line may follow any other: joined lines count only when they make a whole token.
            if match.encodings[:1] == ("line_wrap",) and match.token.integrity != "whole":
                continue
            if best is None or rank(match.token) > rank(best.token):
                best = match
        return [] if best is None else [best]

    def _escaped_padding(self, match: TokenMatch) -> bool:
        """Whether the padding of the last segment may follow in an escaped form (`%3D`)."""
        last = match.end - self._buffer.rfind(b".", match.start, match.end) - 1
        return match.end == match.stop and last % 4 in (2, 3)

    def _need(self, start: int, stop: int) -> None:
        """Wait for more bytes when those examined reach the end of the data and a token still has
        room to grow.
        """
        if stop >= self._end and not self._final and self._end - start < self._scanner.max_token:
            raise Undecided(start, growing=True)
