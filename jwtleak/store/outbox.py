"""Undelivered alerts: the outbox, one queue per sink, the dead letters, and what bounds them.

Promises: an alert enters once by (id, event), however often it is offered while it waits; it leaves
when no queue points to it; nothing is dropped but by `drop_oldest`, `trim` and the bound on dead
letters, which count. A dead letter keeps the whole alert, so that it can be sent again; the
receiver's reason is cleaned and cut, since servers echo what they were sent.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from jwtleak.core.redaction import safe_text
from jwtleak.errors import StoreError
from jwtleak.store.database import connect, transaction, translated_errors
from jwtleak.store.interface import DeadLetter, OutboxEntry, QueuedAlert

# Alerts that one transaction drops: the sinks' threads wait for its end.
_CHUNK = 1000

# The first sentence of what a server says.
MAX_REASON = 512

# Bytes of dead letters, some fifty thousand alerts: a receiver that refuses everything is noticed
# before, and it must not fill the disk.
MAX_BYTES = 64 << 20

_FIELDS = "seq, sink, id, event, severity, fingerprint, body, status, reason, attempts, at_ms"

# The reason of alerts for a sink that is no longer configured: they become dead letters, from which
# they can be sent elsewhere.
ABANDONED = "the sink is no longer configured"

_ENTER = (
    "INSERT INTO outbox (id, event, severity, fingerprint, body, at_ms) "
    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id, event) DO NOTHING"
)


def put(connection: sqlite3.Connection, entries: Iterable[OutboxEntry], at_ms: int) -> None:
    """Enter alerts, each into the queues of its sinks. An alert for no sink is not kept."""
    registered = [
        name
        for (name,) in connection.execute(
            "SELECT name FROM sinks WHERE registered = 1 ORDER BY name"
        )
    ]
    rows: list[tuple[str, int, int]] = []
    for entry in entries:
        sinks = (
            registered
            if entry.sinks is None
            else [sink for sink in registered if sink in entry.sinks]
        )
        if not sinks:
            continue
        entered = connection.execute(
            f"{_ENTER} RETURNING seq",
            (entry.id, entry.event, entry.severity, entry.fingerprint, entry.body, at_ms),
        ).fetchone()
        # No row: the alert waits already. Bytes were read again after a crash, and entering it once
        # more would send it twice.
        if entered is not None:
            rows += [(sink, *entered, len(entry.body)) for sink in sinks]
    connection.executemany("INSERT INTO queue (sink, seq, size) VALUES (?, ?, ?)", rows)


def register(connection: sqlite3.Connection, sinks: Sequence[str]) -> list[str]:
    """From now on alerts go to exactly these sinks. Unregistered sinks that still have queued
    alerts.
    """
    # Sinks are never deleted: the row of an old one holds its count of dropped alerts.
    connection.execute("UPDATE sinks SET registered = 0")
    connection.executemany(
        "INSERT INTO sinks (name, registered) VALUES (?, 1) "
        "ON CONFLICT (name) DO UPDATE SET registered = 1",
        [(sink,) for sink in sinks],
    )
    waiting = (
        "SELECT name FROM sinks WHERE registered = 0 "
        "AND EXISTS (SELECT 1 FROM queue WHERE sink = name)"
    )
    return [name for (name,) in connection.execute(waiting)]


def acknowledge(connection: sqlite3.Connection, sink: str, seqs: Iterable[int]) -> None:
    """A sink is done with these alerts."""
    # As one JSON value: SQLite bounds the number of parameters, and a batch may hold thousands.
    gone = json.dumps(list(seqs))
    connection.execute(
        "DELETE FROM queue WHERE sink = ? AND seq IN (SELECT value FROM json_each(?))", (sink, gone)
    )
    # The body goes with the last sink that wanted it.
    connection.execute(
        "DELETE FROM outbox WHERE seq IN (SELECT value FROM json_each(?)) "
        "AND NOT EXISTS (SELECT 1 FROM queue WHERE queue.seq = outbox.seq)",
        (gone,),
    )


def spool_bytes(connection: sqlite3.Connection) -> int:
    """Bytes of all alerts that wait for a sink."""
    (count,) = connection.execute("SELECT bytes FROM totals WHERE name = 'outbox'").fetchone()
    return int(count)


def queue_bytes(connection: sqlite3.Connection) -> dict[str, int]:
    """Bytes by sink, for sinks that have queued alerts. An alert for two sinks counts for both."""
    return dict(connection.execute("SELECT name, bytes FROM sinks WHERE bytes > 0"))


def drop_oldest(connection: sqlite3.Connection, cap: int) -> dict[str, int]:
    """Drop some of the oldest alerts, towards `cap` bytes that wait. Their number by sink."""
    dropped: dict[str, int] = {}
    excess = spool_bytes(connection) - cap
    for seq, length in connection.execute(
        f"SELECT seq, length(body) FROM outbox ORDER BY seq LIMIT {_CHUNK}"
    ).fetchall():
        if excess <= 0:
            break
        for (sink,) in connection.execute(
            "SELECT sink FROM queue WHERE seq = ?", (seq,)
        ).fetchall():
            dropped[sink] = dropped.get(sink, 0) + 1
        connection.execute("DELETE FROM outbox WHERE seq = ?", (seq,))
        excess -= length
    for sink, count in dropped.items():
        count_dropped(connection, sink, count)
    return dropped


def trim(connection: sqlite3.Connection, sink: str, cap: int, after: int) -> int:
    """Drop some of the oldest alerts behind number `after` from one sink's queue, towards `cap`
    bytes in it. Their number; other sinks still get them.
    """
    excess = queue_bytes(connection).get(sink, 0) - cap
    gone: list[int] = []
    for seq, size in connection.execute(
        f"SELECT seq, size FROM queue WHERE sink = ? AND seq > ? ORDER BY seq LIMIT {_CHUNK}",
        (sink, after),
    ):
        if excess <= 0:
            break
        gone.append(seq)
        excess -= size
    acknowledge(connection, sink, gone)
    count_dropped(connection, sink, len(gone))
    return len(gone)


def count_dropped(connection: sqlite3.Connection, sink: str, count: int) -> None:
    """`sink` will never get `count` alerts."""
    connection.execute("UPDATE sinks SET dropped = dropped + ? WHERE name = ?", (count, sink))


def dropped(connection: sqlite3.Connection) -> dict[str, int]:
    """How many alerts each sink has lost so far."""
    return dict(connection.execute("SELECT name, dropped FROM sinks WHERE dropped > 0"))


def bury(
    connection: sqlite3.Connection,
    sink: str,
    seq: int,
    *,
    reason: str,
    status: int | None,
    attempts: int,
    at_ms: int,
) -> None:
    """Move an alert from a sink's queue to the dead letters. Nothing happens if it is not in the
    queue any more.
    """
    # Cut before it is searched for tokens: a server may answer with megabytes.
    cleaned = safe_text(reason[: 8 * MAX_REASON], MAX_REASON)
    found = connection.execute(
        "SELECT sink, id, event, severity, fingerprint, body "
        "FROM queue JOIN outbox USING (seq) WHERE sink = ? AND seq = ?",
        (sink, seq),
    ).fetchone()
    if found is None:
        return
    # Not INSERT OR REPLACE: no trigger fires for the row that it replaces, and its bytes would be
    # counted for ever.
    connection.execute(
        "DELETE FROM dead_letters WHERE sink = ? AND id = ? AND event = ?", found[:3]
    )
    connection.execute(
        "INSERT INTO dead_letters (sink, id, event, severity, fingerprint, body, status, reason, "
        "attempts, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*found, status, cleaned, attempts, at_ms),
    )
    acknowledge(connection, sink, (seq,))
    _bound(connection)


def _bound(connection: sqlite3.Connection) -> None:
    """Delete the oldest dead letters while there are too many bytes of them."""
    (total,) = connection.execute("SELECT bytes FROM totals WHERE name = 'dead_letters'").fetchone()
    while total > MAX_BYTES:
        seq, sink, length = connection.execute(
            "SELECT seq, sink, length(body) FROM dead_letters ORDER BY seq LIMIT 1"
        ).fetchone()
        connection.execute("DELETE FROM dead_letters WHERE seq = ?", (seq,))
        count_dropped(connection, sink, 1)
        total -= length


def abandon(connection: sqlite3.Connection, sink: str, at_ms: int) -> int:
    """Make dead letters of everything that waits for a sink that is no longer configured. Their
    number.
    """
    rows = connection.execute("SELECT seq FROM queue WHERE sink = ? ORDER BY seq", (sink,))
    # Read to the end before rows are deleted under the query.
    seqs = [seq for (seq,) in rows]
    for seq in seqs:
        bury(connection, sink, seq, reason=ABANDONED, status=None, attempts=0, at_ms=at_ms)
    return len(seqs)


def dead_letters(
    connection: sqlite3.Connection, sink: str | None = None, *, after: int = 0, limit: int = -1
) -> Iterator[DeadLetter]:
    """The dead letters of one sink, or all, in the order of refusal."""
    names = _FIELDS.split(", ")
    for row in connection.execute(
        f"SELECT {_FIELDS} FROM dead_letters "
        "WHERE seq > ? AND (? IS NULL OR sink = ?) ORDER BY seq LIMIT ?",
        (after, sink, sink, limit),
    ):
        yield DeadLetter(**dict(zip(names, row, strict=True)))


def replay(
    connection: sqlite3.Connection,
    sink: str | None,
    to: str | None,
    seqs: Sequence[int] | None,
    at_ms: int,
) -> int:
    """Queue dead letters again: those numbered `seqs`, those of `sink`, or all; for the sink that
    refused them, or for `to`. Their number.
    """
    registered = {
        name for (name,) in connection.execute("SELECT name FROM sinks WHERE registered = 1")
    }
    count = 0
    for dead in list(_chosen(connection, sink, seqs)):
        target = to or dead.sink
        if target not in registered:
            known = ", ".join(sorted(registered)) or "none"
            raise StoreError(f"there is no sink {target}: known are {known}")
        connection.execute(
            _ENTER, (dead.id, dead.event, dead.severity, dead.fingerprint, dead.body, at_ms)
        )
        # By id and not by the number of the row above: the alert may still wait for another sink,
        # and then it is in the outbox under an older number.
        connection.execute(
            "INSERT OR IGNORE INTO queue (sink, seq, size) "
            "SELECT ?, seq, length(body) FROM outbox WHERE id = ? AND event = ?",
            (target, dead.id, dead.event),
        )
        connection.execute("DELETE FROM dead_letters WHERE seq = ?", (dead.seq,))
        count += 1
    return count


def _chosen(
    connection: sqlite3.Connection, sink: str | None, seqs: Sequence[int] | None
) -> Iterator[DeadLetter]:
    if seqs is None:
        yield from dead_letters(connection, sink)
        return
    for seq in seqs:
        found = next(dead_letters(connection, sink, after=seq - 1, limit=1), None)
        if found is None or found.seq != seq:
            raise StoreError(f"there is no dead letter {seq}")
        yield found


def wall_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


class SinkQueue:
    """The alerts that wait for `sink`, over a connection of its own, so that the sink's thread
    waits for nobody. Use it in one thread at a time; close it.

    Promises: alerts come in the order in which they were entered; an alert stays until it is
    acknowledged or declared dead; to do so twice, or for an alert that is gone, changes nothing.
    """

    def __init__(self, directory: Path, sink: str, clock: Callable[[], int] = wall_ms) -> None:
        self.sink = sink
        self._directory = directory
        self._clock = clock
        self._connection = connect(directory)

    def __enter__(self) -> SinkQueue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. May be called more than once."""
        self._connection.close()

    def pending(self, limit: int, max_bytes: int, *, after: int = 0) -> list[QueuedAlert]:
        """The oldest alerts behind number `after`: at most `limit` of them and `max_bytes`
        together.

        The first one comes even if it alone is larger: it would never leave the queue otherwise.
        """
        found: list[QueuedAlert] = []
        room = max_bytes
        with translated_errors(self._directory):
            rows = self._connection.execute(
                "SELECT seq, id, body, at_ms FROM queue JOIN outbox USING (seq) "
                "WHERE sink = ? AND seq > ? ORDER BY seq LIMIT ?",
                (self.sink, after, limit),
            )
            for row in rows:
                alert = QueuedAlert(*row)
                room -= len(alert.body)
                if found and room < 0:
                    break
                found.append(alert)
            # A statement that was not read to its end keeps a read transaction open, and the
            # write-ahead log could not be cut.
            rows.close()
        return found

    def ack(self, seqs: Sequence[int]) -> None:
        """The sink has these alerts."""
        with translated_errors(self._directory), transaction(self._connection):
            acknowledge(self._connection, self.sink, seqs)

    def dead(self, seq: int, reason: str, status: int | None = None, attempts: int = 1) -> None:
        """The sink refused an alert for good: it becomes a dead letter with the receiver's reason,
        cleaned and cut.
        """
        with translated_errors(self._directory), transaction(self._connection):
            bury(
                self._connection,
                self.sink,
                seq,
                reason=reason,
                status=status,
                attempts=attempts,
                at_ms=self._clock(),
            )

    def depth(self) -> int:
        """How many alerts wait."""
        with translated_errors(self._directory):
            (count,) = self._connection.execute(
                "SELECT count(*) FROM queue WHERE sink = ?", (self.sink,)
            ).fetchone()
        return int(count)

    def oldest_ms(self) -> int | None:
        """When the alert that waits longest was entered; None if none waits."""
        with translated_errors(self._directory):
            found = self._connection.execute(
                "SELECT at_ms FROM outbox WHERE seq = (SELECT min(seq) FROM queue WHERE sink = ?)",
                (self.sink,),
            ).fetchone()
        return None if found is None else int(found[0])
