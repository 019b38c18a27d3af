"""The versions of the schema, and the step from each to the next.

Promises: a step and its version number are one transaction; a schema that is newer than this
program is refused, since an old program would silently drop what it does not understand.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from importlib.resources import files

from jwtleak.errors import StoreCorrupt, StoreError

# `jwtl` (SQLite's application_id): distinguishes our file from another program's.
APPLICATION = 0x6A77746C

_SCRIPTS = ("schema.sql", "queues.sql", "cursors.sql", "positions.sql")


def steps() -> tuple[str, ...]:
    """The SQL that leads from version n to n + 1, for each n. The first turns an empty file into
    version 1.
    """
    return tuple(
        files("jwtleak.store").joinpath(name).read_text(encoding="utf-8") for name in _SCRIPTS
    )


def version(connection: sqlite3.Connection) -> int:
    """The version of the schema in the file; 0 for an empty file."""
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    return int(number)


def migrate(connection: sqlite3.Connection, scripts: Sequence[str] | None = None) -> None:
    """Migrate the file to the newest version."""
    scripts = steps() if scripts is None else scripts
    known = len(scripts)
    check(connection, known)
    for number, script in enumerate(scripts[version(connection) :], version(connection) + 1):
        # The transaction is part of the script, since executescript commits any transaction that is
        # open when it starts.
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{script}\nPRAGMA application_id = {APPLICATION};\n"
                f"PRAGMA user_version = {number};\nCOMMIT;"
            )
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def check(connection: sqlite3.Connection, known: int | None = None) -> None:
    """Raise StoreError or StoreCorrupt for a file that this program cannot use."""
    known = len(steps()) if known is None else known
    found = version(connection)
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application not in (0, APPLICATION) or (application == 0 and tables):
        raise StoreError("the state file was made by another program")
    if found > known:
        raise StoreError(
            f"the state was made by a newer version: it has schema {found}, this one knows {known}"
        )
    if found == 0 and application:
        raise StoreCorrupt("the state file is damaged: it has lost its version")
