"""Cursors, positions and sightings as rows.

Promises: a value comes back as it was written, also paths that are not UTF-8 and inode numbers
above 63 bits. The exception is a token in a path, which is never written.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from jwtleak.core.redaction import redact_text
from jwtleak.store.interface import Position, Sighting
from jwtleak.types import Cursor

_CURSOR = (
    "stream, path, device, inode, generation, head_length, head, anchor_length, anchor, offset, "
    "told, read, lines, line_start, size, mtime_ns, state, provisional"
)
_POSITION = "source, stream, position, identity, start, offset, lines, line_start"
_SIGHTING = (
    "stream, sha256, first_id, last_id, since, total, first_offset, last_offset, first_ms, "
    "last_ms, severity, window_end_ms, body"
)
# The column keeps the name that it was made with.
_CURSOR_FIELDS = _CURSOR.replace("told", "reported").split(", ")
_SIGHTING_FIELDS = _SIGHTING.split(", ")
_PUT_CURSOR = f"INSERT OR REPLACE INTO streams ({_CURSOR}, at_ms) VALUES ({'?, ' * 18}?)"
_PUT_POSITION = f"INSERT OR REPLACE INTO positions ({_POSITION}, at_ms) VALUES ({'?, ' * 8}?)"
_PUT_SIGHTING = f"INSERT OR REPLACE INTO sightings ({_SIGHTING}) VALUES ({'?, ' * 12}?)"
_SIGN = 1 << 63


def signed(number: int) -> int:
    """An unsigned number of 64 bits as SQLite can store it."""
    return number - 2 * _SIGN if number >= _SIGN else number


def unsigned(number: int) -> int:
    """The inverse of `signed`."""
    return number + 2 * _SIGN if number < 0 else number


def put_cursors(connection: sqlite3.Connection, cursors: Iterable[Cursor], at_ms: int) -> None:
    """Write how far files were judged."""
    connection.executemany(_PUT_CURSOR, ((*_row(cursor), at_ms) for cursor in cursors))


def _row(cursor: Cursor) -> tuple[Any, ...]:
    generation = None if cursor.generation is None else signed(cursor.generation)
    return (
        cursor.stream,
        os.fsencode(redact_text(cursor.path)),
        signed(cursor.device),
        signed(cursor.inode),
        generation,
        cursor.head_length,
        cursor.head,
        cursor.anchor_length,
        cursor.anchor,
        cursor.offset,
        cursor.reported,
        cursor.read,
        cursor.lines,
        cursor.line_start,
        cursor.size,
        cursor.mtime_ns,
        cursor.state,
        cursor.provisional,
    )


def cursors(connection: sqlite3.Connection) -> Iterator[Cursor]:
    """All cursors, by path."""
    for row in connection.execute(f"SELECT {_CURSOR} FROM streams ORDER BY path, stream"):
        fields = dict(zip(_CURSOR_FIELDS, row, strict=True))
        fields["path"] = os.fsdecode(fields["path"])
        for name in ("device", "inode", "generation"):
            if fields[name] is not None:
                fields[name] = unsigned(fields[name])
        yield Cursor(**fields)


def put_positions(
    connection: sqlite3.Connection, positions: Iterable[Position], at_ms: int
) -> None:
    """Write how far streams of record sources were judged."""
    connection.executemany(
        _PUT_POSITION,
        (
            (
                position.source,
                position.stream,
                position.position,
                position.identity,
                position.start,
                position.offset,
                position.lines,
                position.line_start,
                at_ms,
            )
            for position in positions
        ),
    )


def positions(connection: sqlite3.Connection, source: str) -> Iterator[Position]:
    """The positions of one source, by stream."""
    rows = f"SELECT {_POSITION} FROM positions WHERE source = ? ORDER BY stream"
    for row in connection.execute(rows, (source,)):
        yield Position(**dict(zip(_POSITION.split(", "), row, strict=True)))


def forget(connection: sqlite3.Connection, streams: Iterable[str]) -> None:
    """Delete streams with their sightings."""
    # Sightings too: the name of a stream is never used again, so nobody would ask for them.
    for stream in streams:
        for table in ("streams", "positions", "sightings"):
            connection.execute(f"DELETE FROM {table} WHERE stream = ?", (stream,))


def put_sightings(connection: sqlite3.Connection, sightings: Iterable[Sighting]) -> None:
    """Write sightings."""
    connection.executemany(
        _PUT_SIGHTING,
        (
            (
                sighting.stream,
                sighting.sha256,
                sighting.first_id,
                sighting.last_id,
                sighting.since,
                sighting.total,
                sighting.first_offset,
                sighting.last_offset,
                sighting.first_ms,
                sighting.last_ms,
                sighting.severity,
                sighting.window_end_ms,
                sighting.body,
            )
            for sighting in sightings
        ),
    )


def sightings(
    connection: sqlite3.Connection, where: str = "", values: tuple[Any, ...] = ()
) -> Iterator[Sighting]:
    """The sightings that `where` selects; all without it."""
    for row in connection.execute(f"SELECT {_SIGHTING} FROM sightings {where}", values):
        yield Sighting(**dict(zip(_SIGHTING_FIELDS, row, strict=True)))
