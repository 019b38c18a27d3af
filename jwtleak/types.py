"""The vocabulary: the few types that pass between rooms.

Promises: plain frozen values. Times are Unix epoch seconds (float) in claims and milliseconds (int)
on log lines. Offsets and lengths count bytes of the stream after decompression and before any
decoding. Refuses behaviour: a type here has fields, and at most a `repr` that hides them.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from jwtleak.secret import Secret

Kind: TypeAlias = Literal["jws", "unsecured", "detached", "jwe", "sd-jwt"]
Status: TypeAlias = Literal[
    "live", "expired", "not_yet_valid", "no_expiry", "bad_expiry", "encrypted", "incomplete"
]
Severity: TypeAlias = Literal["critical", "high", "medium", "low", "info"]
Confidence: TypeAlias = Literal["high", "medium", "low"]
Integrity: TypeAlias = Literal["whole", "odd", "clipped"]
Signature: TypeAlias = Literal[
    "unchecked", "valid", "invalid", "published_key", "weak_key", "none", "truncated"
]
OutputStream: TypeAlias = Literal["stdout", "stderr"]
WhenFull: TypeAlias = Literal["wait", "drop-oldest"]
ChannelType: TypeAlias = Literal[
    "url_query",
    "url_fragment",
    "url_path",
    "referer",
    "authorization_header",
    "cookie",
    "json_field",
    "form_field",
    "error_message",
    "storage",
    "header",
    "unknown",
]

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
CONFIDENCES: tuple[Confidence, ...] = ("high", "medium", "low")

# Bytes of one token, encoded or decoded. Servers accept headers of 8-32 KiB, and a Kubernetes or
# Entra token that lists every group stays below 20 KiB. A longer token is reported as incomplete.
MAX_TOKEN = 64 * 1024


class Channel(msgspec.Struct, frozen=True, gc=False):
    """How the token leaked: the kind of place, and the name of the parameter, header, cookie or
    field.
    """

    type: ChannelType
    name: str | None = None


UNKNOWN_CHANNEL = Channel("unknown")


class Token(msgspec.Struct, frozen=True):
    """A JOSE header that decodes, and the parts behind it.

    `claims` is None when the payload is not a JSON object (JWE, detached, opaque or clipped).
    `integrity` is `whole` when all parts are there and the signature has a length that the
    algorithm produces, `odd` when the algorithm is unknown, `clipped` when a part is missing or a
    length is impossible.
    """

    kind: Kind
    header: dict[str, Any]
    claims: dict[str, Any] | None
    integrity: Integrity
    signature_length: int
    raw: Secret

    def __repr__(self) -> str:
        # Claims are personal data. They must not appear in a traceback or a failing test.
        return f"Token(kind={self.kind!r}, integrity={self.integrity!r}, length={len(self.raw)})"


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """Why a candidate is not a token. Counted by reason. No other token begins before `end`."""

    reason: Literal["no_alg", "header_not_json", "bad_alphabet", "header_too_long"]
    end: int


class PatternHit(msgspec.Struct, frozen=True):
    """What a user pattern matched. In a finding instead of a `Token`."""

    pattern: str
    title: str
    severity: Severity
    confidence: Confidence
    references: tuple[str, ...]
    raw: Secret


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A token, or the match of a user pattern, at a place of a stream.

    [offset, offset + length) covers the whole encoded form. `sha256` is the hex digest of the
    decoded token. `line` and `column` count from 1, in bytes. `encodings` lists the outermost
    first. `logged_at` is the time of the log line in Unix milliseconds. `output` is the stream that
    a container runtime's record names.

    `repeat` marks a token that the same stream contained before, for an owner that only counts
    repeats. Such a finding has the token, its fingerprint, `offset` and `length` and nothing else.
    """

    token: Token | PatternHit
    sha256: str
    offset: int
    length: int
    line: int
    column: int
    channel: Channel
    encodings: tuple[str, ...]
    logged_at: int | None
    excerpt: str
    output: OutputStream | None = None
    repeat: bool = False


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a source or container knows about its bytes, so that no text rule has to guess it.

    A HAR file knows the header that held a value, a journal the host and time of an entry. Each
    field wins over what the text suggests; None means that the source does not know.
    `logged_at` is in Unix milliseconds.
    """

    channel: Channel | None = None
    url: str | None = None
    origin: str | None = None
    host: str | None = None
    logged_at: int | None = None


class StreamInfo(msgspec.Struct, frozen=True):
    """Where a stream's bytes come from. `path` and `member` are for display (surrogateescape text).
    `source` is `file`, `stdin`, or the URL scheme of another source.
    """

    source: str
    path: str | None = None
    member: str | None = None
    size: int | None = None
    mtime_ms: int | None = None
    compressed: bool = False
    context: Context | None = None


class Cursor(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How far a followed stream has been judged, and how to recognise its file.

        0 ........ offset ........ reported ........ read ........ size
        | judged   | may begin a   | not reported    | not read
        |          | token         | yet             |

    `offset` is the first byte that is not fully judged. `lines` counts the newlines before it and
    `line_start` is the offset behind the last of them. `read` is how far bytes were read. Bytes
    before `reported` were also judged as if the stream ended there, so only new bytes make it
    necessary to read them again. `head` is the SHA-256 of the first `head_length` bytes, `anchor`
    that of the `anchor_length` bytes before `read`. `provisional` is the id of the alert for a
    token at `offset` that had not ended when it was reported.
    """

    stream: str  # random, 32 hex: names the stream for as long as the store remembers it
    path: str
    device: int
    inode: int
    generation: int | None = None
    head_length: int = 0
    head: bytes = b""
    anchor_length: int = 0
    anchor: bytes = b""
    offset: int = 0
    reported: int = 0
    read: int = 0
    lines: int = 0
    line_start: int = 0
    size: int = 0
    mtime_ns: int = 0
    state: Literal["followed", "rotated", "finished"] = "followed"
    provisional: str | None = None
