"""Cursors and sightings as rows.

Promises: what is read is what was written, also paths that are no UTF-8 and inode numbers above 63
bits; but a token in a path is not written.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from jwtleak.core.redaction import redact_text
from jwtleak.store.interface import Sighting
from jwtleak.types import Cursor

_CURSOR = (
    "stream, path, device, inode, generation, head_length, head, anchor_length, anchor, offset, told, read, lines, "
    "line_start, size, mtime_ns, state, provisional"
)
_SIGHTING = (
    "stream, sha256, first_id, last_id, since, total, first_offset, last_offset, first_ms, last_ms, severity, "
    "window_end_ms, body"
)
_PUT_CURSOR = f"INSERT OR REPLACE INTO streams ({_CURSOR}, at_ms) VALUES ({'?, ' * 18}?)"
_PUT_SIGHTING = f"INSERT OR REPLACE INTO sightings ({_SIGHTING}) VALUES ({'?, ' * 12}?)"
_SIGN = 1 << 63


def signed(number: int) -> int:
    """An unsigned number of 64 bits as SQLite can keep it."""
    return number - 2 * _SIGN if number >= _SIGN else number


def unsigned(number: int) -> int:
    """And back."""
    return number + 2 * _SIGN if number < 0 else number


def put_cursors(connection: sqlite3.Connection, cursors: Iterable[Cursor], at_ms: int) -> None:
    """Remember how far streams are."""
    connection.executemany(_PUT_CURSOR, ((*_row(cursor), at_ms) for cursor in cursors))


def _row(cursor: Cursor) -> tuple[Any, ...]:
    generation = None if cursor.generation is None else signed(cursor.generation)
    return (
        cursor.stream, os.fsencode(redact_text(cursor.path)), signed(cursor.device), signed(cursor.inode), generation,
        cursor.head_length, cursor.head, cursor.anchor_length, cursor.anchor, cursor.offset, cursor.reported, cursor.read,
        cursor.lines, cursor.line_start, cursor.size, cursor.mtime_ns, cursor.state, cursor.provisional,
    )  # fmt: skip


def cursors(connection: sqlite3.Connection) -> Iterator[Cursor]:
    """All that are remembered, by path."""
    for row in connection.execute(f"SELECT {_CURSOR} FROM streams ORDER BY path, stream"):
        (
            stream, path, device, inode, generation, head_length, head, anchor_length, anchor, offset, told, read,
            lines, line_start, size, mtime_ns, state, provisional,
        ) = row  # fmt: skip
        yield Cursor(
            stream=stream, path=os.fsdecode(path), device=unsigned(device), inode=unsigned(inode),
            generation=None if generation is None else unsigned(generation), head_length=head_length, head=head,
            anchor_length=anchor_length, anchor=anchor, offset=offset, reported=told, read=read, lines=lines,
            line_start=line_start, size=size, mtime_ns=mtime_ns, state=state, provisional=provisional,
        )  # fmt: skip


def forget(connection: sqlite3.Connection, streams: Iterable[str]) -> None:
    """Streams that are no more, and what was seen in them."""
    for stream in streams:
        connection.execute("DELETE FROM streams WHERE stream = ?", (stream,))
        connection.execute("DELETE FROM sightings WHERE stream = ?", (stream,))


def put_sightings(connection: sqlite3.Connection, sightings: Iterable[Sighting]) -> None:
    """Remember what was seen."""
    connection.executemany(
        _PUT_SIGHTING,
        (
            (
                one.stream, one.sha256, one.first_id, one.last_id, one.since, one.total, one.first_offset,
                one.last_offset, one.first_ms, one.last_ms, one.severity, one.window_end_ms, one.body,
            )
            for one in sightings
        ),
    )  # fmt: skip


def sightings(
    connection: sqlite3.Connection, where: str = "", values: tuple[Any, ...] = ()
) -> Iterator[Sighting]:
    """Those that `where` selects; all without it."""
    for row in connection.execute(f"SELECT {_SIGHTING} FROM sightings {where}", values):
        (
            stream, sha256, first_id, last_id, since, total, first_offset, last_offset, first_ms, last_ms, severity,
            window_end_ms, body,
        ) = row  # fmt: skip
        yield Sighting(
            stream=stream, sha256=sha256, first_id=first_id, last_id=last_id, since=since, total=total,
            first_offset=first_offset, last_offset=last_offset, first_ms=first_ms, last_ms=last_ms, severity=severity,
            window_end_ms=window_end_ms, body=body,
        )  # fmt: skip
