"""The alert, version 1: the contract with scripts and SIEMs.

Promises: frozen values; an absent field is unknown. `Builder` cleans every string from a token or a
path; no field can hold a token. A change that a reader could notice raises the number in SCHEMA.
The docstrings and descriptions of these types are part of the JSON Schema, to the byte.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from jwtleak.types import ChannelType, Confidence, Kind, Severity, Signature, Status

SCHEMA = "jwtleak/1"

# `formats.events` holds what each receiver calls them; a test compares the two.
EventKind: TypeAlias = Literal["leak", "repeat", "heartbeat", "test"]

Time = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        description="UTC, RFC 3339, three fraction digits",
    ),
]
Text = Annotated[
    str,
    Meta(
        max_length=256, description="from a token or a path: cleaned of control characters and cut"
    ),
]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class TokenFacts(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The token, without the token."""

    sha256: Annotated[Digest, Meta(description="SHA-256 of the compact form as recovered")]
    kind: Kind | Literal["pattern"]
    status: (
        Annotated[Status, Meta(description="at the time of detection, or at --now")] | UnsetType
    ) = UNSET
    alg: Text | UnsetType = UNSET
    enc: Text | UnsetType = UNSET
    kid: Text | UnsetType = UNSET
    typ: Text | UnsetType = UNSET
    expires_at: Time | UnsetType = UNSET
    issued_at: Time | UnsetType = UNSET
    not_before: Time | UnsetType = UNSET
    expires_in: (
        Annotated[int, Meta(description="seconds from detection to expiry; negative when expired")]
        | UnsetType
    ) = UNSET
    lifetime: (
        Annotated[int, Meta(description="seconds from issue (or not-before) to expiry")] | UnsetType
    ) = UNSET
    issuer: Text | UnsetType = UNSET
    audience: tuple[Text, ...] | UnsetType = UNSET
    subject_hash: (
        Annotated[
            Digest, Meta(description="HMAC-SHA-256 of `sub` under the key of this installation")
        ]
        | UnsetType
    ) = UNSET
    scopes: tuple[Text, ...] | UnsetType = UNSET
    provider: Annotated[Text, Meta(description="id of who issued it")] | UnsetType = UNSET
    use: (
        Annotated[Text, Meta(description="what it is for: access, id, refresh, session ...")]
        | UnsetType
    ) = UNSET
    signature: (
        Annotated[Signature, Meta(description="what is known of the signature")] | UnsetType
    ) = UNSET
    weaknesses: Annotated[
        tuple[str, ...], Meta(description="named failures of policy or form")
    ] = ()
    redacted: Annotated[str, Meta(description="the token as it may be shown")] = ""
    length: Annotated[int, Meta(description="bytes of the token as recovered")] = 0


class Container(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The container that wrote the line, as the log's path and record tell (Kubernetes, Docker,
    CRI).
    """

    namespace: Text | UnsetType = UNSET
    pod: Text | UnsetType = UNSET
    pod_uid: Text | UnsetType = UNSET
    name: Text | UnsetType = UNSET
    id: Text | UnsetType = UNSET
    stream: Literal["stdout", "stderr"] | UnsetType = UNSET


class Location(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, kw_only=True):
    """Where the token stands; offsets and lines are those of the decompressed bytes."""

    source: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9+.-]*$",
            description="`file`, `stdin`, or the URL scheme of another source",
        ),
    ]
    path: Text | UnsetType = UNSET
    member: Annotated[Text, Meta(description="path inside an archive")] | UnsetType = UNSET
    host: Text | UnsetType = UNSET
    container: Container | UnsetType = UNSET
    offset: Annotated[int, Meta(ge=0, description="first byte of the token in its encoded form")]
    length: Annotated[int, Meta(ge=1, description="bytes of the token in its encoded form")]
    line: Annotated[int, Meta(ge=1)]
    column: Annotated[int, Meta(ge=1, description="byte in the line, from 1")]


class AlertChannel(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How the token got out."""

    type: ChannelType
    name: (
        Annotated[Text, Meta(description="of the parameter, header, cookie or field")] | UnsetType
    ) = UNSET
    encodings: Annotated[
        tuple[str, ...], Meta(description="undone to find it, outermost first")
    ] = ()


class Sightings(msgspec.Struct, frozen=True, gc=False):
    """How often the token was seen in this stream, and where first and last."""

    count: Annotated[int, Meta(ge=1)]
    first_offset: int
    last_offset: int


class Alert(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, kw_only=True):
    """One leak. `event` is `repeat` where it sums up more sightings of a token that had its alert
    before; `heartbeat` and `test` are no leaks: they say that alerts would arrive.
    """

    schema: Literal["jwtleak/1"]
    id: Annotated[
        str,
        Meta(
            pattern=r"^[0-9a-f]{40}$",
            description="of this occurrence; the same on retry, restart and re-scan",
        ),
    ]
    event: EventKind
    detected_at: Time
    severity: Severity
    confidence: Confidence
    reasons: Annotated[
        tuple[str, ...], Meta(description="short codes: why the severity is what it is")
    ] = ()
    title: str
    suppressed: (
        Annotated[
            Text,
            Meta(
                description="why the policy keeps it back: the rule's reason, or `baseline`;"
                " shown only when asked for"
            ),
        ]
        | UnsetType
    ) = UNSET
    supersedes: (
        Annotated[
            str,
            Meta(
                pattern=r"^[0-9a-f]{40}$",
                description="id of the alert that this one replaces: the token was longer",
            ),
        ]
        | UnsetType
    ) = UNSET
    token: TokenFacts
    channel: AlertChannel
    logged_at: Annotated[Time, Meta(description="the time on the log line")] | UnsetType = UNSET
    live_when_logged: bool | UnsetType = UNSET
    first_seen: (
        Annotated[Time, Meta(description="of the sightings that a repeat sums up")] | UnsetType
    ) = UNSET
    last_seen: Time | UnsetType = UNSET
    excerpt: Text
    advice: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    pattern: Annotated[str, Meta(description="id of the user pattern that matched")] | UnsetType = (
        UNSET
    )
    truncated: (
        Annotated[bool, Meta(description="fields were left out to keep to a size")] | UnsetType
    ) = UNSET
    # Last: `alerts.wire` fills in the line, the column and the count when the parts of a stream are
    # put together, and cuts the JSON here.
    location: Location
    sightings: Sightings


_encode = msgspec.json.Encoder().encode


def to_json(alert: Alert) -> bytes:
    """The alert as one line of JSON, without the newline."""
    return _encode(alert)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of an alert."""
    schema = msgspec.json.schema(Alert)
    for definition in schema["$defs"].values():
        # Python keeps the indentation of a docstring before 3.13.
        definition["description"] = " ".join(definition["description"].split())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://jwtleak.dev/schema/alert-1.json",
        "title": "jwtleak alert, version 1",
        **schema,
    }
