"""The vocabulary: the few types that pass between floors.

Promises: plain frozen values; times are Unix epoch seconds (float) for claims and milliseconds
(int) for log lines; offsets and lengths count bytes of the stream that was read, decompressed but
not decoded.
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

# One token, original or decoded, is at most 64 KiB: the largest headers that servers accept are
# 8-32 KiB, and a Kubernetes or Entra token with every group in it stays below 20 KiB. A longer one
# is reported as incomplete.
MAX_TOKEN = 64 * 1024


class Channel(msgspec.Struct, frozen=True, gc=False):
    """How the token got out: the kind of place, and the name of the parameter, header, cookie or
    field.
    """

    type: ChannelType
    name: str | None = None


UNKNOWN_CHANNEL = Channel("unknown")


class Token(msgspec.Struct, frozen=True):
    """What the judge recognised: a JOSE header that decodes, and what follows it.

    `claims` is None when the payload is not a JSON object (JWE, detached, opaque or clipped).
    `integrity` is `whole` when the parts and the length of the signature are those that the
    algorithm gives, `odd` when the algorithm is not known, `clipped` when something is missing or a
    length cannot be right.
    """

    kind: Kind
    header: dict[str, Any]
    claims: dict[str, Any] | None
    integrity: Integrity
    signature_length: int
    raw: Secret

    def __repr__(self) -> str:
        # Claims are personal data: a traceback or a failing test must not show them.
        return f"Token(kind={self.kind!r}, integrity={self.integrity!r}, length={len(self.raw)})"


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """Why a candidate is not a token; counted by reason. `end` is the offset up to which nothing
    else can begin.
    """

    reason: Literal["no_alg", "header_not_json", "bad_alphabet", "header_too_long"]
    end: int


class PatternHit(msgspec.Struct, frozen=True):
    """A user pattern's match in place of a token."""

    pattern: str
    title: str
    severity: Severity
    confidence: Confidence
    references: tuple[str, ...]
    raw: Secret


class Finding(msgspec.Struct, frozen=True):
    """A token (or a user pattern's hit) at a place. The span [offset, offset + length) covers its
    encoded form whole.

    `sha256` is that of the token as recovered, in hex. `line` and `column` count from 1, in bytes;
    `encodings` run from the outermost inwards; `logged_at` is the time on the log line in Unix
    milliseconds; `output` is the stream that a container runtime's record names. `repeat`: its
    token was found before in the same stream, and whoever asked wanted to hear no more of it; then
    only the token, its fingerprint, `offset` and `length` are filled in.
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
    """What a finding's bytes were read from. `path` and `member` are for display (surrogateescape
    text). `source` is `file`, `stdin`, or the URL scheme of another source.
    """

    source: str
    path: str | None = None
    member: str | None = None
    size: int | None = None
    mtime_ms: int | None = None
    compressed: bool = False
    context: Context | None = None


class Cursor(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How far one stream has been judged, and what it is known by when it is met again.

    `offset` is the first byte that is not fully judged, `lines` the newlines before it,
    `line_start` the offset behind the last of them. `read` is how far bytes were taken: what stands
    from `offset` on may be the beginning of a token. As far as `told` it was looked at as if
    nothing followed, so that only more bytes are a reason to read it again. `head` is the SHA-256
    of the first `head_length` bytes, `anchor` that of the `anchor_length` bytes before `read`.
    `provisional` is the id of an alert that was given for the token at `offset` before the token
    had ended.
    """

    stream: str  # random, 32 hex: the name of this stream for as long as it is remembered
    path: str
    device: int
    inode: int
    generation: int | None = None
    head_length: int = 0
    head: bytes = b""
    anchor_length: int = 0
    anchor: bytes = b""
    offset: int = 0
    told: int = 0
    read: int = 0
    lines: int = 0
    line_start: int = 0
    size: int = 0
    mtime_ns: int = 0
    state: Literal["followed", "rotated", "finished"] = "followed"
    provisional: str | None = None
