"""User patterns: regular expressions that people add, run beside the detector.

Promises: an expression runs only where one of its keywords stands, for at most TIMEOUT seconds per
window; a match longer than MAX_MATCH is not reported. A run out of time is counted and returned,
never raised; the rest is still found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import stringzilla

from jwtleak.core.lazy_regex import lazy
from jwtleak.errors import PatternError
from jwtleak.secret import Secret
from jwtleak.types import Confidence, Finding, PatternHit, Severity, Token

# Seconds for one expression in one window: some megabytes per second for what is sane, and an end
# for what is not.
TIMEOUT: Final = 0.05
# Secrets that are longer than 4 KiB are files, not strings in a log.
MAX_MATCH: Final = 4096
# Text given to an expression on either side of a keyword: a whole match and its surroundings on
# both sides.
REACH: Final = 2 * MAX_MATCH
# A literal of 3 bytes occurs by chance every 16 MB of text; shorter ones would run the expression
# everywhere.
MIN_KEYWORD: Final = 3

_ID: Final = lazy(r"[a-z][a-z0-9._-]{2,63}")


class UserPattern(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[pattern]]` entry of a user's pattern file.

    `keywords` are literals (compared as written) of which one stands in every match or near it.
    `secret_group` is the group that holds the secret (default: the whole match): this is what is
    hidden and hashed.
    """

    id: str
    title: str
    regex: str
    keywords: tuple[str, ...]
    severity: Severity = "medium"
    confidence: Confidence = "medium"
    secret_group: int | str = 0
    examples: tuple[str, ...] = ()
    negative_examples: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


class Hit(msgspec.Struct, frozen=True):
    """The secret of a match: bytes [start, end) of the window."""

    pattern: UserPattern
    start: int
    end: int


class Found(msgspec.Struct, frozen=True):
    """What was found in a window, in order, and how often an expression ran out of time."""

    hits: list[Hit]
    timeouts: int


def compile_pattern(pattern: UserPattern) -> Any:
    """The compiled expression; raises PatternError naming the entry and the key."""
    if _ID.fullmatch(pattern.id) is None:
        raise PatternError(
            f"{pattern.id[:64]}: id: must be 3 to 64 of a-z, 0-9, '.', '_', '-' and begin with a letter"
        )
    if not pattern.keywords:
        raise PatternError(f"{pattern.id}: keywords: at least one literal is needed")
    if any(len(keyword.encode()) < MIN_KEYWORD for keyword in pattern.keywords):
        raise PatternError(
            f"{pattern.id}: keywords: each must be at least {MIN_KEYWORD} bytes long"
        )
    import regex  # takes longer to load than most scans last, and most scans have no user patterns

    try:
        compiled = regex.compile(pattern.regex.encode(), regex.VERSION0)
    except regex.error as error:
        raise PatternError(f"{pattern.id}: regex: {error}") from error
    if not _has_group(compiled, pattern.secret_group):
        raise PatternError(f"{pattern.id}: secret_group: there is no group {pattern.secret_group}")
    return compiled


def _has_group(compiled: Any, group: int | str) -> bool:
    return group in compiled.groupindex if isinstance(group, str) else 0 <= group <= compiled.groups


class UserPatterns:
    """A set of user patterns, ready to run."""

    def __init__(self, patterns: Sequence[UserPattern] = (), *, timeout: float = TIMEOUT) -> None:
        """Compile `patterns`; raises PatternError for one that cannot be used."""
        self.patterns: Final = tuple(patterns)
        self._timeout: Final = timeout
        self._ready: Final = [
            (
                pattern,
                compile_pattern(pattern),
                tuple(keyword.encode() for keyword in pattern.keywords),
            )
            for pattern in patterns
        ]

    @property
    def needles(self) -> tuple[bytes, ...]:
        """The literals worth stopping at: without one of them in a window, no pattern can match in
        it.
        """
        return tuple(
            dict.fromkeys(keyword for _, _, keywords in self._ready for keyword in keywords)
        )

    def search(self, window: bytes) -> Found:
        """All hits in `window`, by position."""
        hits: list[Hit] = []
        timeouts = 0
        for pattern, compiled, keywords in self._ready:
            if not any(keyword in window for keyword in keywords):
                continue
            try:
                for match in compiled.finditer(window, timeout=self._timeout):
                    start, end = match.span(pattern.secret_group)
                    if 0 <= start < end and match.end() - match.start() <= MAX_MATCH:
                        hits.append(Hit(pattern, start, end))
            except TimeoutError:
                timeouts += 1
        hits.sort(key=lambda hit: (hit.start, -hit.end, hit.pattern.id))
        return Found(hits, timeouts)


# User patterns over a stream: which part of it they are run on, and when.
#
# Promises: the parts are cut at fixed offsets of the stream, so hits do not depend on how the bytes
# came; each part is searched once, after a pause at most once more; a hit is given once.

# Bytes that one run of an expression is responsible for: large beside the REACH it also sees on
# either side, small enough that its time limit means some megabytes per second.
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
    taken = [
        (one.offset, one.offset + one.length) for one in findings if isinstance(one.token, Token)
    ]
    return [
        one
        for one in findings
        if isinstance(one.token, Token)
        or not any(start < one.offset + one.length and one.offset < end for start, end in taken)
    ]
