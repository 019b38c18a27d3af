"""Alerts about no token: the heartbeat, and the alert that `test-sink` sends.

Promises: pure. The caller passes the time, the host and, for the test, random bytes; equal
arguments make the equal alert, with the same id.
"""

from __future__ import annotations

import hashlib

from jwtleak.alerts.alert import Alert, AlertChannel, Location, Sightings, TokenFacts
from jwtleak.alerts.fields import rfc3339

_NO_TOKEN = "0" * 64


def heartbeat(now_ms: int, host: str, following: int) -> Alert:
    """A heartbeat of `host` at `now_ms` (Unix milliseconds), which follows `following` streams."""
    # Of the host and the time alone: a second write of the same beat is the same row in the store.
    digest = hashlib.sha256(f"heartbeat {host} {now_ms}".encode()).hexdigest()
    return Alert(
        schema="jwtleak/1",
        id=digest[:40],
        event="heartbeat",
        detected_at=rfc3339(now_ms),
        severity="info",
        confidence="high",
        title="jwtleak is running",
        # The schema requires a token, a channel and a place. `formats` leaves these fields out.
        token=TokenFacts(sha256=_NO_TOKEN, kind="jws"),
        channel=AlertChannel("unknown"),
        excerpt=f"{following} streams are followed",
        location=Location(source="file", host=host, offset=0, length=1, line=1, column=1),
        sightings=Sightings(1, 0, 0),
    )


def probe_alert(nonce: bytes, now_ms: int, host: str) -> Alert:
    """The alert of `test-sink`. `nonce` must be new: a receiver drops an id that it already has."""
    # The prefix keeps this digest apart from that of any token.
    digest = hashlib.sha256(b"jwtleak test\0" + nonce).hexdigest()
    now = rfc3339(now_ms)
    return Alert(
        schema="jwtleak/1",
        id=digest[:40],
        event="test",
        detected_at=now,
        # Receivers that sort by the time of the log line find the alert too.
        logged_at=now,
        severity="info",
        confidence="high",
        title="Test alert of jwtleak: no token leaked",
        token=TokenFacts(sha256=digest, kind="jws", redacted="eyJ***.***.***", length=1),
        channel=AlertChannel("unknown"),
        excerpt="This event was sent by `jwtleak test-sink`. There is nothing to do.",
        advice=("There is nothing to do: somebody is testing whether alerts arrive.",),
        location=Location(source="stdin", host=host, offset=0, length=1, line=1, column=1),
        sightings=Sightings(1, 0, 0),
    )
