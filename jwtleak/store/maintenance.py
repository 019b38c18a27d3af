"""Upkeep of the state: deleting old rows so that it stays bounded, and summing it up in numbers.

Promises: nothing that waits to be delivered or summed up is deleted; rows are deleted in small
transactions, so that no sink waits long, and their room is released to the file system. The
numbers are read in one transaction, so that they agree, also beside a running process.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

import msgspec

from jwtleak.store.database import transaction
from jwtleak.store.interface import Pruned

_DAY = 24 * 60 * 60 * 1000

# Days. A rotated file that was read to its end is remembered for as long as logs are usually kept,
# so that a copy of it, or its compressed form, is recognised.
KEEP_STREAMS = 30
# A token that was not seen for this long is reported as new when it comes again.
KEEP_SIGHTINGS = 7
# Time to notice dead letters and to send them again.
KEEP_DEAD_LETTERS = 30
# A scan of an archive that was not resumed for this long starts over.
KEEP_SCANNED_FILES = 90
# Sightings at most, some hundred megabytes: whoever can write to a log can write any number of
# tokens.
MAX_SIGHTINGS = 200_000

# Rows in one transaction: a few milliseconds.
_CHUNK = 2000


class Keep(NamedTuple):
    """How long each kind of row is kept, in milliseconds."""

    streams: int = KEEP_STREAMS * _DAY
    sightings: int = KEEP_SIGHTINGS * _DAY
    dead_letters: int = KEEP_DEAD_LETTERS * _DAY
    scanned_files: int = KEEP_SCANNED_FILES * _DAY


def prune(connection: sqlite3.Connection, now_ms: int, keep: Keep) -> Pruned:
    """Delete older rows, then give free pages back."""
    old_scan, old_stream = now_ms - keep.scanned_files, now_ms - keep.streams
    # Followed and rotated files are not finished: their cursors are needed however old they are.
    finished = "state = 'finished' AND at_ms < ?"
    # A sighting with repeats that wait to be summed up is not deleted.
    unseen = "since = 0 AND last_ms < ?"
    pruned = Pruned(
        streams=_delete(connection, "streams", "stream", finished, old_stream),
        sightings=_delete(
            connection, "sightings", "stream, sha256", unseen, now_ms - keep.sightings
        )
        + _surplus(connection),
        dead_letters=_delete(
            connection, "dead_letters", "seq", "at_ms < ?", now_ms - keep.dead_letters
        ),
        scanned_files=_delete(
            connection, "scanned_files", "scan, device, inode", "at_ms < ?", old_scan
        ),
    )
    _delete(connection, "given_alerts", "scan, id", "at_ms < ?", old_scan)
    # Every record renews the position of its stream, so an old one is of an input that is gone.
    _delete(connection, "positions", "source, stream", "at_ms < ?", old_stream)
    _release_pages(connection)
    return pruned


def _release_pages(connection: sqlite3.Connection) -> None:
    """Cut the free pages off the file, some at a time."""
    before = None
    while (free := connection.execute("PRAGMA freelist_count").fetchone()[0]) and free != before:
        # `execute` would run only the first step of this statement, which frees one page.
        connection.executescript(f"PRAGMA incremental_vacuum({_CHUNK})")
        before = free


def _delete(
    connection: sqlite3.Connection, table: str, key: str, where: str, before: int, most: int = -1
) -> int:
    """Delete the rows of `table` for which `where` is true, at most `most`. Their number."""
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
    """Delete the oldest sightings beyond MAX_SIGHTINGS. Their number."""
    (count,) = connection.execute("SELECT count(*) FROM sightings").fetchone()
    if count <= MAX_SIGHTINGS:
        return 0
    where = "since = 0 AND last_ms >= ? ORDER BY last_ms"
    return _delete(connection, "sightings", "stream, sha256", where, 0, count - MAX_SIGHTINGS)


class SinkSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """One sink: whether it is configured, how many alerts wait and since when, how many it refused,
    how many were dropped.
    """

    name: str
    registered: bool
    waiting: int
    dead_letters: int
    dropped: int
    oldest_ms: int | None = None


class Summary(msgspec.Struct, frozen=True):
    """The state in numbers. `unread_bytes` is what was behind the cursors of followed files at
    their last commit.
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
    """The numbers as they are now."""
    # Without a transaction each statement sees a state of its own, and a process that delivers
    # meanwhile makes the numbers contradict each other.
    connection.execute("BEGIN")
    try:
        return Summary(
            dict(connection.execute("SELECT state, count(*) FROM streams GROUP BY state")),
            _number(
                connection,
                "SELECT total(max(0, size - offset)) FROM streams WHERE state <> 'finished'",
            ),
            _number(connection, "SELECT count(*) FROM sightings"),
            _number(connection, "SELECT bytes FROM totals WHERE name = 'outbox'"),
            [SinkSummary(name, bool(on), *rest) for name, on, *rest in connection.execute(_SINKS)],
            _number(connection, "SELECT count(*) FROM scanned_files"),
        )
    finally:
        connection.execute("ROLLBACK")


def _number(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])
