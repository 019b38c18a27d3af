"""Letting go of what is of no more use, so that the state stays bounded.

Promises: nothing that waits to be delivered or summed up goes; rows go in small transactions, so
that no sink waits long; the room they took is given back.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

import msgspec

from jwtleak.store.database import transaction
from jwtleak.store.interface import Pruned

_DAY = 24 * 60 * 60 * 1000

# Days. A rotated file that was read to its end is remembered for as long as logs are usually kept,
# so that a copy or its compressed form is known when it appears.
KEEP_STREAMS = 30
# A token that was not seen for this long is told as new when it comes again.
KEEP_SIGHTINGS = 7
# Time to notice and to send again.
KEEP_DEAD_LETTERS = 30
# A scan of an archive that was not gone on with for this long is begun anew.
KEEP_SCANNED_FILES = 90
# Sightings at most, some hundred megabytes: whoever can write to a log can write any number of
# tokens.
MAX_SIGHTINGS = 200_000

# Rows in one transaction: a few milliseconds.
_CHUNK = 2000


class Keep(NamedTuple):
    """For how long each sort of row is kept, in milliseconds."""

    streams: int = KEEP_STREAMS * _DAY
    sightings: int = KEEP_SIGHTINGS * _DAY
    dead_letters: int = KEEP_DEAD_LETTERS * _DAY
    scanned_files: int = KEEP_SCANNED_FILES * _DAY


def prune(connection: sqlite3.Connection, now_ms: int, keep: Keep) -> Pruned:
    """Delete what is older, then give pages back."""
    scanned = _delete(
        connection, "scanned_files", "scan, device, inode", "at_ms < ?", now_ms - keep.scanned_files
    )
    _delete(connection, "given_alerts", "scan, id", "at_ms < ?", now_ms - keep.scanned_files)
    pruned = Pruned(
        _delete(
            connection,
            "streams",
            "stream",
            "state = 'finished' AND at_ms < ?",
            now_ms - keep.streams,
        ),
        _delete(
            connection,
            "sightings",
            "stream, sha256",
            "since = 0 AND last_ms < ?",
            now_ms - keep.sightings,
        )
        + _surplus(connection),
        _delete(connection, "dead_letters", "seq", "at_ms < ?", now_ms - keep.dead_letters),
        scanned,
    )
    _give_back(connection)
    return pruned


def _give_back(connection: sqlite3.Connection) -> None:
    """Cut the free pages off the file, some at a time. `execute` would run only the first step of
    the statement.
    """
    before = None
    while (free := connection.execute("PRAGMA freelist_count").fetchone()[0]) and free != before:
        connection.executescript(f"PRAGMA incremental_vacuum({_CHUNK})")
        before = free


def _delete(
    connection: sqlite3.Connection, table: str, key: str, where: str, before: int, most: int = -1
) -> int:
    """Rows of `table` for which `where` holds; at most `most`."""
    total = 0
    while True:
        chunk = _CHUNK if most < 0 else min(_CHUNK, most - total)
        chosen = f"SELECT {key} FROM {table} WHERE {where} LIMIT {chunk}"
        with transaction(connection):
            count = connection.execute(
                f"DELETE FROM {table} WHERE ({key}) IN ({chosen})", (before,)
            ).rowcount
        total += count
        if count < _CHUNK or total == most:
            return total


def _surplus(connection: sqlite3.Connection) -> int:
    """Sightings beyond the bound, those that were not seen for longest."""
    (count,) = connection.execute("SELECT count(*) FROM sightings").fetchone()
    if count <= MAX_SIGHTINGS:
        return 0
    where = "since = 0 AND last_ms >= ? ORDER BY last_ms"
    return _delete(connection, "sightings", "stream, sha256", where, 0, count - MAX_SIGHTINGS)


# What is in the store, in numbers.
#
# Promises: read in one transaction, so that the numbers go together, also beside a running process.


class SinkSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """One sink: is it configured, how much waits for it and since when, what it refused, what was
    dropped.
    """

    name: str
    registered: bool
    waiting: int
    dead_letters: int
    dropped: int
    oldest_ms: int | None = None


class Summary(msgspec.Struct, frozen=True):
    """Everything. `unread_bytes` is what lay behind the cursors of followed streams when they were
    last looked at.
    """

    streams: dict[str, int]
    unread_bytes: int
    sightings: int
    spool_bytes: int
    sinks: list[SinkSummary]
    scanned_files: int


_SINKS = """
SELECT name, registered,
       (SELECT count(*) FROM queue WHERE sink = name),
       (SELECT count(*) FROM dead_letters WHERE sink = name),
       dropped,
       (SELECT at_ms FROM outbox WHERE seq = (SELECT min(seq) FROM queue WHERE sink = name))
FROM sinks ORDER BY name
"""


def summarise(connection: sqlite3.Connection) -> Summary:
    """The numbers of now."""
    connection.execute("BEGIN")
    try:
        return Summary(
            dict(connection.execute("SELECT state, count(*) FROM streams GROUP BY state")),
            _one(
                connection,
                "SELECT total(max(0, size - offset)) FROM streams WHERE state <> 'finished'",
            ),
            _one(connection, "SELECT count(*) FROM sightings"),
            _one(connection, "SELECT bytes FROM totals WHERE name = 'outbox'"),
            [SinkSummary(name, bool(on), *rest) for name, on, *rest in connection.execute(_SINKS)],
            _one(connection, "SELECT count(*) FROM scanned_files"),
        )
    finally:
        connection.execute("ROLLBACK")


def _one(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])
