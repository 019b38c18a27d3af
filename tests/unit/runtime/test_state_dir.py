"""The key of this installation."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jwtleak.runtime import state_dir as room
from jwtleak.runtime.state_dir import state_dir, subject_key


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory that does not exist yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_place(state, monkeypatch):
    """State is kept below XDG_STATE_HOME; without it in ~/.local/state, or in /var/lib for root."""
    for user in (0, 1000):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        assert state_dir() == state / "jwtleak"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert state_dir() == Path("/home/someone/.local/state/jwtleak")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert state_dir() == Path("/var/lib/jwtleak")


def test_made_once(state):
    """The key is made at first, kept with mode 0600 in a directory of mode 0700, and read from then
    on.
    """
    key, kept = subject_key()
    assert (len(key), kept) == (32, True)
    assert subject_key() == (key, True)
    (file,) = (state / "jwtleak").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_damaged_key_is_made_anew(state):
    """A file of the wrong length is replaced."""
    (state / "jwtleak").mkdir(parents=True)
    (state / "jwtleak" / "subject.key").write_bytes(b"short")
    key, kept = subject_key()
    assert (len(key), kept) == (32, True)
    assert subject_key() == (key, True)


def test_race(state):
    """Of many first runs at once all use one key, and nothing is left beside it."""
    with ThreadPoolExecutor(16) as threads:
        keys = set(threads.map(lambda _: subject_key(), range(64)))
    assert len(keys) == 1
    assert len(list((state / "jwtleak").iterdir())) == 1


def test_the_slower_of_two_takes_the_key_of_the_faster(state, monkeypatch):
    """A key that appears between looking and keeping is the one that counts."""
    keep = room._keep
    other = b"o" * 32

    def late(path: Path, key: bytes) -> None:
        keep(path, other)
        keep(path, key)

    monkeypatch.setattr(room, "_keep", late)
    assert subject_key() == (other, True)


def test_without_links(state, monkeypatch):
    """A file system without hard links keeps the key too."""

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    key, kept = subject_key()
    assert kept
    assert subject_key() == (key, True)


def test_unwritable(tmp_path, monkeypatch):
    """Where nothing can be kept, there is a key for this run, and that is told."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    key, kept = subject_key()
    assert (len(key), kept) == (32, False)
    assert subject_key()[0] != key
