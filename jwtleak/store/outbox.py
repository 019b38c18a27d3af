"""Alerts on their way: the outbox, one queue for each sink, and what bounds them.

Promises: a letter enters once by (id, event), however often it is offered while it waits; it leaves when no queue points
to it; nothing is dropped but by `drop_oldest`, which counts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from jwtleak.store.interface import Letter

# A sink that is no longer configured cannot be waited for; its letters are kept where they can be sent from again.
ABANDONED = "the sink is no longer configured"


def put(connection: sqlite3.Connection, letters: Iterable[Letter], at_ms: int) -> None:
    """Enter letters, each into the queues it is for. A letter that is for nobody is not kept."""
    registered = _registered(connection)
    for letter in letters:
        sinks = registered if letter.sinks is None else [one for one in registered if one in letter.sinks]
        if not sinks:
            continue
        entered = connection.execute(
            "INSERT INTO outbox (id, event, severity, fingerprint, body, at_ms) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id, event) DO NOTHING RETURNING seq",
            (letter.id, letter.event, letter.severity, letter.fingerprint, letter.body, at_ms),
        ).fetchone()
        if entered is not None:
            connection.executemany("INSERT INTO queue (sink, seq) VALUES (?, ?)", [(sink, *entered) for sink in sinks])


def _registered(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM sinks WHERE registered = 1 ORDER BY name")]


def register(connection: sqlite3.Connection, sinks: Sequence[str], at_ms: int) -> dict[str, int]:
    """From now on letters go to exactly these. Gives, for each sink that is gone, how many of its letters were put away."""
    connection.execute("UPDATE sinks SET registered = 0")
    connection.executemany(
        "INSERT INTO sinks (name, registered) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET registered = 1",
        [(sink,) for sink in sinks],
    )
    gone = "SELECT name FROM sinks WHERE registered = 0"
    left = dict(connection.execute(f"SELECT sink, count(*) FROM queue WHERE sink IN ({gone}) GROUP BY sink"))
    for sink in left:
        seqs = [seq for (seq,) in connection.execute("SELECT seq FROM queue WHERE sink = ?", (sink,))]
        for seq in seqs:
            bury(connection, sink, seq, reason=ABANDONED, status=None, attempts=0, at_ms=at_ms)
    return left


def bury(
    connection: sqlite3.Connection, sink: str, seq: int, *, reason: str, status: int | None, attempts: int, at_ms: int
) -> None:
    """Move a letter from a sink's queue to the dead letters. One that is not in the queue any more stays as it is."""
    connection.execute(
        "INSERT OR REPLACE INTO dead_letters "
        "(sink, id, event, severity, fingerprint, body, status, reason, attempts, at_ms) "
        "SELECT sink, id, event, severity, fingerprint, body, ?, ?, ?, ? "
        "FROM queue JOIN outbox USING (seq) WHERE sink = ? AND seq = ?",
        (status, reason, attempts, at_ms, sink, seq),
    )
    take(connection, sink, (seq,))


def take(connection: sqlite3.Connection, sink: str, seqs: Iterable[int]) -> None:
    """A sink is done with letters."""
    for seq in seqs:
        connection.execute("DELETE FROM queue WHERE sink = ? AND seq = ?", (sink, seq))
        connection.execute(
            "DELETE FROM outbox WHERE seq = ? AND NOT EXISTS (SELECT 1 FROM queue WHERE queue.seq = outbox.seq)", (seq,)
        )


def spool_bytes(connection: sqlite3.Connection) -> int:
    """Bytes of all letters that wait for a sink."""
    (count,) = connection.execute("SELECT bytes FROM spool").fetchone()
    return int(count)


def drop_oldest(connection: sqlite3.Connection, cap: int) -> dict[str, int]:
    """Throw away the oldest letters until at most `cap` bytes wait. Gives how many each sink lost."""
    dropped: dict[str, int] = {}
    excess = spool_bytes(connection) - cap
    while excess > 0:
        oldest = connection.execute("SELECT seq, length(body) FROM outbox ORDER BY seq LIMIT 1").fetchone()
        if oldest is None:
            break
        seq, length = oldest
        for (sink,) in connection.execute("SELECT sink FROM queue WHERE seq = ?", (seq,)).fetchall():
            dropped[sink] = dropped.get(sink, 0) + 1
        connection.execute("DELETE FROM outbox WHERE seq = ?", (seq,))
        excess -= length
    for sink, count in dropped.items():
        connection.execute("UPDATE sinks SET dropped = dropped + ? WHERE name = ?", (count, sink))
    return dropped


def dropped(connection: sqlite3.Connection) -> dict[str, int]:
    """How many letters each sink has lost so far."""
    return dict(connection.execute("SELECT name, dropped FROM sinks WHERE dropped > 0"))
