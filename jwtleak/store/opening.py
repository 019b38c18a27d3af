"""Opening the state: looking only, for work, and what is done with a damaged file.

Promises: a file is looked through before it is trusted; a damaged one is renamed, never written to; what was made by
another program or a newer version is left as it is.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from jwtleak.errors import StoreCorrupt, StoreError
from jwtleak.store.database import NAME, SUFFIXES, connect, told
from jwtleak.store.migrations import check, migrate


def look(directory: Path) -> sqlite3.Connection:
    """For reading only; nothing is made, mended or moved."""
    with told(directory):
        exists = (directory / NAME).is_file()
    if not exists:
        raise StoreError(f"there is no state in {directory}")
    connection = connect(directory, read_only=True)
    try:
        with told(directory):
            check(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_sound(directory: Path) -> sqlite3.Connection:
    """For reading and writing, looked through and of the newest version; a new file where there is none."""
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


def set_aside(directory: Path) -> Path:
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


def remove(directory: Path) -> None:
    """Forget everything. The log goes first: what a crash leaves then is an older state, not half of one."""
    for suffix in ("-wal", "", "-shm"):
        (directory / (NAME + suffix)).unlink(missing_ok=True)
