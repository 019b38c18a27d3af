"""One sink's queue, over a connection of its own, so that the sink's thread waits for nobody.

Promises: alerts come in the order in which they were entered; an alert stays until it is
acknowledged or declared dead; to do so twice, or for an alert that is gone, changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from jwtleak.store import outbox
from jwtleak.store.database import connect, transaction, translated_errors
from jwtleak.store.interface import QueuedAlert


def wall_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


class SinkQueue:
    """The alerts that wait for `sink`. Use it in one thread at a time; close it."""

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
        """The oldest alerts behind number `after`: at most `limit` of them and `max_bytes` together.

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
            outbox.acknowledge(self._connection, self.sink, seqs)

    def dead(self, seq: int, reason: str, status: int | None = None, attempts: int = 1) -> None:
        """The sink refused an alert for good: it becomes a dead letter with the receiver's reason,
        cleaned and cut.
        """
        with translated_errors(self._directory), transaction(self._connection):
            outbox.bury(
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
