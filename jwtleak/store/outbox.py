"""Alerts on their way: the outbox, one queue for each sink, and what bounds them.

Promises: a letter enters once by (id, event), however often it is offered while it waits; it leaves
when no queue points to it; nothing is dropped here but by `drop_oldest` and `trim`, which count.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from jwtleak.core.redaction import redact_text
from jwtleak.core.sanitize import clean
from jwtleak.errors import StoreError
from jwtleak.store.interface import DeadLetter, OutboxEntry

# Letters dropped in one transaction: the sinks wait for it.
_CHUNK = 1000


def put(connection: sqlite3.Connection, letters: Iterable[OutboxEntry], at_ms: int) -> None:
    """Enter letters, each into the queues it is for. A letter that is for nobody is not kept."""
    registered = _registered(connection)
    rows: list[tuple[str, int, int]] = []
    for letter in letters:
        sinks = (
            registered
            if letter.sinks is None
            else [one for one in registered if one in letter.sinks]
        )
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
    return [
        name
        for (name,) in connection.execute(
            "SELECT name FROM sinks WHERE registered = 1 ORDER BY name"
        )
    ]


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
    connection.execute(
        "DELETE FROM queue WHERE sink = ? AND seq IN (SELECT value FROM json_each(?))", (sink, gone)
    )
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
    """Bytes that wait for each sink for which something does. A letter for two sinks counts for
    both.
    """
    return dict(connection.execute("SELECT name, bytes FROM sinks WHERE bytes > 0"))


def drop_oldest(connection: sqlite3.Connection, cap: int) -> dict[str, int]:
    """Throw away the oldest letters until at most `cap` bytes wait, but only some at a time. Gives
    how many each sink lost.
    """
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
    """Throw away the oldest letters behind `after` that wait for a sink until at most `cap` bytes
    do, but only some at a time. Gives how many the sink lost; others still get them.
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
    take(connection, sink, gone)
    count_dropped(connection, sink, len(gone))
    return len(gone)


def count_dropped(connection: sqlite3.Connection, sink: str, count: int) -> None:
    """`sink` will never have `count` letters."""
    connection.execute("UPDATE sinks SET dropped = dropped + ? WHERE name = ?", (count, sink))


def dropped(connection: sqlite3.Connection) -> dict[str, int]:
    """How many letters each sink has lost so far."""
    return dict(connection.execute("SELECT name, dropped FROM sinks WHERE dropped > 0"))


# Dead letters: alerts that a sink refused for good, kept whole so that they can be sent again.
#
# Promises: the reason is cleaned and cut, since servers echo what they were sent; together they are
# bounded, and what the bound takes is counted as dropped.

# The first sentence of what a server says.
MAX_REASON = 512

# Some fifty thousand alerts: a receiver that refuses everything is noticed before. It must not fill
# the disk.
MAX_BYTES = 64 << 20

_FIELDS = "seq, sink, id, event, severity, fingerprint, body, status, reason, attempts, at_ms"

# A sink that is no longer configured cannot be waited for; its letters are kept where they can be
# sent from again.
ABANDONED = "the sink is no longer configured"


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
    """Move a letter from a sink's queue to the dead letters. One that is not in the queue any more
    stays as it is.
    """
    said = clean(redact_text(reason[: 8 * MAX_REASON]), MAX_REASON)
    found = connection.execute(
        "SELECT sink, id, event, severity, fingerprint, body FROM queue JOIN outbox USING (seq) WHERE sink = ? AND seq = ?",
        (sink, seq),
    ).fetchone()
    if found is None:
        return
    # Not INSERT OR REPLACE: the row that it replaces goes without a trigger, and would be counted
    # for ever.
    connection.execute(
        "DELETE FROM dead_letters WHERE sink = ? AND id = ? AND event = ?", found[:3]
    )
    connection.execute(
        "INSERT INTO dead_letters (sink, id, event, severity, fingerprint, body, status, reason, attempts, at_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*found, status, said, attempts, at_ms),
    )
    take(connection, sink, (seq,))
    _bound(connection)


def _bound(connection: sqlite3.Connection) -> None:
    """Let the oldest go where there are too many."""
    (total,) = connection.execute("SELECT bytes FROM totals WHERE name = 'dead_letters'").fetchone()
    while total > MAX_BYTES:
        seq, sink, length = connection.execute(
            "SELECT seq, sink, length(body) FROM dead_letters ORDER BY seq LIMIT 1"
        ).fetchone()
        connection.execute("DELETE FROM dead_letters WHERE seq = ?", (seq,))
        count_dropped(connection, sink, 1)
        total -= length


def abandon(connection: sqlite3.Connection, sink: str, at_ms: int) -> int:
    """Put away everything that waits for a sink that is no more. Gives how many letters that were."""
    seqs = [
        seq
        for (seq,) in connection.execute(
            "SELECT seq FROM queue WHERE sink = ? ORDER BY seq", (sink,)
        )
    ]
    for seq in seqs:
        bury(connection, sink, seq, reason=ABANDONED, status=None, attempts=0, at_ms=at_ms)
    return len(seqs)


def dead_letters(
    connection: sqlite3.Connection, sink: str | None = None, *, after: int = 0, limit: int = -1
) -> Iterator[DeadLetter]:
    """Those of one sink, or all, in the order in which they died."""
    rows = connection.execute(
        f"SELECT {_FIELDS} FROM dead_letters WHERE seq > ? AND (? IS NULL OR sink = ?) ORDER BY seq LIMIT ?",
        (after, sink, sink, limit),
    )
    for (
        seq,
        name,
        alert,
        event,
        severity,
        fingerprint,
        body,
        status,
        reason,
        attempts,
        at_ms,
    ) in rows:
        yield DeadLetter(
            seq=seq, sink=name, id=alert, event=event, severity=severity, fingerprint=fingerprint, body=body,
            status=status, reason=reason, attempts=attempts, at_ms=at_ms,
        )  # fmt: skip


def replay(
    connection: sqlite3.Connection,
    sink: str | None,
    to: str | None,
    seqs: Sequence[int] | None,
    at_ms: int,
) -> int:
    """Send dead letters again: those of `sink`, of these numbers, or all; to the sink they died at,
    or to another.
    """
    registered = {
        name for (name,) in connection.execute("SELECT name FROM sinks WHERE registered = 1")
    }
    count = 0
    for one in list(_chosen(connection, sink, seqs)):
        target = to or one.sink
        if target not in registered:
            raise StoreError(
                f"there is no sink {target}: known are {', '.join(sorted(registered)) or 'none'}"
            )
        values = (one.id, one.event, one.severity, one.fingerprint, one.body, at_ms)
        connection.execute(
            "INSERT INTO outbox (id, event, severity, fingerprint, body, at_ms) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id, event) DO NOTHING",
            values,
        )
        connection.execute(
            "INSERT OR IGNORE INTO queue (sink, seq, size) SELECT ?, seq, length(body) FROM outbox WHERE id = ? AND event = ?",
            (target, one.id, one.event),
        )
        connection.execute("DELETE FROM dead_letters WHERE seq = ?", (one.seq,))
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
