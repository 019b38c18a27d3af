"""The alert that `test-sink` sends: clearly no leak, in every format and for every reader."""

from __future__ import annotations

import hashlib
import os
import secrets
import time

from jwtleak.alerts.alert import Alert, AlertChannel, Location, Sightings, TokenFacts
from jwtleak.alerts.fields import rfc3339

TITLE = "Test alert of jwtleak: no token leaked"


def synthetic() -> Alert:
    """A new one: its id has not been used before, so no receiver takes it for one that it has."""
    name = hashlib.sha256(b"jwtleak test\0" + secrets.token_bytes(16)).hexdigest()
    now = rfc3339(time.time_ns() // 1_000_000)
    return Alert(
        schema="jwtleak/1",
        id=name[:40],
        event="test",
        detected_at=now,
        logged_at=now,
        severity="info",
        confidence="high",
        title=TITLE,
        token=TokenFacts(name, "jws", redacted="eyJ***.***.***", length=1),
        channel=AlertChannel("unknown"),
        excerpt="This event was sent by `jwtleak test-sink`. There is nothing to do.",
        advice=("There is nothing to do: somebody is testing whether alerts arrive.",),
        location=Location(
            source="stdin", host=os.uname().nodename, offset=0, length=1, line=1, column=1
        ),
        sightings=Sightings(1, 0, 0),
    )
