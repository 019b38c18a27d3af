"""Redaction: every token of a stream or text is replaced by `[JWT 78b91dd3]`.

Promises: a `Redactor` returns everything but tokens as it was, byte for byte, and as soon as no
later byte can make it part of a token. The output does not depend on how the bytes were cut. (One
exception: the opening brace of a JSON serialisation, and members without a secret, may be out
before its header comes.) Memory is one buffer. `redact_text` replaces tokens in a text that is
shown, plain or encoded, and masks the remains of one; a text without a token stays as it is, at
next to no cost. Refuses to release, after a silence, a token that has begun and may go on: only
more bytes, or the end, decide it.
"""

from __future__ import annotations

from functools import lru_cache

from jwtleak.core.anchors import NEEDLES
from jwtleak.core.fingerprint import token_sha256
from jwtleak.core.lazy_regex import lazy
from jwtleak.core.matches import TokenMatch
from jwtleak.core.regions import LOOKBACK
from jwtleak.core.sanitize import MAX_TEXT, clean, mask
from jwtleak.core.scanner import Scanner

# Bytes scanned at once: more would only be memory.
_STEP = 512 * 1024

# Members of a JSON serialisation (RFC 7515 section 7.2, RFC 7516 section 7.2) beside the header, in
# any order.
_SECRET_MEMBERS = lazy(rb'(?:payload|signatures?|ciphertext|encrypted_key|iv|tag)\\*"\s*:')
# Bytes of the longest of them with its quote, escaped a few times, and white space.
_MEMBER = 32

# Literals of which each token in shown text contains one. Shown text has no NUL bytes.
_NEEDLES = tuple(n.literal.decode("ascii") for n in NEEDLES if b"\0" not in n.literal)
_HEADER = "eyJ"


def label(match: TokenMatch) -> bytes:
    """The replacement of a token: enough of its fingerprint to find its alert."""
    return b"[JWT %b]" % token_sha256(match.token.raw.reveal())[:8].encode("ascii")


class Redactor:
    """Redacts one stream that comes in pieces of any size. `count` is how many tokens were
    replaced.
    """

    def __init__(self, scanner: Scanner | None = None) -> None:
        self._scanner = scanner or Scanner()
        self.count = 0
        self._begin()

    def _begin(self) -> None:
        self._buffer = bytearray()
        self._resume = 0  # first byte that is not judged
        self._reported = 0  # behind the last token
        self._done = 0  # first byte that is not released
        self._growing = False

    @property
    def pending(self) -> bool:
        """Whether bytes are in the buffer that were not released."""
        return self._done < len(self._buffer)

    def feed(self, data: bytes | memoryview) -> bytes:
        """The text that `data` makes certain."""
        parts = []
        for at in range(0, len(data), _STEP):
            self._buffer += data[at : at + _STEP]
            parts += self._judged(final=False)
            parts.append(self._out(min(self._resume, self._unclear())))
            self._forget()
        return b"".join(parts)

    def flush(self) -> bytes:
        """The text that may be released after a silence: all but a token that may go on, and what
        may be its other parts.
        """
        # Without a token at the end, a whole line is safe: a member of a JSON serialisation on it
        # would have its header on the same line.
        if self._growing:
            return self._out(min(self._resume, self._unclear()))
        return self._out(len(self._buffer) if self._buffer.endswith(b"\n") else self._unclear())

    def close(self) -> bytes:
        """The rest, at the end of the stream. The redactor is then ready for another stream."""
        rest = b"".join([*self._judged(final=True), self._out(len(self._buffer))])
        self._begin()
        return rest

    def _judged(self, *, final: bool) -> list[bytes]:
        """The text up to the last token that is certain, with labels."""
        buffer, floor = self._buffer, max(0, self._resume - LOOKBACK)
        # The buffer keeps released bytes as context: a region or an object may begin in them.
        scan = self._scanner.scan(
            buffer, floor, self._resume, len(buffer), final=final, reported=self._reported
        )
        self._resume, self._growing = scan.resume, scan.growing
        parts = []
        for match in scan.matches:
            parts += [self._out(match.start), label(match)]
            self._reported = match.end
            # `_out` may have stopped before: a match can begin in text that was already released
            # (the brace of a JSON serialisation).
            self._done = max(self._done, match.end)
        self.count += len(scan.matches)
        return parts

    def _unclear(self) -> int:
        """Where other parts of a token may begin whose header is still to come, or the end."""
        # In a JSON serialisation the signature may precede the header. Until one comes, a member
        # that may hold it is not released, but nothing earlier than LOOKBACK is kept for it.
        end = len(self._buffer)
        start = max(end - LOOKBACK, self._reported, self._done - _MEMBER, 0)
        found = _SECRET_MEMBERS.search(self._buffer, start, end)
        return end if found is None else max(self._done, found.start())

    def _out(self, stop: int) -> bytes:
        start, self._done = self._done, max(self._done, stop)
        return bytes(self._buffer[start : self._done])

    def _forget(self) -> None:
        """Drop bytes that are released and out of the scanner's reach. Not each time: the rest must
        be moved.
        """
        keep = min(self._done, self._resume - LOOKBACK)
        if keep >= LOOKBACK:
            del self._buffer[:keep]
            self._resume -= keep
            self._done -= keep
            self._reported = max(0, self._reported - keep)


@lru_cache(maxsize=1)
def _scanner() -> Scanner:
    return Scanner()


def redact_text(text: str) -> str:
    """`text` with every token in it replaced by `[JWT ` and 8 hex of its SHA-256 and `]`."""
    # Every path and claim comes here: nearly all of them end at this line.
    if not any(needle in text for needle in _NEEDLES):
        return text
    data = text.encode("utf-8", "surrogatepass" if _lone(text) else "surrogateescape")
    parts, done = [], 0
    for match in _scanner().scan(bytearray(data), 0, 0, len(data), final=True).matches:
        parts += [data[done : match.start], label(match)]
        done = match.end
    clear = b"".join([*parts, data[done:]])
    # The remains of a token that is none any more (cut by a field's limit) are masked as well.
    if _HEADER.encode("ascii") in clear:
        clear = mask(clear)
    return clear.decode("utf-8", "surrogateescape")


def _lone(text: str) -> bool:
    """Whether `text` holds surrogates that no path does, but a claim may (`\\ud800`)."""
    return any("\ud800" <= sign <= "\udfff" and not "\udc80" <= sign <= "\udcff" for sign in text)


def safe_text(text: str, limit: int = MAX_TEXT) -> str:
    """`text` without tokens and control characters, cut at `limit` characters.

    Redaction comes first: half a token, cut at the limit, is no longer recognised. A caller whose
    text may be long cuts it to a few times `limit` before: searching a megabyte takes time.
    """
    return clean(redact_text(text), limit)
