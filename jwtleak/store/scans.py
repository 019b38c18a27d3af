"""What a scan has finished, so that it can go on where it was broken off.

Promises: a file is known by device, inode, size, time of change and a digest of its beginning, so
that a name that was rotated away does not matter and an inode that was used again does. What is
kept are marks and ids, nothing of a file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from jwtleak.store.database import transaction, translated_errors
from jwtleak.store.interface import ScannedFile
from jwtleak.store.streams import signed

_PUT = "INSERT OR REPLACE INTO scanned_files (scan, device, inode, size, mtime_ns, head, notices, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class Scans:
    """The marks of one scan; `key` says what is scanned and how."""

    def __init__(self, connection: sqlite3.Connection, directory: Path, key: str) -> None:
        self._connection = connection
        self._directory = directory
        self._key = key
        self._any_given = False

    def begin(self, *, resume: bool) -> int:
        """Begin anew, or go on. Gives the number of files that are finished."""
        with translated_errors(self._directory), transaction(self._connection):
            if not resume:
                self._connection.execute("DELETE FROM scanned_files WHERE scan = ?", (self._key,))
                self._connection.execute("DELETE FROM given_alerts WHERE scan = ?", (self._key,))
                return 0
            moved = self._connection.execute(
                "UPDATE given_alerts SET part = -1 WHERE scan = ?", (self._key,)
            )
            self._any_given = moved.rowcount > 0
            (count,) = self._connection.execute(
                "SELECT count(*) FROM scanned_files WHERE scan = ?", (self._key,)
            ).fetchone()
        return int(count)

    def find(self, device: int, inode: int) -> ScannedFile | None:
        """The finished file at this place."""
        with translated_errors(self._directory):
            found = self._connection.execute(
                "SELECT size, mtime_ns, head, notices FROM scanned_files WHERE scan = ? AND device = ? AND inode = ?",
                (self._key, signed(device), signed(inode)),
            ).fetchone()
        return None if found is None else ScannedFile(device, inode, *found)

    def finish(self, files: Iterable[ScannedFile], part: int | None, at_ms: int) -> None:
        """Their alerts are out: mark them. Nothing of `part` is left to do: forget which of its
        alerts were given.
        """
        rows = (
            (
                self._key,
                signed(one.device),
                signed(one.inode),
                one.size,
                one.mtime_ns,
                one.head,
                one.notices,
                at_ms,
            )
            for one in files
        )
        with translated_errors(self._directory), transaction(self._connection):
            self._connection.executemany(_PUT, rows)
            if part is not None:
                self._connection.execute(
                    "DELETE FROM given_alerts WHERE scan = ? AND part = ?", (self._key, part)
                )

    def give(self, ids: Iterable[str], part: int, at_ms: int) -> None:
        """These alerts of a part that is not finished are out."""
        rows = ((self._key, one, part, at_ms) for one in ids)
        with translated_errors(self._directory), transaction(self._connection):
            self._connection.executemany(
                "INSERT OR REPLACE INTO given_alerts (scan, id, part, at_ms) VALUES (?, ?, ?, ?)",
                rows,
            )

    def was_given(self, alert: str) -> bool:
        """Whether an earlier run gave this alert, of a file that it did not finish."""
        if not self._any_given:
            return False
        with translated_errors(self._directory):
            found = self._connection.execute(
                "SELECT 1 FROM given_alerts WHERE scan = ? AND id = ? AND part = -1",
                (self._key, alert),
            ).fetchone()
        return found is not None
