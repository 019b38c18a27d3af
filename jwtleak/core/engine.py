"""The engine: bytes of one stream in, findings out, without I/O (the shape of
`asyncio.BufferedProtocol`).

The owner asks for `get_buffer()`, reads into it, and says how much with `buffer_updated(n)`;
`close()` at the end. Promises: findings are the same however the bytes were cut; memory is one
buffer; `resume_offset` is the first byte that is not fully judged; each finding comes out as soon
as no later byte can change it.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Literal

import msgspec
import stringzilla

from jwtleak.core.channel import Channels
from jwtleak.core.context import RECORD, ContextWindow, finding_at, repeat_at, wants_more
from jwtleak.core.custom_patterns import Spot, UserPatterns, UserSearch, without_doubles
from jwtleak.core.fingerprint import HEAD, Occurrences, SeenTokens, token_sha256
from jwtleak.core.line_buffer import count_newlines
from jwtleak.core.matches import TokenMatch
from jwtleak.core.regions import LOOKAHEAD, LOOKBACK
from jwtleak.core.scanner import Scanner
from jwtleak.types import Finding

# Bytes asked for in one read: large enough that the work per read vanishes, small enough to stay in
# a core's L2 cache.
READ_SIZE = 512 * 1024
# Copying from the page cache is several times slower to an address a little above a multiple of
# this than to others.
_PAGE = 4096

# Context; what is held, from before its anchor to where it is waited for, and the rest of its line;
# a read.
_CAPACITY = LOOKBACK + (LOOKBACK + LOOKAHEAD + RECORD) + READ_SIZE + 2 * _PAGE


class Owned(msgspec.Struct, frozen=True):
    """The part of a stream [start, stop) whose findings are wanted: a token belongs where its first
    byte stands.
    """

    start: int
    stop: int


_ALL = Owned(0, 1 << 62)


class Engine:
    """Finds leaks in one stream after another, reusing its buffer and its memory of headers."""

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
        # What is deleted in front moves the begin, without a copy, to the middle of a page.
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
    ) -> None:
        """Begin a stream. `offset` is that of the first byte to come; `head` its first bytes where
        `offset` is not 0.

        With `sighted`, further sightings of a token it remembers come as a `Finding` marked
        `repeat`, at a quarter of the cost. It is for owners that read a stream once and to its end:
        not together with `early`, nor with user patterns.
        """
        if self._patterns is not None:
            self._patterns.open(offset)
        self._opened = offset
        self._base = offset  # stream offset of buffer[0]
        self._end = 0  # bytes in the buffer
        self._held = 0  # buffer index of the first byte that is not judged
        self._waiting: list[Finding] = []  # found, but what may stand before them is not known yet
        self._given = (
            0  # buffer index behind the last leak that was given, or behind its first piece
        )
        self._taken: list[
            tuple[int, int]
        ] = []  # and its further pieces, where a token is split over records
        self._counted = max(0, owned.start - offset)  # newlines are counted up to this buffer index
        self._lines = 0
        self._line_start = offset  # stream offset behind the last newline that left the buffer
        self._owned = owned
        self._mtime_ms = mtime_ms
        self._sighted = sighted
        self._head = head
        self._occurrences: Occurrences | None = None
        self.pending: Literal["context", "growing"] | None = None

    @property
    def resume_offset(self) -> int:
        """The first byte of the stream that is not fully judged."""
        if self._patterns is None:
            return self._base + self._held
        return min(self._base + self._held, max(self._base, self._patterns.block))

    @property
    def has_patterns(self) -> bool:
        """Whether user patterns are looked for."""
        return self._patterns is not None

    @property
    def slow_patterns(self) -> int:
        """How often a user pattern ran out of time, so that its hits may be missing."""
        return 0 if self._patterns is None else self._patterns.timeouts

    def get_buffer(self) -> memoryview:
        """Where the next bytes go; at least READ_SIZE long."""
        self._make_room()
        return memoryview(self._buffer)[self._end : self._end + READ_SIZE]

    def buffer_updated(self, count: int) -> list[Finding]:
        """`count` more bytes are in the buffer."""
        self._end += count
        if len(self._head) < HEAD and self._base == 0:
            self._head = bytes(self._buffer[: min(HEAD, self._end)])
        return self._judge(final=False)

    def feed(self, data: bytes) -> list[Finding]:
        """Copy `data` in and return what it completes."""
        findings = []
        for at in range(0, len(data), READ_SIZE):
            part = data[at : at + READ_SIZE]
            self.get_buffer()[: len(part)] = part
            findings += self.buffer_updated(len(part))
        return findings

    def settle(self) -> list[Finding]:
        """After a short silence: what waits for the rest of its line only. A token that may still
        grow stays held.
        """
        if self.pending != "context":
            return []
        findings = self._judge(final=False, patient=False)
        if (
            self.pending == "context"
        ):  # a hit of a user pattern, which only more bytes or the end make certain
            self.pending = "growing"
        return findings

    def early(self) -> list[Finding]:
        """What there would be if nothing followed. The stream goes on as if this had not been
        asked: what is held is judged again with the bytes to come, and then given again, or as
        something longer at the same offset.
        """
        kept = (
            self._held,
            self._given,
            self._taken,
            self._counted,
            self._lines,
            self._waiting,
            self.pending,
        )
        hits = 0 if self._patterns is None else self._patterns.given
        try:
            return self._judge(final=True)
        finally:
            (
                self._held,
                self._given,
                self._taken,
                self._counted,
                self._lines,
                self._waiting,
                self.pending,
            ) = kept
            if self._patterns is not None:
                self._patterns.given = hits

    def flush(self) -> list[Finding]:
        """After a silence: what waits for its line; after a longer one, what is held as if nothing
        followed.
        """
        return (
            self.settle()
            if self.pending == "context"
            else self._judge(final=True)
            if self.pending
            else []
        )

    def close(self) -> list[Finding]:
        """The stream is over: judge the rest."""
        return self._judge(final=True)

    def _make_room(self) -> None:
        keep = self.resume_offset - self._base - LOOKBACK
        keep = max(
            0, keep - (keep - self._end) % _PAGE
        )  # reads begin between pages, as the buffer does
        if keep == 0 or _CAPACITY - self._end >= READ_SIZE:
            return
        self._count_to(keep)
        last = self._buffer.rfind(b"\n", 0, keep)
        if last >= 0:
            self._line_start = self._base + last + 1
        rest = self._end - keep
        memoryview(self._buffer)[:rest] = memoryview(self._buffer)[
            keep : self._end
        ]  # a slice of the buffer would be a copy
        self._base += keep
        self._end = rest
        self._held -= keep
        self._given = max(0, self._given - keep)
        self._taken = [(start - keep, stop - keep) for start, stop in self._taken if stop > keep]
        self._counted -= keep

    def _count_to(self, index: int) -> None:
        index = min(index, self._owned.stop - self._base)
        if index > self._counted:
            self._lines += count_newlines(memoryview(self._buffer)[self._counted : index])
            self._counted = index

    def _judge(self, *, final: bool, patient: bool = True) -> list[Finding]:
        floor = max(0, self._held - LOOKBACK)
        scan = self._scanner.scan(
            self._buffer,
            floor,
            self._held,
            self._end,
            final=final,
            given=self._given,
            taken=self._taken,
        )
        self._held = scan.held
        self.pending = "growing" if scan.growing else None
        findings = []
        window = ContextWindow(
            self._buffer, self._base, self._end, self._line_start, self._mtime_ms
        )
        for leak in scan.matches:
            if not final and patient and wants_more(window, leak):
                self._held, self.pending = leak.rescan_from, "context"
                break
            self._given = leak.first_end
            if leak.pieces:
                self._taken = [*(one for one in self._taken if one[1] > floor), *leak.pieces[1:]]
            if self._owned.start <= self._base + leak.start < self._owned.stop:
                findings.append(self._finding(window, leak))
        return (
            findings
            if self._patterns is None
            else self._with_hits(self._patterns, window, findings, final=final)
        )

    def _with_hits(
        self, patterns: UserSearch, window: ContextWindow, findings: list[Finding], *, final: bool
    ) -> list[Finding]:
        """`findings`, and what user patterns found beside them, in order; a token that both found
        is a token.

        Neither goes out before the other has been looked for up to there.
        """
        waiting = self._waiting + findings
        for spot in patterns.scan(self._buffer, self._base, self._end, final=final):
            if self._owned.start <= self._base + spot.start < self._owned.stop:
                waiting.append(self._finding(window, spot))
        waiting.sort(key=attrgetter("offset"))
        settled = self._base + self._end if final else self.resume_offset
        ready = without_doubles([one for one in waiting if one.offset < settled])
        self._waiting = [one for one in waiting if one.offset >= settled]
        if self.pending is None and not final and patterns.has_rest(self._base + self._end):
            self.pending = "context" if self._waiting else "growing"
        return ready

    def _finding(self, window: ContextWindow, leak: TokenMatch | Spot) -> Finding:
        sha256 = token_sha256(leak.token.raw.reveal())
        if self._sighted is not None and self._sighted.again(sha256):
            return repeat_at(window, leak, sha256)
        self._count_to(leak.start)
        return finding_at(window, leak, sha256, self._lines + 1, self._channels)

    def lines_owned(self) -> tuple[int, int | None]:
        """(Newlines in the part that is owned, the offset behind the last of them or None), once it
        was read whole.
        """
        stop = min(self._end, self._owned.stop - self._base)
        self._count_to(stop)
        last = self._buffer.rfind(b"\n", 0, max(0, stop))
        start = self._base + last + 1 if last >= 0 else self._line_start
        return self._lines, start if self._lines else None

    def position(self) -> tuple[int, int | None]:
        """(Newlines of the owned part before `resume_offset`, the offset behind the last newline
        before it or None where none was read).
        """
        index = self.resume_offset - self._base
        more = (
            count_newlines(memoryview(self._buffer)[self._counted : index])
            if index > self._counted
            else 0
        )
        last = self._buffer.rfind(b"\n", 0, index)
        if last >= 0:
            return self._lines + more, self._base + last + 1
        return self._lines + more, self._line_start if self._line_start > self._opened else None

    def rest(self) -> bytes:
        """The line in which `resume_offset` stands, and all that follows it."""
        index = self.resume_offset - self._base
        return bytes(self._buffer[self._buffer.rfind(b"\n", 0, index) + 1 : self._end])

    def occurrence(self, finding: Finding) -> str:
        """The stable name of `finding` in this stream."""
        if self._occurrences is None or len(self._occurrences.head) < len(self._head):
            self._occurrences = Occurrences(self._head)
        return self._occurrences.name(finding.offset, finding.length, finding.sha256)
