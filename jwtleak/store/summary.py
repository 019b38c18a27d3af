"""What is in the store, in numbers.

Promises: read in one transaction, so that the numbers go together, also beside a running process.
"""

from __future__ import annotations

import sqlite3

import msgspec


class SinkSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """One sink: is it configured, how much waits for it and since when, what it refused, what was dropped."""

    name: str
    registered: bool
    waiting: int
    dead_letters: int
    dropped: int
    oldest_ms: int | None = None


class Summary(msgspec.Struct, frozen=True):
    """Everything. `unread_bytes` is what lay behind the cursors of followed streams when they were last looked at."""

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
            _one(connection, "SELECT total(max(0, size - offset)) FROM streams WHERE state <> 'finished'"),
            _one(connection, "SELECT count(*) FROM sightings"),
            _one(connection, "SELECT bytes FROM totals WHERE name = 'outbox'"),
            [SinkSummary(name, bool(on), *rest) for name, on, *rest in connection.execute(_SINKS)],
            _one(connection, "SELECT count(*) FROM scanned_files"),
        )
    finally:
        connection.execute("ROLLBACK")


def _one(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])
