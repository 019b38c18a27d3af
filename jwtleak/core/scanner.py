"""The scanner: proposes candidates at anchors, undoes encodings where one stands in the way, lets
the judge decide.

Promises: what is found depends on the bytes alone, not on how they were cut: a candidate that more
bytes could change is held, and `Scan.held` says from where. Time is linear in the bytes, whatever
they are. Refuses to look further than LOOKBACK before an anchor and LOOKAHEAD after it.
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
from jwtleak.core.regions import LOOKAHEAD, LOOKBACK, Region, Regions, Rescan, Undecided
from jwtleak.types import MAX_TOKEN, Rejection

# How deep encodings may nest (a percent-encoded JSON string in base64): each level costs a pass
# over its region.
MAX_DEPTH = 3

# What may stand between the beginning of a token, in whatever encoding, and its first anchor.
_RUN = BASE64URL + b"+/=\0\r\n"

# What an escaped `=` begins with: %3D, \\u003d, &#61;, =3D.
_ESCAPES = b"%\\&="

# Anchors of whole regions: what is found there may stand far behind the anchor.
_REGIONAL = ("base64", "wide")

_by_start = attrgetter("start")


class ScanResult(msgspec.Struct, frozen=True):
    """What one pass found. Bytes from `held` on are not judged yet; `growing` when a candidate
    reaches the very end.
    """

    matches: list[TokenMatch]
    held: int
    growing: bool


class Scanner:
    """Scans buffers. Keeps nothing between them but what the matcher remembers and the rejections
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
        given: int = 0,
        taken: Sequence[tuple[int, int]] = (),
        depth: int = MAX_DEPTH,
    ) -> ScanResult:
        """Judge `buffer[start:end]`; [floor, start) is context. `final` when nothing can follow
        `end`; no leak begins before `given`, where the last one that was given ended, nor in one of
        its further pieces, `taken`.
        """
        if final and end - start < SHORTEST:
            return ScanResult(
                [], end, False
            )  # the end of most files: the last line break is held back
        anchors = Anchors(buffer, start, end)
        try:
            return _Pass(self, buffer, floor, end, final, taken, depth, anchors).run(start, given)
        finally:
            anchors.release()

    def rescan(self, depth: int) -> Rescan | None:
        """How regions scan decoded text, or None where the bound on nesting is reached."""
        if depth == 0:
            return None
        return lambda data: self.scan(data, 0, 0, len(data), final=True, depth=depth - 1).matches


