"""The store: one SQLite file, one writer, one transaction for what belongs together.

Promises: cursors, sightings and alerts of a `Commit` are there together or not at all, also after
`kill -9`; alerts are on the disk when `commit` returns; a damaged file is set aside, not
overwritten; a full disk changes nothing. The store itself belongs to one thread, each `SinkQueue`
to another.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from jwtleak.errors import StoreCorrupt
from jwtleak.store import outbox, streams
from jwtleak.store.database import (
    connect,
    inspect_file,
    open_sound,
    remove,
    set_aside,
    transaction,
    translated_errors,
)
from jwtleak.store.interface import Commit, DeadLetter, Pruned, QueuedAlert, Sighting
from jwtleak.store.lock import Lock
from jwtleak.store.maintenance import Keep, Summary, prune, summarise
from jwtleak.store.scans import Scans
from jwtleak.types import Cursor

_KEEP = Keep()


def wall_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


class Store:
    """What is remembered in `directory`. A context manager."""

    def __init__(
        self, directory: Path, connection: sqlite3.Connection, lock: Lock | None, aside: Path | None
    ) -> None:
        self.directory = directory
        self.set_aside = aside  # where a damaged file was moved to, if there was one
        self._connection = connection
        self._lock = lock

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        corrupt: Literal["reread", "fail"] = "reread",
        read_only: bool = False,
    ) -> Store:
        """Open or make the state in `directory`. Raises `StoreError`.

        `read_only` works beside the process that holds the lock, and needs a state that exists. A
        damaged file is moved aside and a new one begun, so that everything is read again, unless
        `corrupt` is "fail".
        """
        if read_only:
            return cls(directory, inspect_file(directory), None, None)
        with translated_errors(directory):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = Lock(directory)
        try:
            try:
                return cls(directory, open_sound(directory), lock, None)
            except StoreCorrupt:
                if corrupt == "fail":
                    raise
                with translated_errors(directory):
                    aside = set_aside(directory)
                return cls(directory, open_sound(directory), lock, aside)
        except BaseException:
            lock.release()
            raise

    @staticmethod
    def reset(directory: Path) -> None:
        """Forget everything in `directory`, undelivered alerts too. Raises `StoreError` where
        another process has it.
        """
        if not directory.is_dir():
            return
        with translated_errors(directory):
            lock = Lock(directory)
            try:
                remove(directory)
            finally:
                lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and the lock. May be called more than once. A `SinkQueue` is closed
        by its owner, before.
        """
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def commit(self, batch: Commit) -> None:
        """One transaction. Raises `StoreFull` where it cannot be written, and has changed nothing
        then.
        """
        alerts = list(batch.alerts)
        with (
            translated_errors(self.directory),
            transaction(self._connection, "FULL" if alerts else "NORMAL"),
        ):
            if batch.forget or batch.cursors or batch.sightings:  # a scan commits alerts alone
                streams.forget(self._connection, batch.forget)
                streams.put_cursors(self._connection, batch.cursors, batch.at_ms)
                streams.put_sightings(self._connection, batch.sightings)
            outbox.put(self._connection, alerts, batch.at_ms)

    def cursors(self) -> list[Cursor]:
        """Every stream that is remembered, by path."""
        with translated_errors(self.directory):
            return list(streams.cursors(self._connection))

    def sighting(self, stream: str, sha256: str) -> Sighting | None:
        """What is remembered of one token in one stream."""
        with translated_errors(self.directory):
            where = "WHERE stream = ? AND sha256 = ?"
            return next(streams.sightings(self._connection, where, (stream, sha256)), None)

    def sightings(self, stream: str | None = None) -> list[Sighting]:
        """All sightings, or those of one stream."""
        with translated_errors(self.directory):
            if stream is None:
                return list(streams.sightings(self._connection))
            return list(streams.sightings(self._connection, "WHERE stream = ?", (stream,)))

    def due(self, now_ms: int, limit: int = 1000) -> list[Sighting]:
        """Sightings whose repeats wait to be summed up, the longest first."""
        where = "WHERE since > 0 AND window_end_ms <= ? ORDER BY window_end_ms LIMIT ?"
        with translated_errors(self.directory):
            return list(streams.sightings(self._connection, where, (now_ms, limit)))

    def register(self, sinks: Sequence[str]) -> dict[str, int]:
        """From now on letters go to these sinks. Letters for others become dead letters; gives
        their number by sink.
        """
        with translated_errors(self.directory), transaction(self._connection, "FULL"):
            gone = outbox.register(self._connection, sinks)
            return {sink: outbox.abandon(self._connection, sink, wall_ms()) for sink in gone}

    def queue(self, sink: str) -> SinkQueue:
        """The queue of one sink, for its own thread."""
        return SinkQueue(self.directory, sink)

    def spool_bytes(self) -> int:
        """Bytes of all letters that wait for a sink."""
        with translated_errors(self.directory):
            return outbox.spool_bytes(self._connection)

    def room(self, cap: int) -> int:
        """Bytes that may still be entered under a bound of `cap`."""
        return max(0, cap - self.spool_bytes())

    def drop_oldest(self, cap: int) -> dict[str, int]:
        """Throw away the oldest letters until at most `cap` bytes wait; only by the user's choice.
        Counted by sink.
        """
        dropped: dict[str, int] = {}
        while self.spool_bytes() > max(0, cap):
            with translated_errors(self.directory), transaction(self._connection):
                some = outbox.drop_oldest(self._connection, cap)
            dropped = {
                sink: dropped.get(sink, 0) + some.get(sink, 0) for sink in {**dropped, **some}
            }
        return dropped

    def queue_bytes(self) -> dict[str, int]:
        """Bytes that wait for each sink for which something does. A letter for two sinks counts for
        both.
        """
        with translated_errors(self.directory):
            return outbox.queue_bytes(self._connection)

    def trim(self, sink: str, cap: int, after: int = 0) -> int:
        """Throw away the oldest letters of one sink, but none up to number `after`, until at most
        `cap` bytes wait for it; only by the user's choice. Gives how many those were.
        """
        dropped = 0
        while some := self._trim(sink, cap, after):
            dropped += some
        return dropped

    def _trim(self, sink: str, cap: int, after: int) -> int:
        with translated_errors(self.directory), transaction(self._connection):
            return outbox.trim(self._connection, sink, cap, after)

    def dropped(self) -> dict[str, int]:
        """How many letters each sink has lost to `drop_oldest` and `trim` since the state was made."""
        with translated_errors(self.directory):
            return outbox.dropped(self._connection)

    def dead_letters(
        self, sink: str | None = None, *, after: int = 0, limit: int = -1
    ) -> list[DeadLetter]:
        """Letters that were refused for good, in the order in which they died: of one sink or all,
        behind number `after`.
        """
        with translated_errors(self.directory):
            return list(outbox.dead_letters(self._connection, sink, after=after, limit=limit))

    def replay(
        self, *, sink: str | None = None, to: str | None = None, seqs: Sequence[int] | None = None
    ) -> int:
        """Put dead letters back into a queue: all, those of `sink`, or those numbered; that of
        their sink, or of `to`.
        """
        with translated_errors(self.directory), transaction(self._connection, "FULL"):
            return outbox.replay(self._connection, sink, to, seqs, wall_ms())

    def scans(self, key: str) -> Scans:
        """The finished files of one scan."""
        return Scans(self._connection, self.directory, key)

    def prune(self, now_ms: int, keep: Keep = _KEEP) -> Pruned:
        """Let go of what is older than `keep` says. Nothing that waits for a sink or a roll-up
        goes.
        """
        with translated_errors(self.directory):
            return prune(self._connection, now_ms, keep)

    def summary(self) -> Summary:
        """Everything in numbers."""
        with translated_errors(self.directory):
            return summarise(self._connection)

    def own_files(self) -> frozenset[tuple[int, int]]:
        """(device, inode) of everything in the state directory: what must never be followed or
        scanned, nor even opened in this process. Closing a descriptor lets go of all POSIX locks on
        its file, those of SQLite too.
        """
        found = set()
        with translated_errors(self.directory), os.scandir(self.directory) as entries:
            for entry in entries:
                known = entry.stat(follow_symlinks=False)
                found.add((known.st_dev, known.st_ino))
        return frozenset(found)


