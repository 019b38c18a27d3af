"""Open files, and which of them are our own."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from followed import Driver, lines

from jwtleak.follow import discovery
from jwtleak.follow.fingerprint import digest
from jwtleak.follow.follower import Follower
from jwtleak.follow.open_file import NotRegularError, OpenedFile, OwnFiles
from jwtleak.follow.stream import FollowedStream
from jwtleak.types import Cursor

DATA = b"".join(b"%06d line\n" % number for number in range(1000))


def nothing(*_: str) -> None:
    """Troubles that nobody asks for."""


def reader(read_to: int) -> FollowedStream:
    """A stream that has read `DATA` up to an offset."""
    cursor = Cursor(stream="s", path="/a", device=0, inode=0)
    anchor = DATA[max(0, read_to - 256) : read_to]
    return FollowedStream(
        name="s",
        path="/a",
        stored=cursor,
        head_length=64,
        head=digest(DATA[:64]),
        read_to=read_to,
        anchor_length=len(anchor),
        anchor=digest(anchor),
    )


@pytest.mark.parametrize("packed", [False, True])
def test_is_it_what_was_read(tmp_path: Path, packed: bool) -> None:
    """Head and anchor are those of the content, compressed or not."""
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(DATA) if packed else DATA)
    handle = OpenedFile(str(path), nothing)
    assert (handle.compressed is not None) == packed
    assert handle.head == DATA[:1024]
    assert (handle.compare_head(reader(5000)), handle.compare_anchor(reader(5000))) == (
        "same",
        "same",
    )
    assert handle.compare_anchor(reader(0)) == "none"
    other = reader(5000)
    other.head = other.anchor = digest(b"other")
    assert (handle.compare_head(other), handle.compare_anchor(other)) == ("differs", "differs")
    assert handle.key == (os.stat(path).st_dev, os.stat(path).st_ino)
    handle.close()
    handle.close()


def test_only_regular_files(tmp_path: Path) -> None:
    """A pipe does not hang, a directory is none."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(NotRegularError):
            OpenedFile(str(path), nothing)
    with pytest.raises(FileNotFoundError):
        OpenedFile(str(tmp_path / "none"), nothing)


def test_a_detached_descriptor_stays_open(tmp_path: Path) -> None:
    """Closing the handle does not close it."""
    path = tmp_path / "a"
    path.write_bytes(DATA)
    handle = OpenedFile(str(path), nothing)
    fd = handle.detach()
    handle.close()
    assert os.pread(fd, 6, 0) == b"000000"
    os.close(fd)


Drive = Callable[..., Driver]


def handle(path: Path) -> OpenedFile:
    """A file, open."""
    return OpenedFile(str(path), lambda *_: None)


def test_what_was_ours_stays_ours(tmp_path: Path) -> None:
    """Under any name; another file with the same inode number is not."""
    path = tmp_path / "out"
    path.write_bytes(lines(0, 10))
    mine = handle(path)
    ids = {mine.key}
    own = OwnFiles(lambda: frozenset(ids))
    ids.clear()
    assert not own.has(mine)
    ids.add(mine.key)
    own.refresh()
    assert own.has(mine)
    ids.clear()
    own.refresh()
    assert own.has(mine)
    other = handle(path)
    other.generation = None if mine.generation is None else mine.generation + 1
    other.head = b"other"
    assert not own.has(other)
    mine.close()
    other.close()


def test_what_is_sealed_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the state nor its logs: closing a descriptor of them would drop their locks."""
    opened: list[str] = []

    def spy(path: str, *more: object) -> OpenedFile:
        opened.append(path)
        return OpenedFile(path, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(discovery, "OpenedFile", spy)
    for name in ("state.db", "a.log"):
        (tmp_path / name).write_bytes(lines(0, 2))
    found = (tmp_path / "state.db").stat()
    follower = Follower(
        Driver(tmp_path).settings,
        clock=lambda: 1000.0,
        sealed=lambda: frozenset({(found.st_dev, found.st_ino)}),
    )
    follower.poll()
    follower.close()
    assert opened == [str(tmp_path / "a.log")]
