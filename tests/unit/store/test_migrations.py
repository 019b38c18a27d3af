"""The versions of the schema."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from jwtleak.errors import StoreCorrupt, StoreError
from jwtleak.store import Position, streams
from jwtleak.store.migrations import APPLICATION, check, migrate, steps, version

TWO = (
    "CREATE TABLE t (x INTEGER) STRICT;",
    "ALTER TABLE t ADD COLUMN y INTEGER; UPDATE t SET y = x + 1;",
)


def fresh():
    """An empty database that closes itself."""
    return closing(sqlite3.connect(":memory:", isolation_level=None))


def test_an_empty_file_becomes_the_newest_version():
    """All steps run, and the file is marked as ours."""
    with fresh() as connection:
        migrate(connection)
        assert version(connection) == len(steps())
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
        migrate(connection)
        check(connection)


def test_tables_are_strict_and_checks_are_named():
    """Every table is STRICT, every CHECK has a name that says what must be true."""
    schema = "\n".join(steps())
    with fresh() as connection:
        migrate(connection)
        tables = connection.execute(
            "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        )
        strict = {name: strict for name, strict in tables if not name.startswith("sqlite_")}
    assert len(strict) == 10
    assert set(strict.values()) == {1}
    checks = [line for line in schema.splitlines() if "CHECK (" in line]
    assert len(checks) >= 15
    assert all("CONSTRAINT" in line for line in checks)


def test_an_old_file_is_brought_on():
    """Only the missing steps run; what the file holds is kept."""
    with fresh() as connection:
        migrate(connection, TWO[:1])
        connection.execute("INSERT INTO t VALUES (7)")
        migrate(connection, TWO)
        assert (version(connection), connection.execute("SELECT * FROM t").fetchall()) == (
            2,
            [(7, 8)],
        )


def test_version_2_knows_what_waits_for_each_sink():
    """Entries that an older version left are counted; from then on the triggers count."""
    with fresh() as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        migrate(connection, steps()[:1])
        connection.execute(
            "INSERT INTO sinks (name, registered) VALUES ('a', 1), ('b', 1), ('c', 0)"
        )
        for number, size in ((1, 100), (2, 20)):
            values = (number, f"{number:040}", bytes(size))
            connection.execute("INSERT INTO outbox VALUES (?, ?, 'leak', 'high', '', ?, 5)", values)
        connection.execute("INSERT INTO queue VALUES ('a', 1), ('a', 2), ('b', 2)")
        migrate(connection, steps()[:2])
        bytes_of = "SELECT name, bytes FROM sinks ORDER BY name"
        assert connection.execute(bytes_of).fetchall() == [("a", 120), ("b", 20), ("c", 0)]
        assert connection.execute("SELECT * FROM queue").fetchall() == [
            ("a", 1, 100),
            ("a", 2, 20),
            ("b", 2, 20),
        ]
        connection.execute("DELETE FROM outbox WHERE seq = 2")  # its queues follow
        assert connection.execute(bytes_of).fetchall() == [("a", 100), ("b", 0), ("c", 0)]
        connection.execute("DELETE FROM queue")
        assert connection.execute(bytes_of).fetchall() == [("a", 0), ("b", 0), ("c", 0)]


def test_cursors_of_version_1_are_kept():
    """A stream was read to its offset then: the anchor stands before that, and nothing behind it
    was reported.
    """
    with fresh() as connection:
        migrate(connection, steps()[:1])
        connection.execute(
            "INSERT INTO streams VALUES ('a', x'2f61', 1, 2, NULL, 0, x'', 0, x'', 30, 2, 28, 38, 5, 'followed', NULL, 1)"  # noqa: E501
        )
        migrate(connection)
        (cursor,) = streams.cursors(connection)
    assert (cursor.offset, cursor.reported, cursor.read, cursor.lines, cursor.size) == (
        30,
        30,
        30,
        2,
        38,
    )


@pytest.mark.parametrize("older", range(1, len(steps())))
def test_every_older_version_gets_positions(older):
    """Whatever version a file has, it is brought to the newest, what it holds is kept, and
    positions can be written.
    """
    position = Position(
        source="stdin", stream="a", position=b"p", identity=bytes(32), start=9, offset=10
    )
    with fresh() as connection:
        migrate(connection, steps()[:older])
        connection.execute("INSERT INTO sinks (name, registered) VALUES ('a', 1)")
        migrate(connection)
        assert version(connection) == len(steps())
        assert connection.execute("SELECT name FROM sinks").fetchall() == [("a",)]
        streams.put_positions(connection, [position], 1)
        assert list(streams.positions(connection, "stdin")) == [position]


def test_a_step_that_fails_changes_nothing():
    """The number and the tables of the version before stay."""
    with fresh() as connection:
        migrate(connection, TWO[:1])
        with pytest.raises(sqlite3.Error):
            migrate(
                connection,
                (TWO[0], "ALTER TABLE t ADD COLUMN y INTEGER; UPDATE nothing SET y = 1;"),
            )
        assert version(connection) == 1
        assert [name for _, name, *_ in connection.execute("PRAGMA table_info(t)")] == ["x"]


def test_a_newer_version_is_refused():
    """The error names both numbers, and the file is not touched."""
    with fresh() as connection:
        migrate(connection, TWO)
        with pytest.raises(StoreError, match="newer version: it has schema 2, this one knows 1"):
            migrate(connection, TWO[:1])
        assert version(connection) == 2


def test_other_files_are_refused():
    """Another program's file is not ours; one of ours without its number is damaged."""
    with fresh() as connection:
        connection.execute("PRAGMA application_id = 5")
        with pytest.raises(StoreError, match="another program"):
            check(connection)
    with fresh() as connection:
        migrate(connection)
        connection.execute("PRAGMA user_version = 0")
        with pytest.raises(StoreCorrupt):
            check(connection)