class SinkQueue:
    """The alerts that wait for `sink`, over a connection of its own, so that the sink's thread waits
    for nobody. Use it in one thread at a time; close it.

    Promises: alerts come in the order in which they were entered; an alert stays until it is
    acknowledged or declared dead; doing either twice, or for an alert that is gone, changes nothing.
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
        """The oldest alerts behind `after`: at most `limit`, and no more than `max_bytes` together
        but for the first.
        """
        found: list[QueuedAlert] = []
        room = max_bytes
        with translated_errors(self._directory):
            rows = self._connection.execute(
                "SELECT seq, id, body, at_ms FROM queue JOIN outbox USING (seq) WHERE sink = ? AND seq > ? "
                "ORDER BY seq LIMIT ?",
                (self.sink, after, limit),
            )
            for row in rows:
                entry = QueuedAlert(*row)
                room -= len(entry.body)
                if found and room < 0:
                    break
                found.append(entry)
            rows.close()
        return found

    def ack(self, seqs: Sequence[int]) -> None:
        """Remove alerts that the sink has."""
        with translated_errors(self._directory), transaction(self._connection):
            outbox.take(self._connection, self.sink, seqs)

    def dead(self, seq: int, reason: str, status: int | None = None, attempts: int = 1) -> None:
        """Make a dead letter of an alert that the sink refused for good, with the receiver's words,
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
        """When the oldest waiting alert was entered; None where none waits."""
        with translated_errors(self._directory):
            found = self._connection.execute(
                "SELECT at_ms FROM outbox WHERE seq = (SELECT min(seq) FROM queue WHERE sink = ?)",
                (self.sink,),
            ).fetchone()
        return None if found is None else int(found[0])
