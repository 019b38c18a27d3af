"""The values that go into the store and come out of it.

Promises: plain frozen values; none of them can hold a token, since `body` is an alert's native
JSON, which was redacted when it was built.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from jwtleak.alerts.alert import EventKind
from jwtleak.types import Cursor, Severity


class Sighting(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One token in one stream, so that its repeats are counted instead of sent one by one.

    `since` counts the sightings after the last alert about this token; they are summed up when
    `window_end_ms` has passed. `severity` is the highest that was reported. `body` is the alert of
    the newest sighting in its native JSON, for the roll-up after a restart; empty if nothing waits
    to be summed up.
    """

    stream: str
    sha256: str
    first_id: str
    last_id: str
    since: int
    total: int
    first_offset: int
    last_offset: int
    first_ms: int
    last_ms: int
    severity: Severity
    window_end_ms: int
    body: bytes = b""


class Position(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How far one stream of a record source was judged, and from where it is read again.

    After a restart the source repeats its records from `position` on, whose first byte is at the
    offset `start` of the stream. Everything before `offset` is judged; `lines` are the newlines
    before it, `line_start` is the offset behind the last of them. `identity` names occurrences
    (`core.fingerprint.Occurrences.identity`); empty if `start` is 0, when the source repeats the
    bytes that it is made of.
    """

    source: str
    stream: str
    position: bytes
    identity: bytes = b""
    start: int = 0
    offset: int = 0
    lines: int = 0
    line_start: int = 0


class OutboxEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An alert to be delivered: to every registered sink, or to those of `sinks` that are
    registered.
    """

    id: str
    fingerprint: str
    severity: Severity
    event: EventKind
    body: bytes
    sinks: tuple[str, ...] | None = None


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """What changes together or not at all. `forget` names streams that are deleted with their
    sightings before the rest is written.
    """

    cursors: Iterable[Cursor] = ()
    positions: Iterable[Position] = ()
    forget: Iterable[str] = ()
    sightings: Iterable[Sighting] = ()
    alerts: Iterable[OutboxEntry] = ()
    at_ms: int


class QueuedAlert(msgspec.Struct, frozen=True, gc=False):
    """An alert in a sink's queue. `seq` grows with each entry and is never used twice."""

    seq: int
    id: str
    body: bytes
    at_ms: int


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An alert that a sink refused for good. `status` is the number that the receiver sent, if it
    sent one.
    """

    seq: int
    sink: str
    id: str
    event: EventKind
    severity: Severity
    fingerprint: str
    body: bytes
    status: int | None
    reason: str
    attempts: int
    at_ms: int


class ScannedFile(msgspec.Struct, frozen=True, gc=False):
    """A file that a scan has finished. `head` is a digest of its beginning, `notices` is what could
    not be read in it, as JSON.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int
    head: bytes
    notices: bytes = b"[]"


class Pruned(msgspec.Struct, frozen=True):
    """How many rows were deleted."""

    streams: int = 0
    sightings: int = 0
    dead_letters: int = 0
    scanned_files: int = 0
