"""User patterns over a stream: which part of it they are run on, and when.

Promises: the parts are cut at fixed offsets of the stream, so hits do not depend on how the bytes came; each part is searched
once, after a pause at most once more; a hit is given once.
"""

from __future__ import annotations

import msgspec
import stringzilla

from jwtleak.core.custom_patterns import REACH, Hit, UserPatterns
from jwtleak.secret import Secret
from jwtleak.types import Finding, PatternHit, Token

# Bytes that one run of an expression is responsible for: large beside the REACH it also sees on either side, small enough
# that its time limit means some megabytes per second.
BLOCK = 64 * 1024

_find = stringzilla.find


class Spot(msgspec.Struct, frozen=True):
    """A hit at [start, end) of the buffer; like a `Leak`, so that both become findings alike."""

    start: int
    end: int
    token: PatternHit
    encodings: tuple[str, ...] = ()
    before: bytes | None = None
    after: bytes | None = None


class UserSearch:
    """Runs user patterns block by block. `open` begins a stream."""

    def __init__(self, patterns: UserPatterns) -> None:
        self._patterns = patterns
        self._needles = patterns.needles
        self.timeouts = 0
        self.open(0)

    def open(self, offset: int) -> None:
        """A stream whose first byte to come is at `offset`."""
        self.block = offset - offset % BLOCK  # offset of the block that is not finished
        self.given = 0  # hits that begin before this offset have been given

    def has_rest(self, end: int) -> bool:
        """Whether bytes before offset `end` stand in a block that is not whole yet."""
        return self.block < end

    def scan(self, buffer: bytearray, base: int, end: int, *, final: bool) -> list[Spot]:
        """The hits that are certain; `base` is the offset of buffer[0], `end` the bytes in it."""
        found: list[Spot] = []
        while self.block + BLOCK + REACH <= base + end:
            found += self._search(buffer, base, end, self.block)
            self.block += BLOCK
        if final:
            # The rest is one block and at most REACH of the next.
            for block in range(self.block, base + end, BLOCK):
                found += self._search(buffer, base, end, block)
        return found

    def _search(self, buffer: bytearray, base: int, end: int, block: int) -> list[Spot]:
        start = max(0, block - REACH - base)
        window = memoryview(buffer)[start : min(end, block + BLOCK + REACH - base)]
        if not any(_find(window, needle) >= 0 for needle in self._needles):
            return []
        found = self._patterns.search(bytes(window))
        self.timeouts += found.timeouts
        placed: list[Spot] = []
        for hit in found.hits:
            offset = base + start + hit.start
            if max(block, self.given) <= offset < block + BLOCK:
                placed.append(Spot(start + hit.start, start + hit.end, _token(hit, window)))
                self.given = offset + hit.end - hit.start
        return placed


def _token(hit: Hit, window: memoryview) -> PatternHit:
    one = hit.pattern
    secret = Secret(bytes(window[hit.start : hit.end]))
    return PatternHit(one.id, one.title, one.severity, one.confidence, one.references, secret)


def without_doubles(findings: list[Finding]) -> list[Finding]:
    """`findings` without the hits of user patterns that share bytes with a token."""
    taken = [(one.offset, one.offset + one.length) for one in findings if isinstance(one.token, Token)]
    return [
        one
        for one in findings
        if isinstance(one.token, Token)
        or not any(start < one.offset + one.length and one.offset < end for start, end in taken)
    ]
