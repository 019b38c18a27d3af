"""The SQLite file: opening it, transactions, errors, and what to do with a damaged file.

Promises: mode 0600, also for the files that SQLite puts beside it; a transaction is whole or not
there at all; an error says what happened and never shows a value. A file is checked before it is
trusted; a damaged one is renamed, never written to; a file of another program or a newer version is
left as it is.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, TypeAlias

from jwtleak.errors import StoreCorrupt, StoreError, StoreFull, reason_of
from jwtleak.store.migrations import check, migrate

NAME = "state.db"
# The file, and those that SQLite puts beside it.
SUFFIXES = ("", "-wal", "-shm")

# STRICT tables.
_NEEDED = (3, 37, 0)

# A transaction takes milliseconds; a disk that is busy with something else may take seconds to
# sync.
_BUSY_SECONDS = 10.0

# After a checkpoint the write-ahead log is cut to this size: one large transaction should not
# occupy the disk for ever.
_WAL_BYTES = 8 << 20

# KiB of pages in memory. Ids are random, so inserts touch pages everywhere: with SQLite's default
# of 2 MiB, entering a spool of some thousand alerts takes three times as long.
_CACHE = 16 * 1024

Durability: TypeAlias = Literal["NORMAL", "FULL"]

# I/O errors after which nothing was changed and the same may work later: no space, quota, a disk
# that fails to write.
_WRITE_ERRORS = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMOPEN,
        sqlite3.SQLITE_IOERR_SHMMAP,
    }
)
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def connect(directory: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection with explicit transactions, usable from one thread at a time."""
    if sqlite3.sqlite_version_info < _NEEDED:
        raise StoreError(
            f"state needs SQLite 3.37 or newer; this Python has {sqlite3.sqlite_version}"
        )
    path = directory / NAME
    with translated_errors(directory):
        if not read_only:
            _make(path)
        # Only a URI can ask for read-only. as_uri escapes `?`, `#` and `%`.
        name = path.absolute().as_uri() + ("?mode=ro" if read_only else "?mode=rw")
        connection = sqlite3.connect(
            name,
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
        )
        try:
            _prepare(connection, read_only)
        except BaseException:
            connection.close()
            raise
    return connection


def _make(path: Path) -> None:
    """Make the file, or correct its mode. SQLite copies the mode to the files beside it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(fd).st_mode & 0o077:
            os.fchmod(fd, 0o600)
    finally:
        os.close(fd)


def _prepare(connection: sqlite3.Connection, read_only: bool) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    # Otherwise the bytes of a deleted row stay readable in a free page until it is reused.
    connection.execute("PRAGMA secure_delete = FAST")
    connection.execute("PRAGMA trusted_schema = OFF")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
        return
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    if pages == 0:
        # Only works before the first table is made. With it `prune` can cut free pages off the file
        # without copying the file.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(
            "state cannot be kept on this file system: SQLite has no write-ahead log on it"
        )
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    connection.execute(f"PRAGMA cache_size = -{_CACHE}")


@contextmanager
def transaction(
    connection: sqlite3.Connection, durability: Durability = "NORMAL"
) -> Iterator[None]:
    """All of the block or nothing.

    FULL syncs the write-ahead log before it returns, and with it all earlier transactions. NORMAL
    leaves the sync to the next FULL transaction or checkpoint: a power cut may undo the
    transaction, a killed process cannot.
    """
    # SQLite refuses to change this inside a transaction.
    connection.execute(f"PRAGMA synchronous = {durability}")
    # IMMEDIATE: a transaction that reads first and then writes could fail with SQLITE_BUSY, which
    # no timeout retries.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException as error:
        # SQLite itself may have rolled back, as it does on a full disk.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if getattr(error, "sqlite_errorcode", 0) in _WRITE_ERRORS:
            # Pages that the checkpoint moves into the file free room in the log for the next try.
            with suppress(sqlite3.Error):
                connection.execute("PRAGMA wal_checkpoint(RESTART)")
        raise


@contextmanager
def translated_errors(directory: Path) -> Iterator[None]:
    """Translate sqlite3 and OS errors into StoreError, StoreFull or StoreCorrupt. SQLite's texts
    name tables, columns and constraints, never values.
    """
    try:
        yield
    except sqlite3.Error as error:
        # `from None`: the chained exception could carry bound values.
        raise _translated(directory, error) from None
    except OSError as error:
        reason = reason_of(error).lower()
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise (StoreFull if full else StoreError)(
            f"the state in {directory} cannot be used: {reason}"
        ) from None


def _translated(directory: Path, error: sqlite3.Error) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0)
    text = str(error)
    if code in _WRITE_ERRORS:
        return StoreFull(f"the state in {directory} cannot be written: {text}")
    if code & 0xFF in _CORRUPT:
        return StoreCorrupt(f"the state in {directory} is damaged: {text}")
    if code & 0xFF == sqlite3.SQLITE_BUSY:
        return StoreFull(
            f"the state in {directory} cannot be written: another program holds {NAME}"
        )
    return StoreError(f"the state in {directory} cannot be used: {text}")


def inspect_file(directory: Path) -> sqlite3.Connection:
    """Open the file for reading only; nothing is made, repaired or moved."""
    with translated_errors(directory):
        exists = (directory / NAME).is_file()
    if not exists:
        raise StoreError(f"there is no state in {directory}")
    connection = connect(directory, read_only=True)
    try:
        with translated_errors(directory):
            check(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_sound(directory: Path) -> sqlite3.Connection:
    """Open the file for reading and writing, checked and migrated to the newest version. A new file
    if there is none.
    """
    connection = connect(directory)
    try:
        with translated_errors(directory):
            # Before the migration, which would write to a damaged file.
            _check_pages(connection, directory)
            migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_pages(connection: sqlite3.Connection, directory: Path) -> None:
    """Raise StoreCorrupt for a damaged file. Reads every page: some hundred megabytes a second."""
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StoreCorrupt(f"the state in {directory} is damaged: {found}")


def set_aside(directory: Path) -> Path:
    """Rename the damaged file and those beside it, so that somebody can inspect them. Its new
    name.
    """
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


def remove(directory: Path) -> None:
    """Delete the state."""
    # The log first: a crash in between leaves an older state, not the half of one.
    for suffix in ("-wal", "", "-shm"):
        (directory / (NAME + suffix)).unlink(missing_ok=True)
