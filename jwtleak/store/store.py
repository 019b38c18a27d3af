"""The store: one SQLite file, one writer, one transaction for what belongs together.

Promises: cursors, sightings and alerts of a `Commit` are there together or not at all, also after `kill -9`; alerts are
on the disk when `commit` returns; a damaged file is set aside, not overwritten; a full disk changes nothing. The store
itself belongs to one thread, each mailbox to another.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from jwtleak.errors import StoreCorrupt, StoreError
from jwtleak.store import outbox, streams
from jwtleak.store.database import NAME, SUFFIXES, connect, told, transaction
from jwtleak.store.interface import Commit, Sighting
from jwtleak.store.lock import Lock
from jwtleak.store.mailbox import Mailbox, wall_ms
from jwtleak.store.migrations import check, migrate
from jwtleak.types import Cursor


class Store:
    """What is remembered in `directory`. A context manager."""

    def __init__(self, directory: Path, connection: sqlite3.Connection, lock: Lock | None, aside: Path | None) -> None:
        self.directory = directory
        self.set_aside = aside  # where a damaged file was moved to, if there was one
        self._connection = connection
        self._lock = lock

    @classmethod
    def open(cls, directory: Path, *, corrupt: Literal["reread", "fail"] = "reread", read_only: bool = False) -> Store:
        """Open or make the state in `directory`. Raises `StoreError`.

        `read_only` works beside the process that holds the lock, and needs a state that exists. A damaged file is moved
        aside and a new one begun, so that everything is read again, unless `corrupt` is "fail".
        """
        if read_only:
            return cls(directory, _look(directory), None, None)
        with told(directory):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = Lock(directory)
        try:
            try:
                return cls(directory, _open(directory), lock, None)
            except StoreCorrupt:
                if corrupt == "fail":
                    raise
                with told(directory):
                    aside = _set_aside(directory)
                return cls(directory, _open(directory), lock, aside)
        except BaseException:
            lock.release()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and the lock. May be called more than once. Mailboxes are closed by their owners, before."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def commit(self, batch: Commit) -> None:
        """One transaction. Raises `StoreFull` where it cannot be written, and has changed nothing then."""
        alerts = list(batch.alerts)
        with told(self.directory), transaction(self._connection, "FULL" if alerts else "NORMAL"):
            streams.forget(self._connection, batch.forget)
            streams.put_cursors(self._connection, batch.cursors, batch.at_ms)
            streams.put_sightings(self._connection, batch.sightings)
            outbox.put(self._connection, alerts, batch.at_ms)

    def cursors(self) -> list[Cursor]:
        """Every stream that is remembered, by path."""
        with told(self.directory):
            return list(streams.cursors(self._connection))

    def sighting(self, stream: str, sha256: str) -> Sighting | None:
        """What is remembered of one token in one stream."""
        with told(self.directory):
            where = "WHERE stream = ? AND sha256 = ?"
            return next(streams.sightings(self._connection, where, (stream, sha256)), None)

    def sightings(self, stream: str | None = None) -> list[Sighting]:
        """All sightings, or those of one stream."""
        with told(self.directory):
            if stream is None:
                return list(streams.sightings(self._connection))
            return list(streams.sightings(self._connection, "WHERE stream = ?", (stream,)))

    def due(self, now_ms: int, limit: int = 1000) -> list[Sighting]:
        """Sightings whose repeats wait to be summed up, the longest first."""
        where = "WHERE since > 0 AND window_end_ms <= ? ORDER BY window_end_ms LIMIT ?"
        with told(self.directory):
            return list(streams.sightings(self._connection, where, (now_ms, limit)))

    def register(self, sinks: Sequence[str]) -> dict[str, int]:
        """From now on letters go to these sinks. Letters for others become dead letters; gives their number by sink."""
        with told(self.directory), transaction(self._connection, "FULL"):
            return outbox.register(self._connection, sinks, wall_ms())

    def mailbox(self, sink: str) -> Mailbox:
        """The queue of one sink, for its own thread."""
        return Mailbox(self.directory, sink)

    def spool_bytes(self) -> int:
        """Bytes of all letters that wait for a sink."""
        with told(self.directory):
            return outbox.spool_bytes(self._connection)

    def room(self, cap: int) -> int:
        """Bytes that may still be entered under a bound of `cap`."""
        return max(0, cap - self.spool_bytes())

    def drop_oldest(self, cap: int) -> dict[str, int]:
        """Throw away the oldest letters until at most `cap` bytes wait; only by the user's choice. Counted by sink."""
        with told(self.directory), transaction(self._connection):
            return outbox.drop_oldest(self._connection, cap)

    def dropped(self) -> dict[str, int]:
        """How many letters each sink has lost to `drop_oldest` since the state was made."""
        with told(self.directory):
            return outbox.dropped(self._connection)

    def own_files(self) -> frozenset[tuple[int, int]]:
        """(device, inode) of everything in the state directory: what must never be followed or scanned."""
        found = set()
        with told(self.directory), os.scandir(self.directory) as entries:
            for entry in entries:
                known = entry.stat(follow_symlinks=False)
                found.add((known.st_dev, known.st_ino))
        return frozenset(found)


def _look(directory: Path) -> sqlite3.Connection:
    if not (directory / NAME).is_file():
        raise StoreError(f"there is no state in {directory}")
    connection = connect(directory, read_only=True)
    try:
        with told(directory):
            check(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _open(directory: Path) -> sqlite3.Connection:
    connection = connect(directory)
    try:
        with told(directory):
            _be_sound(connection, directory)
            migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _be_sound(connection: sqlite3.Connection, directory: Path) -> None:
    """Reads every page once: a few hundred megabytes a second."""
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StoreCorrupt(f"the state in {directory} is damaged: {found}")


def _set_aside(directory: Path) -> Path:
    """Rename the damaged file, and what belongs to it, so that somebody can look at it."""
    when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = directory / f"{NAME}.damaged-{when}"
    number = 1
    while aside.exists():
        number += 1
        aside = directory / f"{NAME}.damaged-{when}-{number}"
    for suffix in SUFFIXES:
        old = directory / (NAME + suffix)
        if old.exists():
            os.replace(old, f"{aside}{suffix}")
    return aside
