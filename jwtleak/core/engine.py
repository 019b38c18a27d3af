"""The engine: bytes of one stream in, findings out, without I/O (the shape of
`asyncio.BufferedProtocol`).

    open(...)                          begin a stream
    get_buffer(), buffer_updated(n)    bytes came: the findings that they complete
    settle()                           no bytes came for a while: what need not wait longer
    close(), close(tentative=True)     the stream ends here, or what it would say if it did

Promises: findings are the same however the bytes were cut. Memory is one buffer. `resume_offset` is
the first byte that is not fully judged. A finding comes out as soon as no later byte can change it.
Refuses to know the time: its owner decides how long a silence is.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Literal, TypeAlias

import msgspec
import stringzilla
from msgspec.structs import replace

from jwtleak.core.channel import Channels
from jwtleak.core.context import RECORD, ContextWindow, finding_at, repeat_at, wants_more
from jwtleak.core.custom_patterns import PatternMatch, UserPatterns, UserSearch, without_doubles
from jwtleak.core.fingerprint import HEAD, Occurrences, SeenTokens, token_sha256
from jwtleak.core.line_buffer import count_newlines
from jwtleak.core.matches import TokenMatch
from jwtleak.core.regions import LOOKAHEAD, LOOKBACK
from jwtleak.core.scanner import Scanner
from jwtleak.types import Context, Finding

# Bytes asked for in one read: large enough that the work per read vanishes, small enough to stay in
# a core's L2 cache.
READ_SIZE = 512 * 1024
# Copying from the page cache is several times slower to an address a little above a multiple of
# this than to others.
_PAGE = 4096

# What is judged but still context; what is not judged yet, from LOOKBACK before its anchor to the
# end of its line; one read.
_CAPACITY = LOOKBACK + (LOOKBACK + LOOKAHEAD + RECORD) + READ_SIZE + 2 * _PAGE

# What the engine waits for: the rest of a token's line, or the byte that ends a token.
Pending: TypeAlias = Literal["context", "growing"]


class Owned(msgspec.Struct, frozen=True):
    """The part of a stream [start, stop) whose findings are wanted: a token belongs to the part in
    which its first byte is.
    """

    start: int
    stop: int


_ALL = Owned(0, 1 << 62)


class _Progress(msgspec.Struct, frozen=True):
    """How far a stream is judged; all indices are those of the buffer.

    `resume` is the first byte that is not judged. `reported` is the end of the last match that was
    reported (of its first piece, if it has several), `claimed` are its further pieces. `lines`
    counts the owned newlines before `counted`. `waiting` are findings whose predecessors are not
    certain yet.
    """

    counted: int
    resume: int = 0
    reported: int = 0
    claimed: tuple[tuple[int, int], ...] = ()
    lines: int = 0
    waiting: tuple[Finding, ...] = ()
    pending: Pending | None = None

    def moved(self, keep: int) -> _Progress:
        """The same after the first `keep` bytes of the buffer were dropped."""
        claimed = tuple((start - keep, stop - keep) for start, stop in self.claimed if stop > keep)
        return replace(
            self,
            counted=self.counted - keep,
            resume=self.resume - keep,
            reported=max(0, self.reported - keep),
            claimed=claimed,
        )


class Engine:
    """Finds tokens in one stream after another, and reuses its buffer and caches."""

    def __init__(
        self,
        channels: Channels,
        scanner: Scanner | None = None,
        patterns: UserPatterns | None = None,
    ) -> None:
        self._channels = channels
        self._scanner = scanner or Scanner()
        self._patterns = (
            UserSearch(patterns) if patterns is not None and patterns.patterns else None
        )
        self.rejections = self._scanner.rejections
        self._buffer = bytearray(_CAPACITY + _PAGE)
        # Deleting bytes in front moves the beginning, without a copy, to the middle of a page.
        del self._buffer[: (_PAGE // 2 - stringzilla.Str(self._buffer).address) % _PAGE]
        self.open()

    def open(
        self,
        *,
        offset: int = 0,
        owned: Owned = _ALL,
        head: bytes = b"",
        mtime_ms: int | None = None,
        sighted: SeenTokens | None = None,
        context: Context | None = None,
    ) -> None:
        """Begin a stream. `offset` is that of the first byte to come. `head` are the stream's first
        bytes where `offset` is not 0. `context` is what the source knows: it wins over the text.

        With `sighted`, further sightings of a token in it come as a `Finding` marked `repeat`, at a
        quarter of the cost. It is for owners that read a stream once and to its end: not together
        with tentative findings, nor with user patterns.
        """
        if self._patterns is not None:
            self._patterns.open(offset)
        self._opened = offset
        self._base = offset  # stream offset of buffer[0]
        self._end = 0  # bytes in the buffer
        self._line_start = offset  # stream offset behind the last newline that left the buffer
        self._owned = owned
        self._mtime_ms = mtime_ms
        self._sighted = sighted
        self._context = context
        self._head = head
        self._occurrences: Occurrences | None = None
        self._progress = _Progress(max(0, owned.start - offset))

    @property
    def pending(self) -> Pending | None:
        """What the engine waits for: "context" for the rest of a line, "growing" for more of a
        token, None for nothing.
        """
        return self._progress.pending

    @property
    def resume_offset(self) -> int:
        """The first byte of the stream that is not fully judged."""
        resume = self._base + self._progress.resume
        if self._patterns is None:
            return resume
        return min(resume, max(self._base, self._patterns.block))

    @property
    def has_patterns(self) -> bool:
        """Whether user patterns are searched for."""
        return self._patterns is not None

    @property
    def slow_patterns(self) -> int:
        """How often a user pattern ran out of time, so that matches of it may be missing."""
        return 0 if self._patterns is None else self._patterns.timeouts

    def get_buffer(self) -> memoryview:
        """Where the next bytes go; at least READ_SIZE long."""
        self._make_room()
        return memoryview(self._buffer)[self._end : self._end + READ_SIZE]

    def buffer_updated(self, count: int) -> list[Finding]:
        """The findings that `count` more bytes in the buffer complete, in order."""
        self._end += count
        # Kept apart, since the buffer moves on: the names of findings depend on the first bytes.
        if len(self._head) < HEAD and self._base == 0:
            self._head = bytes(self._buffer[: min(HEAD, self._end)])
        findings, self._progress = self._judge(final=False)
        return findings

    def feed(self, data: bytes) -> list[Finding]:
        """`buffer_updated` for bytes that are elsewhere: they are copied into the buffer."""
        findings = []
        for at in range(0, len(data), READ_SIZE):
            part = data[at : at + READ_SIZE]
            self.get_buffer()[: len(part)] = part
            findings += self.buffer_updated(len(part))
        return findings

    def settle(self) -> list[Finding]:
        """After a silence: the findings that wait for the rest of their line. Where none does, and
        a token may still grow, that token as it is.
        """
        if self.pending is None:
            return []
        # A token that waits for its line has ended; one that grows may be half written. So the
        # first never waits for the second, and a short silence does not cut a token in two.
        waits_for_line = self.pending == "context"
        findings, progress = self._judge(final=not waits_for_line, patient=False)
        if waits_for_line and progress.pending == "context":
            # A match of a user pattern, which only more bytes or the end make certain.
            progress = replace(progress, pending="growing")
        self._progress = progress
        return findings

    def close(self, *, tentative: bool = False) -> list[Finding]:
        """The findings that the end of the stream makes certain.

        `tentative`: those that there would be if the stream ended here. It goes on as if nobody had
        asked: with the bytes to come they are found again, perhaps as something longer at the same
        offset.
        """
        # The search of user patterns has a progress of its own; its blocks move only when whole.
        before = None if self._patterns is None else self._patterns.reported
        findings, progress = self._judge(final=True)
        if not tentative:
            self._progress = progress
        elif self._patterns is not None and before is not None:
            self._patterns.reported = before
        return findings

    def _make_room(self) -> None:
        keep = self.resume_offset - self._base - LOOKBACK
        # Reads begin in the middle of a page, as the buffer does.
        keep = max(0, keep - (keep - self._end) % _PAGE)
        if keep == 0 or _CAPACITY - self._end >= READ_SIZE:
            return
        # Lines are counted before the bytes are gone. LOOKBACK bytes stay: the context of a token,
        # and the beginning of one whose needle is still to come.
        self._count_to(keep)
        last = self._buffer.rfind(b"\n", 0, keep)
        if last >= 0:
            self._line_start = self._base + last + 1
        rest = self._end - keep
        # Through views: a slice of the bytearray itself would be one more copy.
        memoryview(self._buffer)[:rest] = memoryview(self._buffer)[keep : self._end]
        self._base += keep
        self._end = rest
        self._progress = self._progress.moved(keep)

    def _count_to(self, index: int) -> None:
        """Count the owned newlines before `index`."""
        now = self._progress
        index = min(index, self._owned.stop - self._base)
        if index > now.counted:
            lines = now.lines + count_newlines(memoryview(self._buffer)[now.counted : index])
            self._progress = replace(now, lines=lines, counted=index)

    def _judge(self, *, final: bool, patient: bool = True) -> tuple[list[Finding], _Progress]:
        """The findings in the buffer that are not reported yet, and the progress behind them.

        `final` when nothing follows. `patient` findings wait for the rest of their line.
        """
        now = self._progress
        # What precedes `resume` is context only, and a region may begin in it.
        floor = max(0, now.resume - LOOKBACK)
        scan = self._scanner.scan(
            self._buffer,
            floor,
            now.resume,
            self._end,
            final=final,
            reported=now.reported,
            claimed=now.claimed,
        )
        resume, reported, claimed = scan.resume, now.reported, now.claimed
        pending: Pending | None = "growing" if scan.growing else None
        window = ContextWindow(
            self._buffer, self._base, self._end, self._line_start, self._mtime_ms, self._context
        )
        matches = []
        for match in scan.matches:
            if not final and patient and wants_more(window, match):
                # Findings come in order, so the matches behind it wait too: they are scanned again.
                resume, pending = match.rescan_from, "context"
                break
            # Also for matches that belong to another part: that part's owner reports them, and this
            # one must not find a token within them.
            reported = match.first_end
            if match.pieces:
                # The pieces of an older match can be dropped once they are out of reach.
                still = (piece for piece in claimed if piece[1] > floor)
                claimed = (*still, *match.pieces[1:])
            if self._owned.start <= self._base + match.start < self._owned.stop:
                matches.append(match)
        findings, counted, lines = self._findings(window, matches, now.counted, now.lines)
        progress = _Progress(counted, resume, reported, claimed, lines, now.waiting, pending)
        if self._patterns is None:
            return findings, progress
        return self._with_patterns(self._patterns, window, findings, progress, final=final)

    def _with_patterns(
        self,
        patterns: UserSearch,
        window: ContextWindow,
        findings: list[Finding],
        progress: _Progress,
        *,
        final: bool,
    ) -> tuple[list[Finding], _Progress]:
        """`findings` together with those of user patterns, in order. Bytes that are in a token and
        match a pattern are reported as the token.

        A pattern's block is judged later than the tokens in it, so a token waits in
        `progress.waiting` until the patterns were searched for up to there, and the reverse.
        """
        matches = [
            match
            for match in patterns.scan(self._buffer, self._base, self._end, final=final)
            if self._owned.start <= self._base + match.start < self._owned.stop
        ]
        hits, counted, lines = self._findings(window, matches, progress.counted, progress.lines)
        waiting = sorted([*progress.waiting, *findings, *hits], key=attrgetter("offset"))
        end = self._base + self._end
        # Only where both searches have passed: in between, the other may still add an earlier one.
        settled = (
            end if final else min(self._base + progress.resume, max(self._base, patterns.block))
        )
        ready = without_doubles([finding for finding in waiting if finding.offset < settled])
        rest = tuple(finding for finding in waiting if finding.offset >= settled)
        pending = progress.pending
        # A block that is not whole holds back its matches; the owner has to ask after a silence.
        if pending is None and not final and patterns.has_rest(end):
            pending = "context" if rest else "growing"
        return ready, replace(progress, counted=counted, lines=lines, waiting=rest, pending=pending)

    def _findings(
        self,
        window: ContextWindow,
        matches: Iterable[TokenMatch | PatternMatch],
        counted: int,
        lines: int,
    ) -> tuple[list[Finding], int, int]:
        """A finding for each match, and the newlines counted up to the last of them."""
        limit = self._owned.stop - self._base
        findings = []
        for match in matches:
            sha256 = token_sha256(match.token.raw.reveal())
            # Before lines are counted and the context is searched: three quarters of the work.
            if self._sighted is not None and self._sighted.again(sha256):
                findings.append(repeat_at(window, match, sha256))
                continue
            # Newlines are counted here and not as bytes come: most reads have no finding, and a
            # count costs as much as the search.
            index = min(match.start, limit)
            if index > counted:
                lines += count_newlines(memoryview(self._buffer)[counted:index])
                counted = index
            findings.append(finding_at(window, match, sha256, lines + 1, self._channels))
        return findings, counted, lines

    def lines_owned(self) -> tuple[int, int | None]:
        """(Newlines in the owned part, the offset behind the last of them or None), once it was
        read to its end.
        """
        stop = min(self._end, self._owned.stop - self._base)
        self._count_to(stop)
        last = self._buffer.rfind(b"\n", 0, max(0, stop))
        start = self._base + last + 1 if last >= 0 else self._line_start
        lines = self._progress.lines
        return lines, start if lines else None

    def position(self) -> tuple[int, int | None]:
        """(Newlines of the owned part before `resume_offset`, the offset behind the last newline
        before it or None where none was read).
        """
        index = self.resume_offset - self._base
        lines, counted = self._progress.lines, self._progress.counted
        if index > counted:
            lines += count_newlines(memoryview(self._buffer)[counted:index])
        last = self._buffer.rfind(b"\n", 0, index)
        if last >= 0:
            return lines, self._base + last + 1
        # No newline is left in the buffer: the last one that was there, if any was read at all.
        return lines, self._line_start if self._line_start > self._opened else None

    def rest(self) -> bytes:
        """The line that contains `resume_offset`, and everything behind it."""
        index = self.resume_offset - self._base
        return bytes(self._buffer[self._buffer.rfind(b"\n", 0, index) + 1 : self._end])

    def occurrence(self, finding: Finding) -> str:
        """The stable name of `finding` in this stream: 40 hex characters."""
        # A growing stream's head grows with it until it has HEAD bytes.
        if self._occurrences is None or len(self._occurrences.head) < len(self._head):
            self._occurrences = Occurrences(self._head)
        return self._occurrences.name(finding.offset, finding.length, finding.sha256)
