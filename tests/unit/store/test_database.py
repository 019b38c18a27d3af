"""The file: rights, transactions, errors."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing

import pytest

from jwtleak.errors import StoreError, StoreFull
from jwtleak.store import database
from jwtleak.store.database import connect, transaction, translated_errors


@pytest.fixture
def connection(tmp_path):
    """A table in a file."""
    with closing(connect(tmp_path)) as connection:
        connection.execute("CREATE TABLE t (x INTEGER)")
        yield connection


def rows(connection):
    """What the table holds."""
    return [x for (x,) in connection.execute("SELECT x FROM t")]


def insert_and_fail(connection, error):
    """A transaction that does not end well."""
    with transaction(connection):
        connection.execute("INSERT INTO t VALUES (1)")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_all_or_nothing(connection, error):
    """A block that ends with anything but success leaves nothing, and the next one works."""
    with pytest.raises(error):
        insert_and_fail(connection, error)
    with transaction(connection):
        connection.execute("INSERT INTO t VALUES (2)")
    assert rows(connection) == [2]


@pytest.mark.parametrize(("durability", "number"), [("FULL", 2), ("NORMAL", 1)])
def test_durability(connection, durability, number):
    """Each transaction runs with the durability that was asked for."""
    with transaction(connection, durability):
        assert connection.execute("PRAGMA synchronous").fetchone() == (number,)


def test_modes_of_the_connection(connection):
    """Write-ahead log, foreign keys, pages that can be freed."""
    asked = ("journal_mode", "foreign_keys", "auto_vacuum", "trusted_schema")
    assert [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in asked] == [
        "wal",
        1,
        2,
        0,
    ]


def test_old_sqlite(tmp_path, monkeypatch):
    """A SQLite that has no STRICT tables is named."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(StoreError, match=r"needs SQLite 3\.37"):
        connect(tmp_path)


def test_a_name_full_of_marks(tmp_path):
    """`?`, `#`, `%` and bytes that are no UTF-8 in the directory's name are part of it."""
    odd = tmp_path / os.fsdecode(b"a?b#c%20d \xff")
    odd.mkdir()
    connect(odd).close()
    assert (odd / database.NAME).is_file()


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, StoreFull), (errno.EDQUOT, StoreFull), (errno.EACCES, StoreError)],
)
def test_errors_of_the_system(tmp_path, number, kind):
    """No space is `StoreFull`, the rest `StoreError`; the system's words are in it."""
    with (
        pytest.raises(StoreError, match=os.strerror(number).lower()) as caught,
        translated_errors(tmp_path),
    ):
        raise OSError(number, os.strerror(number))
    assert type(caught.value) is kind


def test_a_foreign_lock(tmp_path, connection, monkeypatch):
    """A program that holds the file for longer than we wait is a reason to try again later."""
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.0)
    with closing(connect(tmp_path)) as other:
        connection.execute("BEGIN IMMEDIATE")
        with (
            pytest.raises(StoreFull, match="another program"),
            translated_errors(tmp_path),
            transaction(other),
        ):
            pass
        connection.execute("ROLLBACK")
        with translated_errors(tmp_path), transaction(other):
            other.execute("INSERT INTO t VALUES (3)")
    assert rows(connection) == [3]
