"""What must outlive a crash, in one SQLite file: cursors and positions, sightings, undelivered
alerts, dead letters, finished files.
"""

from jwtleak.store.interface import (
    Commit,
    DeadLetter,
    OutboxEntry,
    Position,
    Pruned,
    QueuedAlert,
    ScannedFile,
    Sighting,
)
from jwtleak.store.outbox import SinkQueue
from jwtleak.store.store import Store

__all__ = [
    "Commit",
    "DeadLetter",
    "OutboxEntry",
    "Position",
    "Pruned",
    "QueuedAlert",
    "ScannedFile",
    "Sighting",
    "SinkQueue",
    "Store",
]
