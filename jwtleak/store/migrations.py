"""The versions of the schema, one step from each to the next.

Promises: a step and the number it leads to are one transaction; a newer schema than this program
knows is refused, since an old program would quietly drop what it does not understand.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from importlib.resources import files

from jwtleak.errors import StoreCorrupt, StoreError

# `jwtl`: tells our file from another program's (SQLite's application_id).
APPLICATION = 0x6A77746C

_SCRIPTS = ("schema.sql", "queues.sql", "cursors.sql")


def steps() -> tuple[str, ...]:
    """The SQL that leads from version n to n + 1, for each n; the first makes an empty file one of
    version 1.
    """
    return tuple(
        files("jwtleak.store").joinpath(name).read_text(encoding="utf-8") for name in _SCRIPTS
    )


def version(connection: sqlite3.Connection) -> int:
    """The version of the schema in the file; 0 for an empty one."""
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    return int(number)


def migrate(connection: sqlite3.Connection, scripts: Sequence[str] | None = None) -> None:
    """Bring the file to the newest version."""
    scripts = steps() if scripts is None else scripts
    known = len(scripts)
    check(connection, known)
    for number, script in enumerate(scripts[version(connection) :], version(connection) + 1):
        # executescript commits what is open before it begins: the transaction is part of the
        # script.
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
    """Refuse what this program cannot read."""
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
