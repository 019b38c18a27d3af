"""One writer."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys

import pytest

from jwtleak.errors import StoreError
from jwtleak.store import Store
from jwtleak.store.lock import Lock, owner

HOLD = """
import os, pathlib, sys
from jwtleak.store.lock import Lock
lock = Lock(pathlib.Path(sys.argv[1]))
if len(sys.argv) > 2:
    child = os.fork()
    if child == 0:
        print(os.getpid(), flush=True)
print("held", flush=True)
sys.stdin.read()
"""


def hold(directory, *more):
    """A process that holds the lock until its input ends."""
    command = [sys.executable, "-c", HOLD, str(directory), *more]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    return process


def test_owner(tmp_path):
    """Who holds the lock is known, to itself and to others; nobody is nobody."""
    assert owner(tmp_path) is None
    with hold(tmp_path) as process:
        assert owner(tmp_path) == process.pid
        with pytest.raises(StoreError, match=f"in use by process {process.pid}$"):
            Lock(tmp_path)
        process.communicate()
    assert owner(tmp_path) is None
    lock = Lock(tmp_path)
    assert owner(tmp_path) == os.getpid()
    lock.release()
    lock.release()
    assert owner(tmp_path) is None


def test_kill(tmp_path):
    """The lock goes with a process that is killed, though a process that it forked lives on."""
    with hold(tmp_path, "fork") as process:
        process.stdout.readline()
        process.stdout.readline()
        process.kill()
        process.wait()
        Lock(tmp_path).release()
        process.stdin.close()


def test_a_link_in_its_place_is_not_followed(tmp_path):
    """The lock file is ours or it is an error."""
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        Lock(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_system_without_locks(directory, monkeypatch):
    """It is not taken for another process: the system's own words are said."""

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StoreError, match="cannot be used: no locks available"):
        Store.open(directory)
