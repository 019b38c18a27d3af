"""What is made of what lies in the state directory."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from stored import cursor

from jwtleak.errors import StoreCorrupt, StoreError
from jwtleak.store import Commit, Store
from jwtleak.store.database import inspect_file, open_sound, remove, set_aside


def test_reset(directory):
    """Afterwards nothing is remembered; what lies beside the state stays; while somebody has it, it
    is refused.
    """
    Store.reset(directory)
    with Store.open(directory) as store:
        store.commit(Commit(cursors=[cursor()], at_ms=1))
        (directory / "subject.key").write_bytes(b"k")
        with pytest.raises(StoreError, match="in use"):
            Store.reset(directory)
        assert store.cursors() == [cursor()]
    Store.reset(directory)
    assert sorted(one.name for one in directory.iterdir()) == ["lock", "subject.key"]
    with Store.open(directory) as store:
        assert store.cursors() == []


def test_what_a_killed_process_leaves_is_read(directory, tmp_path):
    """The log beside the file belongs to it: what was committed and not yet moved into the file is
    there.
    """
    with Store.open(directory) as store:
        store.commit(Commit(cursors=[cursor()], at_ms=1))
        killed = tmp_path / "killed"
        killed.mkdir()
        for name in ("state.db", "state.db-wal"):
            (killed / name).write_bytes((directory / name).read_bytes())
    with closing(inspect_file(killed)) as connection:
        assert connection.execute("SELECT count(*) FROM streams").fetchone() == (1,)
    with Store.open(killed) as store:
        assert store.cursors() == [cursor()]


def test_looking_mends_nothing(directory):
    """A damaged file is an error for a reader, and stays."""
    Store.open(directory).close()
    (directory / "state.db").write_bytes(b"x" * 5000)
    with pytest.raises(StoreCorrupt):
        inspect_file(directory)
    assert sorted(one.name for one in directory.iterdir()) == ["lock", "state.db"]


def test_a_newer_version(directory):
    """Neither a reader nor a writer touches it, and it is not taken for damaged."""
    Store.open(directory).close()
    with closing(sqlite3.connect(directory / "state.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    for way in (inspect_file, open_sound, Store.open):
        with pytest.raises(StoreError, match="newer version") as caught:
            way(directory)
        assert not isinstance(caught.value, StoreCorrupt)


def test_set_aside_takes_the_log_along(directory):
    """A log that stayed would be played into the new file."""
    with Store.open(directory):
        names = {one.name for one in directory.iterdir()}
        aside = set_aside(directory)
    assert names == {"lock", "state.db", "state.db-wal", "state.db-shm"}
    assert {one.name for one in directory.iterdir()} >= {aside.name, aside.name + "-wal"}
    assert not (directory / "state.db-wal").exists()


def test_remove_nothing(tmp_path):
    """A directory without a state stays without."""
    remove(tmp_path)
    assert list(tmp_path.iterdir()) == []
