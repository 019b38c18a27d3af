"""The store: one SQLite file, one writer, one transaction for what belongs together.

Promises: positions, sightings and alerts of a `Commit` are stored together or not at all, also
after `kill -9`; alerts are on the disk when `commit` returns; a damaged file is set aside, not
overwritten; a full disk changes nothing. The store belongs to one thread, each sink's queue to
another.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from jwtleak.errors import StoreCorrupt
from jwtleak.store import outbox, streams
from jwtleak.store.database import (
    inspect_file,
    open_sound,
    remove,
    set_aside,
    transaction,
    translated_errors,
)
from jwtleak.store.interface import Commit, DeadLetter, Position, Pruned, Sighting
from jwtleak.store.lock import Lock
from jwtleak.store.maintenance import Keep, Summary, prune, summarise
from jwtleak.store.outbox import SinkQueue, wall_ms
from jwtleak.store.scans import Scans
from jwtleak.types import Cursor

_KEEP = Keep()


class Store:
    """The state in `directory`. A context manager."""

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
        """Open the state in `directory`, or make it. Raises `StoreError`.

        `read_only` works beside the process that holds the lock, and needs a state that exists. A
        damaged file is moved aside and a new one is made, so that everything is read again, unless
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
        """Close the file and release the lock. May be called more than once. The owners of queues
        close them before.
        """
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def commit(self, batch: Commit) -> None:
        """One transaction. Raises `StoreFull` if it cannot be written; nothing has changed then."""
        alerts = list(batch.alerts)
        # Without alerts there is nothing to lose: a power cut that undoes a position only means
        # that bytes are read again. A sync per commit would cost the disk one a second for ever.
        with (
            translated_errors(self.directory),
            transaction(self._connection, "FULL" if alerts else "NORMAL"),
        ):
            # A scan commits alerts alone: empty statements cost as much as a small batch.
            if batch.forget or batch.cursors or batch.positions or batch.sightings:
                streams.forget(self._connection, batch.forget)
                streams.put_cursors(self._connection, batch.cursors, batch.at_ms)
                streams.put_positions(self._connection, batch.positions, batch.at_ms)
                streams.put_sightings(self._connection, batch.sightings)
            outbox.put(self._connection, alerts, batch.at_ms)

    def cursors(self) -> list[Cursor]:
        """All cursors, by path."""
        with translated_errors(self.directory):
            return list(streams.cursors(self._connection))

    def positions(self, source: str) -> list[Position]:
        """How far the streams of a record source were judged, by stream."""
        with translated_errors(self.directory):
            return list(streams.positions(self._connection, source))

    def sighting(self, stream: str, sha256: str) -> Sighting | None:
        """The sighting of one token in one stream."""
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
        """Sightings whose window is over and whose repeats are to be summed up, the oldest
        first.
        """
        where = "WHERE since > 0 AND window_end_ms <= ? ORDER BY window_end_ms LIMIT ?"
        with translated_errors(self.directory):
            return list(streams.sightings(self._connection, where, (now_ms, limit)))

    def register(self, sinks: Sequence[str]) -> dict[str, int]:
        """From now on alerts go to exactly these sinks. What waits for other sinks becomes dead
        letters; their number by sink.
        """
        with translated_errors(self.directory), transaction(self._connection, "FULL"):
            gone = outbox.register(self._connection, sinks)
            return {sink: outbox.abandon(self._connection, sink, wall_ms()) for sink in gone}

    def queue(self, sink: str) -> SinkQueue:
        """The queue of one sink, for its own thread."""
        return SinkQueue(self.directory, sink)

    def spool_bytes(self) -> int:
        """Bytes of all alerts that wait for a sink."""
        with translated_errors(self.directory):
            return outbox.spool_bytes(self._connection)

    def room(self, cap: int) -> int:
        """Bytes that still fit under a bound of `cap`."""
        return max(0, cap - self.spool_bytes())

    def drop_oldest(self, cap: int) -> dict[str, int]:
        """Drop the oldest alerts until at most `cap` bytes wait; only by the user's choice. Their
        number by sink.
        """
        dropped: dict[str, int] = {}
        # One transaction for each part: the sinks' threads wait for the lock of the file.
        while self.spool_bytes() > max(0, cap):
            with translated_errors(self.directory), transaction(self._connection):
                part = outbox.drop_oldest(self._connection, cap)
            for sink, count in part.items():
                dropped[sink] = dropped.get(sink, 0) + count
        return dropped

    def queue_bytes(self) -> dict[str, int]:
        """Bytes by sink, for sinks that have queued alerts. An alert for two sinks counts for
        both.
        """
        with translated_errors(self.directory):
            return outbox.queue_bytes(self._connection)

    def trim(self, sink: str, cap: int, after: int = 0) -> int:
        """Drop the oldest alerts of one sink, but none up to number `after`, until at most `cap`
        bytes wait for it; only by the user's choice. Their number.
        """
        dropped = 0
        while True:
            with translated_errors(self.directory), transaction(self._connection):
                part = outbox.trim(self._connection, sink, cap, after)
            if part == 0:
                return dropped
            dropped += part

    def dropped(self) -> dict[str, int]:
        """How many alerts each sink has lost to `drop_oldest` and `trim` since the state was
        made.
        """
        with translated_errors(self.directory):
            return outbox.dropped(self._connection)

    def dead_letters(
        self, sink: str | None = None, *, after: int = 0, limit: int = -1
    ) -> list[DeadLetter]:
        """Alerts that were refused for good, in the order of refusal: of one sink or all, behind
        number `after`.
        """
        with translated_errors(self.directory):
            return list(outbox.dead_letters(self._connection, sink, after=after, limit=limit))

    def replay(
        self, *, sink: str | None = None, to: str | None = None, seqs: Sequence[int] | None = None
    ) -> int:
        """Put dead letters back into the queue of their sink, or of `to`: all, those of `sink`, or
        those numbered `seqs`. Their number.
        """
        with translated_errors(self.directory), transaction(self._connection, "FULL"):
            return outbox.replay(self._connection, sink, to, seqs, wall_ms())

    def scans(self, key: str) -> Scans:
        """The finished files of one scan."""
        return Scans(self._connection, self.directory, key)

    def prune(self, now_ms: int, keep: Keep = _KEEP) -> Pruned:
        """Delete rows that are older than `keep` says, but nothing that waits for a sink or a
        roll-up.
        """
        with translated_errors(self.directory):
            return prune(self._connection, now_ms, keep)

    def summary(self) -> Summary:
        """The state in numbers."""
        with translated_errors(self.directory):
            return summarise(self._connection)

    def own_files(self) -> frozenset[tuple[int, int]]:
        """(device, inode) of everything in the state directory. These files must never be followed
        or scanned, nor even opened by this process: closing any descriptor of a file releases all
        POSIX locks that the process has on it, those of SQLite too.
        """
        found = set()
        with translated_errors(self.directory), os.scandir(self.directory) as entries:
            for entry in entries:
                known = entry.stat(follow_symlinks=False)
                found.add((known.st_dev, known.st_ino))
        return frozenset(found)