class _Pass:
    """One walk over one buffer."""

    def __init__(
        self,
        scanner: Scanner,
        buffer: Buffer,
        floor: int,
        end: int,
        final: bool,
        taken: Sequence[tuple[int, int]],
        depth: int,
        anchors: Anchors,
    ) -> None:
        self._scanner = scanner
        self._buffer = buffer
        self._floor = floor
        self._end = end
        self._final = final
        self._anchors = anchors
        self._regions = Regions(buffer, floor, end, final, scanner.rescan(depth))
        self._taken = sorted(
            taken
        )  # heap of the pieces of leaks that were found, behind their first ones
        self._passed = 0  # where the last of those ended that were passed
        self._run_end = 0  # where the last run ends in which a header was tried and failed
        self._failed = 0  # headers that failed in it
        self._tried = [
            floor
        ] * 4  # for each alignment: headers that begin before this have been tried

    def run(self, start: int, given: int) -> ScanResult:
        leaks: list[TokenMatch] = []
        ahead: list[
            TokenMatch
            # of regions, which reach past places that are still to be looked at; the nearest last
        ] = []
        at = start
        while True:
            hit = self._anchors.next(at)
            if ahead and (hit is None or ahead[-1].start <= hit[0]):
                found: Iterable[TokenMatch] = (ahead.pop(),)
            elif hit is None:
                break
            else:
                place, needle = hit
                at = place + 1
                # Before what was given only the anchor of a region counts, of which more than that
                # is to be given.
                if (
                    place < given and (place > start or needle.role not in _REGIONAL)
                ) or self._is_taken(place):
                    continue
                try:
                    found = self._at(place, needle)
                except Undecided as undecided:
                    held = max(start, given, min(place, undecided.start))
                    return ScanResult(leaks, self._held(held, ahead), undecided.growing)
                if needle.role in _REGIONAL:
                    found = [
                        replace(leak, anchor=place) if place < leak.start else leak
                        for leak in found
                    ]
                    ahead = sorted((*ahead, *found), key=_by_start, reverse=True)
                    continue
            for leak in found:
                if leak.start >= max(given, self._passed):
                    leaks.append(leak)
                    # Among the records of a split line those of another stream stand, with tokens
                    # of their own.
                    given = leak.first_end
                    for piece in leak.pieces[1:]:
                        heappush(self._taken, piece)
                    at = max(at, given)
        return ScanResult(
            leaks, self._end if self._final else max(start, given, self._unfinished()), False
        )

    def _held(self, held: int, ahead: list[TokenMatch]) -> int:
        """What to hold so that leaks ahead are found again: from their anchors on, unless those are
        too far back for a buffer. Then they are found if they have a needle of their own, as nearly
        all have.
        """
        return min(
            [
                held,
                *(leak.rescan_from for leak in ahead if self._end - leak.rescan_from < LOOKAHEAD),
            ]
        )

    def _is_taken(self, place: int) -> bool:
        """Whether `place`, which only grows, belongs to a leak that was found further before."""
        while self._taken and self._taken[0][1] <= place:
            self._passed = max(self._passed, heappop(self._taken)[1])
        return bool(self._taken) and self._taken[0][0] <= place

    def _unfinished(self) -> int:
        """Where a token may have begun whose anchor is still to come: the run that reaches the end
        of the data. It holds every needle that the end cuts.
        """
        return run_before(self._buffer, max(self._floor, self._end - LOOKBACK), self._end, _RUN)

    def _at(self, place: int, needle: Needle) -> Iterable[TokenMatch]:
        match needle.role:
            case "header":
                return self._plain(place)
            case "alg":
                return self._before(place, needle)
            case "base64":
                return self._region(self._regions.base64(place), needle)
            case _:
                return self._region(self._regions.wide(place), needle)

    def _region(self, region: Region, needle: Needle) -> list[TokenMatch]:
        self._anchors.skip(needle.role, region.end)
        return region.matches

    def _before(self, place: int, needle: Needle) -> list[TokenMatch]:
        """Headers around an `"alg"`: written with white space, or behind characters that are not
        theirs.
        """
        aligned = (place - needle.phase) % 4
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
                self._scanner.rejections[match.reason] = (
                    self._scanner.rejections.get(match.reason, 0) + 1
                )
                self._anchors.skip("header", match.end)
                if start >= self._run_end:
                    self._failed = 0  # another run
                self._run_end = max(self._run_end, match.end)
            return found
        self._need(start, match.stop)
        if match.token.integrity == "whole" and not (
            match.end < self._end
            and self._buffer[match.end] in _ESCAPES
            and self._escaped_padding(match)
        ):
            return [match]
        return self._best(match, self._alternatives(match))

    def _alternatives(self, match: TokenMatch) -> Iterator[TokenMatch]:
        """Other readings of what stands at `match`, in which an encoding or a serialisation is
        understood.
        """
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
                raise Undecided(match.start, growing=True)
        yield from self._regions.unwrapped(match.start, match.stop)
        yield from self._regions.split_lines(match.start)

    def _best(self, plain: TokenMatch | None, others: Iterable[TokenMatch]) -> list[TokenMatch]:
        """The highest reading of one place. Joined lines are believed only when they make a whole
        token.
        """
        best = plain
        for leak in others:
            if leak.encodings[:1] == ("line_wrap",) and leak.token.integrity != "whole":
                continue
            if best is None or rank(leak.token) > rank(best.token):
                best = leak
        return [] if best is None else [best]

    def _escaped_padding(self, match: TokenMatch) -> bool:
        """Whether the padding of the last segment may follow in an escaped form (`%3D`)."""
        last = match.end - self._buffer.rfind(b".", match.start, match.end) - 1
        return match.end == match.stop and last % 4 in (2, 3)

    def _need(self, start: int, stop: int) -> None:
        """Wait for more where the bytes looked at reach the end of the data and a token could still
        fit.
        """
        if stop >= self._end and not self._final and self._end - start < self._scanner.max_token:
            raise Undecided(start, growing=True)
