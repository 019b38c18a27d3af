"""What goes into the store and what comes out of it: plain frozen values.

Promises: no type here can hold a token; `body` is an alert's native JSON, which was redacted when
it was built.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from jwtleak.alerts.alert import EventKind
from jwtleak.types import Cursor, Severity


class Sighting(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is remembered of one token in one stream, so that its repeats are counted and not told
    one by one.

    `since` counts the sightings after the last alert about this token; they are summed up when
    `window_end_ms` is past. `severity` is the highest that was told. `body` is the alert of the
    newest sighting in its native JSON, for the roll-up after a restart; empty where nothing waits
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


class OutboxEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An alert on its way. It goes to every registered sink, or to those of `sinks` that are
    registered.
    """

    id: str
    fingerprint: str
    severity: Severity
    event: EventKind
    body: bytes
    sinks: tuple[str, ...] | None = None


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """What changes together or not at all. `forget` names streams that go, with their sightings,
    before the rest comes.
    """

    cursors: Iterable[Cursor] = ()
    forget: Iterable[str] = ()
    sightings: Iterable[Sighting] = ()
    alerts: Iterable[OutboxEntry] = ()
    at_ms: int


class QueuedAlert(msgspec.Struct, frozen=True, gc=False):
    """A letter in a sink's queue. `seq` grows with each letter and is never used twice."""

    seq: int
    id: str
    body: bytes
    at_ms: int


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A letter that a sink refused for good. `status` is the receiver's number, where it gave one."""

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
    """A file that a scan has finished, known by content and place; `notices` is what could not be
    read in it, as JSON.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int
    head: bytes
    notices: bytes = b"[]"


class Pruned(msgspec.Struct, frozen=True):
    """How many rows a pruning took away."""

    streams: int = 0
    sightings: int = 0
    dead_letters: int = 0
    scanned_files: int = 0
