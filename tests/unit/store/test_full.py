"""A disk without room: nothing changes, the error says so, and when there is room again it goes
on.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import stored
from stored import cursor, entry

from jwtleak.errors import StoreFull
from jwtleak.store import Commit, Store


def fill(store, most=400):
    """Commit entries until the store is full; return how many."""
    for count in range(most):
        batch = Commit(
            cursors=[cursor(offset=count + 1)],
            alerts=[entry(count, body=b"x" * 5000)],
            at_ms=count,
        )
        try:
            store.commit(batch)
        except StoreFull:
            return count
    pytest.fail("the disk never got full")


def judge(store, count):
    """Cursor and entries are those of the last commit that worked."""
    assert store.cursors() == [cursor(offset=count)]
    with store.queue("a") as box:
        assert box.depth() == count


def test_a_file_that_may_not_grow(store):
    """`StoreFull`; nothing of the batch is there; the same batch goes in when there is room."""
    store._connection.execute("PRAGMA max_page_count = 100")
    count = fill(store)
    judge(store, count)
    with pytest.raises(StoreFull, match="full"):
        store.commit(
            Commit(
                cursors=[cursor(offset=count + 1)],
                alerts=[entry(count, body=b"x" * 5000)],
                at_ms=1,
            )
        )
    store._connection.execute("PRAGMA max_page_count = 100000")
    store.commit(
        Commit(cursors=[cursor(offset=count + 1)], alerts=[entry(count, body=b"x" * 5000)], at_ms=1)
    )
    judge(store, count + 1)


def test_delivery_makes_room(store):
    """When the sinks have taken what waits, commits work again without a larger file."""
    store._connection.execute("PRAGMA max_page_count = 100")
    count = fill(store)
    for sink in "ab":
        with store.queue(sink) as box:
            box.ack([one.seq for one in box.pending(count, 1 << 30)])
    store.commit(
        Commit(cursors=[cursor(offset=count + 1)], alerts=[entry("new", body=b"x" * 5000)], at_ms=1)
    )
    with store.queue("a") as box:
        assert box.depth() == 1


LIMITED = """
import pathlib, resource, signal, sys
from stored import cursor
from test_full import fill, judge
from jwtleak.store import Commit, Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Store.open(pathlib.Path(sys.argv[1])) as store:
    store.register(["a"])
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    count = fill(store)
    judge(store, count)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    store.commit(Commit(cursors=[cursor(offset=count + 1)], at_ms=1))
    assert store.cursors() == [cursor(offset=count + 1)]
with Store.open(pathlib.Path(sys.argv[1]), corrupt="fail") as store:
    assert store.cursors() == [cursor(offset=count + 1)]
print(count)
"""


def run(script, *args):
    """A process of its own, since the limit is one of processes."""
    path = os.pathsep.join(
        [
            os.path.dirname(__file__),
            os.path.dirname(stored.__file__),
            os.environ.get("PYTHONPATH", ""),
        ]
    )
    command = [sys.executable, "-c", script, *map(str, args)]
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )


def test_writes_that_the_system_refuses(directory):
    """Where the system refuses a write of the log, the process goes on, and the file stays
    sound.
    """
    done = run(LIMITED, directory)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 2


@pytest.fixture
def tiny(tmp_path):
    """A file system of 512 KiB."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    place = tmp_path / "tiny"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", place],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        if os.environ.get("CI"):
            pytest.fail(f"cannot mount: {mounted.stderr.decode()}")
        pytest.skip("cannot mount a tmpfs here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.root
def test_a_full_disk(tiny):
    """A real file system without room: nothing is changed, and a larger one is used at once."""
    with Store.open(tiny / "state") as store:
        store.register(["a"])
        count = fill(store)
        judge(store, count)
        subprocess.run(["mount", "-o", "remount,size=8m", tiny], check=True)
        store.commit(Commit(cursors=[cursor(offset=count + 1)], alerts=[entry(count)], at_ms=1))
        judge(store, count + 1)
    with Store.open(tiny / "state", corrupt="fail") as store:
        judge(store, count + 1)


@pytest.mark.root
def test_a_full_disk_does_not_stop_delivery(tiny):
    """On a disk that others have filled, what waits can be delivered, and makes room for what is
    new: after a refusal the next attempt finds the log empty.
    """
    subprocess.run(["mount", "-o", "remount,size=2m", tiny], check=True)
    with Store.open(tiny / "state") as store:
        store.register(["a"])
        for number in range(20):
            store.commit(Commit(alerts=[entry(number, body=b"x" * 2000)], at_ms=1))
        store._connection.execute("PRAGMA wal_checkpoint(RESTART)")
        with pytest.raises(OSError, match="No space"):
            (tiny / "filler").write_bytes(b"x" * (2 << 20))
        with store.queue("a") as box:
            for one in box.pending(99, 1 << 20):
                box.ack([one.seq])
            assert box.depth() == 0
        refused = 0
        for number in range(20):
            batch = Commit(alerts=[entry(f"new {number}", body=b"x" * 2000)], at_ms=1)
            try:
                store.commit(batch)
            except StoreFull:
                refused += 1
                store.commit(batch)
        assert refused <= 2


@pytest.mark.root
def test_no_room_for_a_beginning(tiny):
    """A state that cannot even be made is `StoreFull`, and is made when there is room."""
    (tiny / "filler").write_bytes(b"x" * 500_000)
    with pytest.raises(StoreFull):
        Store.open(tiny / "state")
    (tiny / "filler").unlink()
    with Store.open(tiny / "state") as store:
        assert store.cursors() == []
        assert store.set_aside is None
