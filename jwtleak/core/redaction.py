"""Redaction of a stream: bytes in, the same bytes out with every token replaced by `[JWT
78b91dd3]`.

Promises: everything but tokens comes out as it was, byte for byte, and as soon as no later byte can
make it part of a token; what comes out does not depend on how the bytes were cut. (One exception:
of a JSON serialisation the opening brace, and members that hold no secret, may have left before its
header was there.) Memory is one buffer. Refuses to let out, after a silence, a token that has begun
and may go on: only more bytes, or the end, decide it.
"""

from __future__ import annotations

from functools import lru_cache

from jwtleak.core.anchors import PLAIN
from jwtleak.core.fingerprint import token_sha256
from jwtleak.core.lazy_regex import lazy
from jwtleak.core.matches import TokenMatch
from jwtleak.core.regions import LOOKBACK
from jwtleak.core.sanitize import mask
from jwtleak.core.scanner import Scanner

# Bytes scanned at once: more would only be memory.
_STEP = 512 * 1024

# In a JSON serialisation (RFC 7515 section 7.2, RFC 7516 section 7.2) these stand beside the
# header, perhaps before it.
_SECRET_MEMBERS = lazy(rb'(?:payload|signatures?|ciphertext|encrypted_key|iv|tag)\\*"\s*:')
_MEMBER = 32  # the longest of them with its quote, escaped a few times, and white space


def label(leak: TokenMatch) -> bytes:
    """What stands in place of a token: enough of its fingerprint to find its alert."""
    return b"[JWT %b]" % token_sha256(leak.token.raw.reveal())[:8].encode("ascii")


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
        self._held = 0  # first byte that is not judged
        self._given = 0  # behind the last token
        self._done = 0  # first byte that is not let out
        self._growing = False

    @property
    def pending(self) -> bool:
        """Whether bytes are held."""
        return self._done < len(self._buffer)

    def feed(self, data: bytes | memoryview) -> bytes:
        """What `data` settles."""
        parts = []
        for at in range(0, len(data), _STEP):
            self._buffer += data[at : at + _STEP]
            parts += self._judged(final=False)
            parts.append(self._out(min(self._held, self._unclear())))
            self._forget()
        return b"".join(parts)

    def flush(self) -> bytes:
        """What may leave after a silence: all but a token that may go on, and what may be its other
        parts.
        """
        if self._growing:
            return self._out(min(self._held, self._unclear()))
        return self._out(len(self._buffer) if self._buffer.endswith(b"\n") else self._unclear())

    def close(self) -> bytes:
        """The stream is over: the rest. The redactor is then ready for another stream."""
        rest = b"".join([*self._judged(final=True), self._out(len(self._buffer))])
        self._begin()
        return rest

    def _judged(self, *, final: bool) -> list[bytes]:
        """The text up to the last token that is certain, with labels."""
        buffer, floor = self._buffer, max(0, self._held - LOOKBACK)
        scan = self._scanner.scan(
            buffer, floor, self._held, len(buffer), final=final, given=self._given
        )
        self._held, self._growing = scan.held, scan.growing
        parts = []
        for leak in scan.matches:
            parts += [self._out(leak.start), label(leak)]
            self._given = leak.end
            self._done = max(self._done, leak.end)
        self.count += len(scan.matches)
        return parts

    def _unclear(self) -> int:
        """Where the other parts of a token may stand whose header is still to come, or the end."""
        end = len(self._buffer)
        start = max(end - LOOKBACK, self._given, self._done - _MEMBER, 0)
        found = _SECRET_MEMBERS.search(self._buffer, start, end)
        return end if found is None else max(self._done, found.start())

    def _out(self, stop: int) -> bytes:
        start, self._done = self._done, max(self._done, stop)
        return bytes(self._buffer[start : self._done])

    def _forget(self) -> None:
        """Drop what has left and is out of the scanner's reach; now and then, since the rest must
        be moved.
        """
        keep = min(self._done, self._held - LOOKBACK)
        if keep >= LOOKBACK:
            del self._buffer[:keep]
            self._held -= keep
            self._done -= keep
            self._given = max(0, self._given - keep)


# Text as it may be shown: a name, a path, a message or a claim can hold a token too.
#
# Promises: a token in a text, plain or encoded, is replaced as in an excerpt, and what is left of
# one is masked; text without one stays as it is, and costs next to nothing.

# A token cannot stand where none of these does. The wide needles are left out: what is shown holds
# no NUL.
_NEEDLES = tuple(needle.literal.decode("ascii") for needle in PLAIN)
_HEADER = "eyJ"


@lru_cache(maxsize=1)
def _scanner() -> Scanner:
    return Scanner()


def redact_text(text: str) -> str:
    """`text` with every token in it replaced by `[JWT ` and 8 hex of its SHA-256 and `]`."""
    if not any(needle in text for needle in _NEEDLES):
        return text
    data = text.encode("utf-8", "surrogatepass" if _lone(text) else "surrogateescape")
    parts, done = [], 0
    for leak in _scanner().scan(bytearray(data), 0, 0, len(data), final=True).matches:
        name = token_sha256(leak.token.raw.reveal())[:8]
        parts += [data[done : leak.start], f"[JWT {name}]".encode("ascii")]
        done = leak.end
    clear = b"".join([*parts, data[done:]])
    if _HEADER.encode("ascii") in clear:
        clear = mask(clear)
    return clear.decode("utf-8", "surrogateescape")


def _lone(text: str) -> bool:
    """Whether `text` holds surrogates that no path does, but a claim may (`\\ud800`)."""
    return any("\ud800" <= sign <= "\udfff" and not "\udc80" <= sign <= "\udcff" for sign in text)
