"""User patterns: regular expressions that people add, run beside the token detector.

`UserPatterns` runs them on one window. `UserSearch` cuts a stream into windows and runs each once.

Promises: an expression runs only where one of its keywords is, for at most TIMEOUT seconds per
window. Windows are cut at fixed offsets of the stream, so the matches do not depend on how the
bytes arrive. Each match is reported once. An expression that runs out of time is counted, never
raised, and the other expressions still run.
Refuses to report a match longer than MAX_MATCH.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import stringzilla
from msgspec.structs import replace

from jwtleak.core.lazy_regex import lazy
from jwtleak.errors import PatternError
from jwtleak.secret import Secret
from jwtleak.types import Confidence, Finding, PatternHit, Severity, Token

# Seconds for one expression in one window. A sane expression needs a fraction of it; a
# catastrophic one is stopped.
TIMEOUT: Final = 0.05
# A secret longer than 4 KiB is a file, not a string in a log.
MAX_MATCH: Final = 4096
# Text that an expression sees on either side of its block: a whole match, and as much again for
# what the expression demands around it.
REACH: Final = 2 * MAX_MATCH
# Three bytes occur by chance once in 16 MB. A shorter keyword would run its expression everywhere.
MIN_KEYWORD: Final = 3

_ID: Final = lazy(r"[a-z][a-z0-9._-]{2,63}")


class UserPattern(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[pattern]]` entry of a user's pattern file.

    `keywords` are literals, compared byte by byte; every match has one of them in it or near it.
    `secret_group` is the group that holds the secret, by default the whole match. The secret is
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


class PatternMatch(msgspec.Struct, frozen=True):
    """A user pattern's secret at [start, end) of the searched bytes.

    The other fields are those of a `TokenMatch`, so that the engine makes findings of both alike.
    """

    start: int
    end: int
    token: PatternHit
    encodings: tuple[str, ...] = ()
    before: bytes | None = None
    after: bytes | None = None


def compile_pattern(pattern: UserPattern) -> Any:
    """The compiled expression. Raises PatternError, which names the entry and the key."""
    if _ID.fullmatch(pattern.id) is None:
        raise PatternError(
            f"{pattern.id[:64]}: id: must be 3 to 64 of a-z, 0-9, '.', '_', '-' "
            "and begin with a letter"
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
        """All keywords. A window without any of them has no match."""
        return tuple(
            dict.fromkeys(keyword for _, _, keywords in self._ready for keyword in keywords)
        )

    def search(self, window: bytes) -> tuple[list[PatternMatch], int]:
        """(All matches in `window` by position, how many expressions ran out of time)."""
        matches: list[PatternMatch] = []
        timeouts = 0
        for pattern, compiled, keywords in self._ready:
            # Finding a literal is some hundred times faster than the expression.
            if not any(keyword in window for keyword in keywords):
                continue
            try:
                for match in compiled.finditer(window, timeout=self._timeout):
                    # A group that took no part in the match has the span (-1, -1).
                    start, end = match.span(pattern.secret_group)
                    if 0 <= start < end and match.end() - match.start() <= MAX_MATCH:
                        matches.append(_match(pattern, window, start, end))
            except TimeoutError:
                # What it matched until then stays: losing a match is worse than a partial list.
                timeouts += 1
        # Of two that begin together the longer first: UserSearch drops what overlaps it.
        matches.sort(key=lambda match: (match.start, -match.end, match.token.pattern))
        return matches, timeouts


def _match(pattern: UserPattern, window: bytes, start: int, end: int) -> PatternMatch:
    hit = PatternHit(
        pattern=pattern.id,
        title=pattern.title,
        severity=pattern.severity,
        confidence=pattern.confidence,
        references=pattern.references,
        raw=Secret(window[start:end]),
    )
    return PatternMatch(start, end, hit)


# Bytes that one run of an expression answers for. Large compared with REACH, which is searched
# twice; small enough that TIMEOUT means at least a megabyte per second.
BLOCK = 64 * 1024

_find = stringzilla.find


class UserSearch:
    """Runs user patterns on a stream, block by block. `open` begins a stream."""

    def __init__(self, patterns: UserPatterns) -> None:
        self._patterns = patterns
        self._needles = patterns.needles
        self.timeouts = 0
        self.open(0)

    def open(self, offset: int) -> None:
        """Begin a stream whose first byte is at `offset`."""
        self.block = offset - offset % BLOCK  # offset of the block that is not finished
        self.reported = 0  # matches that begin before this offset are reported

    def has_rest(self, end: int) -> bool:
        """Whether the bytes before offset `end` belong to a block that is not complete."""
        return self.block < end

    def scan(self, buffer: bytearray, base: int, end: int, *, final: bool) -> list[PatternMatch]:
        """The certain matches. `base` is the offset of buffer[0], `end` the bytes in the buffer.

        `final` says that the caller will not wait: the rest counts as if nothing followed.
        """
        matches: list[PatternMatch] = []
        # A block is certain once everything that an expression may see behind it has arrived.
        while self.block + BLOCK + REACH <= base + end:
            matches += self._search(buffer, base, end, self.block)
            self.block += BLOCK
        if final:
            # The rest is one block and at most REACH of the next. `self.block` stays: more bytes
            # may come after a pause, and the block is then searched again with them.
            for block in range(self.block, base + end, BLOCK):
                matches += self._search(buffer, base, end, block)
        return matches

    def _search(self, buffer: bytearray, base: int, end: int, block: int) -> list[PatternMatch]:
        start = max(0, block - REACH - base)
        window = memoryview(buffer)[start : min(end, block + BLOCK + REACH - base)]
        # Before the copy: most blocks have no keyword.
        if not any(_find(window, needle) >= 0 for needle in self._needles):
            return []
        found, timeouts = self._patterns.search(bytes(window))
        self.timeouts += timeouts
        matches: list[PatternMatch] = []
        for match in found:
            offset = base + start + match.start
            # The block owns what begins in it; its neighbours see the same match and leave it.
            # `reported` drops overlaps, and what an earlier `final` search reported.
            if max(block, self.reported) <= offset < block + BLOCK:
                matches.append(replace(match, start=start + match.start, end=start + match.end))
                self.reported = offset + match.end - match.start
        return matches


def without_doubles(findings: list[Finding]) -> list[Finding]:
    """`findings` without user patterns' matches that overlap a token."""
    spans = [
        (finding.offset, finding.offset + finding.length)
        for finding in findings
        if isinstance(finding.token, Token)
    ]
    return [
        finding
        for finding in findings
        if isinstance(finding.token, Token)
        or not any(
            start < finding.offset + finding.length and finding.offset < end for start, end in spans
        )
    ]
