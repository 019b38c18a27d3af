"""No token is in the state: every byte of its files is looked at."""

from __future__ import annotations

from forbidden import Checker, corpus
from minting import NOW, jws
from stored import alert_id, cursor, sighting

import jwtleak
from jwtleak.alerts.alert import to_json
from jwtleak.store import Commit, OutboxEntry, ScannedFile


def bytes_of(directory):
    """Everything that lies in a directory."""
    return b"\n".join(path.read_bytes() for path in sorted(directory.iterdir()))


def test_nothing_of_a_token(store, directory):
    """Alerts of every kind, waiting, dead or taken, sightings, paths and what servers said: no 8
    characters of a token.
    """
    checker = Checker()
    findings = [finding for _, data in list(corpus(checker))[::7] for finding in jwtleak.scan(data)]
    alerts = [jwtleak.alert(finding, now=NOW, key=b"k" * 32) for finding in findings]
    entries = [
        OutboxEntry(
            id=alert_id(n),
            fingerprint=one.token.sha256,
            severity=one.severity,
            event="leak",
            body=to_json(one),
        )
        for n, one in enumerate(alerts)
    ]
    assert len(entries) > 100
    token = checker.forbid(jws({"iss": "path"}))
    seen = [sighting(token=one.id, body=one.body) for one in entries]
    store.commit(
        Commit(
            cursors=[cursor(path=f"/srv/{token}/x.log")], sightings=seen, alerts=entries, at_ms=1
        )
    )
    with store.queue("a") as box:
        for one in box.pending(50, 1 << 20):
            box.dead(one.seq, f"400 cannot index {token}: {token[30:90]}", 400)
        box.ack([one.seq for one in box.pending(20, 1 << 20)])
    scans = store.scans("k")
    scans.begin(resume=False)
    scans.finish([ScannedFile(1, 2, 3, 4, b"h" * 32)], 0, 1)
    store._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    held = bytes_of(directory)
    assert entries[-1].body in held
    checker.check(held)
    (kept,) = store.cursors()
    assert kept.path.startswith("/srv/[JWT ")
