"""Rows for the tests of the store: valid by default, each field to be chosen."""

from __future__ import annotations

import hashlib
from typing import Any

from jwtleak.store import OutboxEntry, Sighting
from jwtleak.types import Cursor


def digest(name: object) -> str:
    """64 hex characters that go with `name`."""
    return hashlib.sha256(str(name).encode()).hexdigest()


def alert_id(name: object) -> str:
    """An alert id."""
    return digest(name)[:40]


def cursor(stream: str = "one", **fields: Any) -> Cursor:
    """How far a stream is."""
    known = {"path": f"/var/log/{stream}.log", "device": 64512, "inode": 4711, **fields}
    return Cursor(stream=digest(stream)[:32], **known)


def sighting(stream: str = "one", token: str = "t", **fields: Any) -> Sighting:
    """A token that was seen twice, and reported once."""
    known = {
        "first_id": alert_id("first"),
        "last_id": alert_id("last"),
        "since": 1,
        "total": 2,
        "first_offset": 10,
        "last_offset": 20,
        "first_ms": 1000,
        "last_ms": 2000,
        "severity": "high",
        "window_end_ms": 60_000,
        **fields,
    }
    return Sighting(stream=digest(stream)[:32], sha256=digest(token), **known)


def entry(name: object = "a", **fields: Any) -> OutboxEntry:
    """An alert that is ready to go."""
    known = {
        "severity": "high",
        "event": "leak",
        "body": b'{"id":"%s"}' % alert_id(name).encode(),
        **fields,
    }
    return OutboxEntry(id=alert_id(name), fingerprint=digest(name), **known)
