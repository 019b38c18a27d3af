"""Alerts on their way: the outbox, one queue for each sink, and what bounds them.

Promises: a letter enters once by (id, event), however often it is offered while it waits; it leaves when no queue points
to it; nothing is dropped here but by `drop_oldest` and `trim`, which count.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

from jwtleak.store.interface import Letter

# Letters dropped in one transaction: the sinks wait for it.
_CHUNK = 1000


def put(connection: sqlite3.Connection, letters: Iterable[Letter], at_ms: int) -> None:
    """Enter letters, each into the queues it is for. A letter that is for nobody is not kept."""
    registered = _registered(connection)
    rows: list[tuple[str, int, int]] = []
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
            rows += [(sink, *entered, len(letter.body)) for sink in sinks]
    connection.executemany("INSERT INTO queue (sink, seq, size) VALUES (?, ?, ?)", rows)


def _registered(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM sinks WHERE registered = 1 ORDER BY name")]


def register(connection: sqlite3.Connection, sinks: Sequence[str]) -> list[str]:
    """From now on letters go to exactly these. Gives those for which letters wait in vain."""
    connection.execute("UPDATE sinks SET registered = 0")
    connection.executemany(
        "INSERT INTO sinks (name, registered) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET registered = 1",
        [(sink,) for sink in sinks],
    )
    waiting = "SELECT name FROM sinks WHERE registered = 0 AND EXISTS (SELECT 1 FROM queue WHERE sink = name)"
    return [name for (name,) in connection.execute(waiting)]


def take(connection: sqlite3.Connection, sink: str, seqs: Iterable[int]) -> None:
    """A sink is done with letters."""
    gone = json.dumps(list(seqs))
    connection.execute("DELETE FROM queue WHERE sink = ? AND seq IN (SELECT value FROM json_each(?))", (sink, gone))
    connection.execute(
        "DELETE FROM outbox WHERE seq IN (SELECT value FROM json_each(?)) "
        "AND NOT EXISTS (SELECT 1 FROM queue WHERE queue.seq = outbox.seq)",
        (gone,),
    )


def spool_bytes(connection: sqlite3.Connection) -> int:
    """Bytes of all letters that wait for a sink."""
    (count,) = connection.execute("SELECT bytes FROM totals WHERE name = 'outbox'").fetchone()
    return int(count)


def queue_bytes(connection: sqlite3.Connection) -> dict[str, int]:
    """Bytes that wait for each sink for which something does. A letter for two sinks counts for both."""
    return dict(connection.execute("SELECT name, bytes FROM sinks WHERE bytes > 0"))


def drop_oldest(connection: sqlite3.Connection, cap: int) -> dict[str, int]:
    """Throw away the oldest letters until at most `cap` bytes wait, but only some at a time. Gives how many each sink lost."""
    dropped: dict[str, int] = {}
    excess = spool_bytes(connection) - cap
    for seq, length in connection.execute(f"SELECT seq, length(body) FROM outbox ORDER BY seq LIMIT {_CHUNK}").fetchall():
        if excess <= 0:
            break
        for (sink,) in connection.execute("SELECT sink FROM queue WHERE seq = ?", (seq,)).fetchall():
            dropped[sink] = dropped.get(sink, 0) + 1
        connection.execute("DELETE FROM outbox WHERE seq = ?", (seq,))
        excess -= length
    for sink, count in dropped.items():
        count_dropped(connection, sink, count)
    return dropped


def trim(connection: sqlite3.Connection, sink: str, cap: int, after: int) -> int:
    """Throw away the oldest letters behind `after` that wait for a sink until at most `cap` bytes do, but only some at a
    time. Gives how many the sink lost; others still get them."""
    excess = queue_bytes(connection).get(sink, 0) - cap
    gone: list[int] = []
    for seq, size in connection.execute(
        f"SELECT seq, size FROM queue WHERE sink = ? AND seq > ? ORDER BY seq LIMIT {_CHUNK}", (sink, after)
    ):
        if excess <= 0:
            break
        gone.append(seq)
        excess -= size
    take(connection, sink, gone)
    count_dropped(connection, sink, len(gone))
    return len(gone)


def count_dropped(connection: sqlite3.Connection, sink: str, count: int) -> None:
    """`sink` will never have `count` letters."""
    connection.execute("UPDATE sinks SET dropped = dropped + ? WHERE name = ?", (count, sink))


def dropped(connection: sqlite3.Connection) -> dict[str, int]:
    """How many letters each sink has lost so far."""
    return dict(connection.execute("SELECT name, dropped FROM sinks WHERE dropped > 0"))
