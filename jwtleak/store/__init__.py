"""What must outlive a crash: cursors, sightings, undelivered alerts, dead letters, finished files.
One SQLite file.
"""

from jwtleak.store.interface import (
    Commit,
    DeadLetter,
    Letter,
    Pruned,
    ScannedFile,
    Sighting,
    Stored,
)
from jwtleak.store.mailbox import Mailbox
from jwtleak.store.store import Store

__all__ = [
    "Commit",
    "DeadLetter",
    "Letter",
    "Mailbox",
    "Pruned",
    "ScannedFile",
    "Sighting",
    "Store",
    "Stored",
]
