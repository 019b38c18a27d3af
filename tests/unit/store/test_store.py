"""The store as a whole: what goes in together, who may open it, what happens to a damaged file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from stored import cursor, digest, entry, sighting

from jwtleak.errors import StoreCorrupt, StoreError
from jwtleak.store import Commit, Position, Store


def test_a_commit_is_there_after_reopening(directory):
    """Cursors, sightings and alerts come back as they were."""
    rows = [
        cursor("a", offset=7, head=b"h" * 32, head_length=64),
        cursor("b", state="rotated", generation=5),
    ]
    seen = [sighting("a", "t"), sighting("b", "t", body=b"{}")]
    with Store.open(directory) as store:
        store.register(["out"])
        store.commit(Commit(cursors=rows, sightings=seen, alerts=[entry()], at_ms=5))
    with Store.open(directory) as store:
        assert store.cursors() == rows
        assert sorted(store.sightings(), key=str) == sorted(seen, key=str)
        with store.queue("out") as box:
            assert [(one.id, one.body, one.at_ms) for one in box.pending(9, 999)] == [
                (entry().id, entry().body, 5)
            ]


def test_a_later_cursor_replaces_the_earlier(store):
    """One row for each stream."""
    store.commit(Commit(cursors=[cursor(offset=1)], at_ms=1))
    store.commit(Commit(cursors=[cursor(offset=2)], at_ms=2))
    assert store.cursors() == [cursor(offset=2)]


def test_forget_takes_the_sightings_too(store):
    """A stream that goes takes what was seen in it, and nothing else."""
    store.commit(
        Commit(
            cursors=[cursor("a"), cursor("b")], sightings=[sighting("a"), sighting("b")], at_ms=1
        )
    )
    store.commit(Commit(forget=[cursor("a").stream], at_ms=2))
    assert store.cursors() == [cursor("b")]
    assert store.sightings() == [sighting("b")]


def test_a_stream_can_be_forgotten_and_begun_anew_in_one_commit(store):
    """`forget` comes before what the same commit remembers."""
    store.commit(Commit(cursors=[cursor(offset=9)], sightings=[sighting()], at_ms=1))
    store.commit(Commit(forget=[cursor().stream], cursors=[cursor(offset=0)], at_ms=2))
    assert (store.cursors(), store.sightings()) == ([cursor(offset=0)], [])


def test_positions_are_committed_with_the_rest(store, directory):
    """A position is there with the sightings that it covers, and only for its own source."""
    position = Position(source="stdin", stream="a" * 32, position=b"p", start=0, offset=10, lines=1)
    store.commit(Commit(positions=[position], sightings=[sighting()], at_ms=5))
    store.close()
    with Store.open(directory) as again:
        assert (again.positions("stdin"), again.positions("journal")) == ([position], [])
        assert len(again.sightings()) == 1
        again.commit(Commit(forget=["a" * 32], at_ms=6))
        assert again.positions("stdin") == []


def test_all_or_nothing(store):
    """A commit of which one row is refused changes nothing."""
    store.commit(Commit(cursors=[cursor(offset=1)], at_ms=1))
    bad = Commit(
        cursors=[cursor(offset=2)],
        sightings=[sighting(since=5, total=2)],
        alerts=[entry()],
        at_ms=2,
    )
    with pytest.raises(StoreError, match="sightings_counts_fit"):
        store.commit(bad)
    assert (store.cursors(), store.spool_bytes()) == ([cursor(offset=1)], 0)
    store.commit(Commit(cursors=[cursor(offset=3)], at_ms=3))
    assert store.cursors() == [cursor(offset=3)]


def test_sightings_by_stream_and_token(store):
    """One sighting can be asked for, or all of one stream."""
    store.commit(
        Commit(sightings=[sighting("a", "x"), sighting("a", "y"), sighting("b", "x")], at_ms=1)
    )
    assert store.sighting(cursor("a").stream, digest("x")) == sighting("a", "x")
    assert store.sighting(cursor("b").stream, digest("y")) is None
    assert len(store.sightings(cursor("a").stream)) == 2


def test_due(store):
    """Due are sightings with something to sum up whose window is over, the longest first."""
    seen = [
        sighting(token="later", window_end_ms=300),
        sighting(token="first", window_end_ms=100),
        sighting(token="second", window_end_ms=200),
        sighting(token="reported", since=0, window_end_ms=50),
    ]
    store.commit(Commit(sightings=seen, at_ms=1))
    assert store.due(200) == [seen[1], seen[2]]
    assert store.due(1000, limit=1) == [seen[1]]


def test_modes(store, directory):
    """The directory is for its owner alone, and so is every file in it."""
    store.commit(Commit(cursors=[cursor()], at_ms=1))
    modes = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert modes == dict.fromkeys(("lock", "state.db", "state.db-wal", "state.db-shm"), 0o600)
    assert directory.stat().st_mode & 0o777 == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(directory):
    """The mode of an older file is mended before anything is written."""
    Store.open(directory).close()
    (directory / "state.db").chmod(0o644)
    Store.open(directory).close()
    assert (directory / "state.db").stat().st_mode & 0o777 == 0o600


def test_a_second_store_is_refused(store, directory):
    """A second instance learns which process is in the way; a reader is let in."""
    script = "import sys, pathlib; from jwtleak.store import Store; Store.open(pathlib.Path(sys.argv[1]))"  # noqa: E501
    done = subprocess.run(
        [sys.executable, "-c", script, directory], capture_output=True, text=True, check=False
    )
    assert "is in use by process" in done.stderr
    store.commit(Commit(cursors=[cursor()], at_ms=1))
    with Store.open(directory, read_only=True) as reader:
        assert reader.cursors() == [cursor()]
        with pytest.raises(StoreError):
            reader.commit(Commit(cursors=[cursor("b")], at_ms=1))


def test_a_reader_needs_a_state(directory):
    """Nothing is made where somebody only looks."""
    with pytest.raises(StoreError, match="there is no state"):
        Store.open(directory, read_only=True)
    assert not directory.exists()


DAMAGES = {
    "not SQLite": lambda path: path.write_bytes(b"x" * 9000),
    "header cut": lambda path: path.write_bytes(path.read_bytes()[:50]),
    "page overwritten": lambda path: overwrite(path, 2 * 4096, 4096),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[: 3 * 4096]),
}


def overwrite(path: Path, start: int, count: int) -> None:
    """Put 0xAA over a part of a file."""
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xaa" * count)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_set_aside(directory, damage):
    """It is renamed, with the time; a new one is begun; `fail` refuses and leaves it where it
    is.
    """
    with Store.open(directory) as store:
        store.commit(Commit(cursors=[cursor(str(one)) for one in range(200)], at_ms=1))
    path = directory / "state.db"
    DAMAGES[damage](path)
    damaged = path.read_bytes()
    with pytest.raises(StoreCorrupt, match="damaged"):
        Store.open(directory, corrupt="fail")
    assert path.read_bytes() == damaged
    with Store.open(directory) as store:
        assert store.cursors() == []
        assert store.set_aside is not None
        assert store.set_aside.name.startswith("state.db.damaged-2")
        assert store.set_aside.read_bytes() == damaged
    for _ in range(2):
        DAMAGES["not SQLite"](path)
        with Store.open(directory) as store:
            assert store.set_aside is not None
    assert (
        len(
            [one for one in directory.iterdir() if "damaged" in one.name and "-wal" not in one.name]
        )
        == 3
    )


def test_another_programs_database_is_left_alone(directory):
    """A SQLite file that is not ours is refused, not set aside."""
    directory.mkdir()
    connection = sqlite3.connect(directory / "state.db")
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(StoreError, match="another program"):
        Store.open(directory)
    assert [one.name for one in directory.iterdir() if "damaged" in one.name] == []


def test_own_files(store, directory):
    """Everything in the state directory is known by device and inode."""
    for path in directory.iterdir():
        found = path.stat()
        assert (found.st_dev, found.st_ino) in store.own_files()


def test_no_room_for_a_directory(tmp_path):
    """A directory that cannot be made is an error in our words."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="not a directory"):
        Store.open(tmp_path / "file" / "state")
