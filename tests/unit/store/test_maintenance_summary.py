"""The store in numbers."""

from __future__ import annotations

from stored import cursor, entry, sighting

from jwtleak.store import Commit, ScannedFile
from jwtleak.store.maintenance import SinkSummary, Summary


def test_an_empty_store(store):
    """Nothing but the sinks."""
    sinks = [SinkSummary("a", True, 0, 0, 0), SinkSummary("b", True, 0, 0, 0)]
    assert store.summary() == Summary({}, 0, 0, 0, sinks, 0)


def test_everything(store):
    """Each number is of the rows that are there."""
    cursors = [
        cursor("x", offset=10, size=30),
        cursor("y", offset=5, size=5),
        cursor("z", size=99, state="finished"),
    ]
    alerts = [entry(name, body=b"x" * 10) for name in "pqrs"]
    store.commit(Commit(cursors=cursors, sightings=[sighting()], alerts=alerts, at_ms=5))
    with store.queue("a") as box:
        first, second, *_ = box.pending(9, 999)
        box.ack([first.seq])
        box.dead(second.seq, "no")
    scans = store.scans("k")
    scans.begin(resume=False)
    scans.finish([ScannedFile(1, 2, 3, 4, b"h" * 32)], 0, 1)
    store.register(["b"])
    assert store.summary() == Summary(
        {"followed": 2, "finished": 1}, 20, 1, 40,
        [SinkSummary("a", False, 0, 3, 0), SinkSummary("b", True, 4, 0, 0, 5)], 1,
    )  # fmt: skip
