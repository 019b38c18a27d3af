"""Our own files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from followed import Driver, lines

from jwtleak.follow import discovery
from jwtleak.follow.follower import Follower
from jwtleak.follow.open_file import OpenedFile, OwnFiles

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
    """Neither the state nor its logs: closing a descriptor of them would let go of their locks."""
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
