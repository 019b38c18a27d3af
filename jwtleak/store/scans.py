"""The files that a scan has finished, so that it can resume where it was interrupted.

Promises: a file is recognised by device, inode, size, time of change and a digest of its beginning,
so that a rotated name does not matter and a reused inode does. Only marks and ids are stored,
nothing of a file's content.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from jwtleak.store.database import transaction, translated_errors
from jwtleak.store.interface import ScannedFile
from jwtleak.store.streams import signed

_PUT = (
    "INSERT OR REPLACE INTO scanned_files (scan, device, inode, size, mtime_ns, head, notices, "
    "at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


class Scans:
    """The marks of one scan; `key` is a digest of what it scans and how."""

    def __init__(self, connection: sqlite3.Connection, directory: Path, key: str) -> None:
        self._connection = connection
        self._directory = directory
        self._key = key
        self._any_reported = False

    def begin(self, *, resume: bool) -> int:
        """Start over, or resume. The number of files that are finished."""
        with translated_errors(self._directory), transaction(self._connection):
            if not resume:
                self._connection.execute("DELETE FROM scanned_files WHERE scan = ?", (self._key,))
                self._connection.execute("DELETE FROM given_alerts WHERE scan = ?", (self._key,))
                return 0
            # Parts are numbered anew by each run: the marks of earlier runs move out of their way.
            moved = self._connection.execute(
                "UPDATE given_alerts SET part = -1 WHERE scan = ?", (self._key,)
            )
            self._any_reported = moved.rowcount > 0
            (count,) = self._connection.execute(
                "SELECT count(*) FROM scanned_files WHERE scan = ?", (self._key,)
            ).fetchone()
        return int(count)

    def find(self, device: int, inode: int) -> ScannedFile | None:
        """The finished file with this device and inode."""
        with translated_errors(self._directory):
            found = self._connection.execute(
                "SELECT size, mtime_ns, head, notices FROM scanned_files "
                "WHERE scan = ? AND device = ? AND inode = ?",
                (self._key, signed(device), signed(inode)),
            ).fetchone()
        return None if found is None else ScannedFile(device, inode, *found)

    def finish(self, files: Iterable[ScannedFile], part: int | None, at_ms: int) -> None:
        """Mark files whose alerts are out. If `part` is not None, all of that part is done, and the
        ids of its alerts are deleted.
        """
        rows = (
            (
                self._key,
                signed(file.device),
                signed(file.inode),
                file.size,
                file.mtime_ns,
                file.head,
                file.notices,
                at_ms,
            )
            for file in files
        )
        with translated_errors(self._directory), transaction(self._connection):
            self._connection.executemany(_PUT, rows)
            if part is not None:
                self._connection.execute(
                    "DELETE FROM given_alerts WHERE scan = ? AND part = ?", (self._key, part)
                )

    def mark_reported(self, ids: Iterable[str], part: int, at_ms: int) -> None:
        """The alerts with these ids are out, but their part is not finished."""
        rows = ((self._key, alert, part, at_ms) for alert in ids)
        with translated_errors(self._directory), transaction(self._connection):
            self._connection.executemany(
                "INSERT OR REPLACE INTO given_alerts (scan, id, part, at_ms) VALUES (?, ?, ?, ?)",
                rows,
            )

    def was_reported(self, alert: str) -> bool:
        """Whether an earlier run reported this alert of a file that it did not finish."""
        # Asked for every alert of a resumed scan: most have no such rows, and need no query.
        if not self._any_reported:
            return False
        with translated_errors(self._directory):
            found = self._connection.execute(
                "SELECT 1 FROM given_alerts WHERE scan = ? AND id = ? AND part = -1",
                (self._key, alert),
            ).fetchone()
        return found is not None
