"""What must outlive a crash: cursors, sightings, undelivered alerts, dead letters, finished files.
One SQLite file.
"""

from jwtleak.store.interface import (
    Commit,
    DeadLetter,
    OutboxEntry,
    Pruned,
    QueuedAlert,
    ScannedFile,
    Sighting,
)
from jwtleak.store.store import SinkQueue, Store

__all__ = [
    "Commit",
    "DeadLetter",
    "OutboxEntry",
    "Pruned",
    "QueuedAlert",
    "ScannedFile",
    "Sighting",
    "SinkQueue",
    "Store",
]
