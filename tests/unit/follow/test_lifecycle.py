"""The changes of a stream, and their events."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from followed import Driver, append, lines, settled

from jwtleak.follow import lifecycle as module
from jwtleak.follow.interface import Ended, Grown, Moved, Opened
from jwtleak.follow.lifecycle import from_cursor, make_cursor

Drive = Callable[..., Driver]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A small log."""
    path = tmp_path / "a.log"
    path.write_bytes(lines(0, 10))
    return path


def test_the_events_of_a_life(drive: Drive, log: Path) -> None:
    """Opened, grown, moved, ended; nothing is reported twice, and nothing when nothing happened."""
    driver = drive(log)
    (opened,) = driver.poll()
    assert isinstance(opened, Opened)
    stream, size = opened.stream, len(lines(0, 10))
    found = log.stat()
    assert (opened.path, opened.size, opened.follows, opened.compressed) == (
        str(log),
        size,
        None,
        False,
    )
    cursor = opened.cursor
    assert (cursor.device, cursor.inode, cursor.offset, cursor.size) == (
        found.st_dev,
        found.st_ino,
        0,
        size,
    )
    assert driver.poll() == []
    append(log, lines(10, 11))
    assert driver.poll() == [Grown(stream, len(lines(0, 11)))]
    driver.read()
    log.rename(log.with_name("a.log.1"))
    assert driver.poll() == [Moved(stream, str(log.with_name("a.log.1")))]
    assert driver.poll(31) == [Ended(stream, "rotated", 0)]
    assert settled(driver.poll(100)) == []


def test_a_cursor_says_all_that_is_known(drive: Drive, log: Path) -> None:
    """A stream made from its cursor is as it was."""
    driver = drive(log)
    driver.turn()
    ((name, cursor),) = driver.cursors.items()
    stream = from_cursor(cursor)
    again = make_cursor(
        stream, offset=cursor.offset, reported=cursor.reported, lines=10, line_start=0
    )
    assert again == cursor
    assert (cursor.head_length, cursor.anchor_length, cursor.state, name) == (
        256,
        256,
        "followed",
        cursor.stream,
    )


def test_the_state_in_a_cursor(drive: Drive, log: Path) -> None:
    """A rotated file that is still read says so."""
    driver = drive(log)
    driver.turn()
    log.rename(log.with_name("a.log.1"))
    append(log.with_name("a.log.1"), lines(10, 11))
    driver.turn()
    (cursor,) = driver.cursors.values()
    assert (cursor.state, cursor.path) == ("rotated", str(log.with_name("a.log.1")))


def test_what_is_cut_off_unread_is_lost(drive: Drive, log: Path) -> None:
    """A file that is shortened behind what was read goes on, and what was seen there and is gone is
    counted.
    """
    driver = drive(log)
    driver.turn()
    append(log, lines(10, 20))
    driver.poll()
    os.truncate(log, len(lines(0, 15)))
    driver.turn()
    assert driver.contents() == [lines(0, 15)]
    log.unlink()
    driver.turn()
    driver.turn(31)
    assert driver.ends() == [("removed", len(lines(15, 20)))]


def test_the_start_at_the_end_has_an_anchor(drive: Drive, log: Path) -> None:
    """A log that was begun at its end and truncated before anything was read is a new stream."""
    driver = drive(log, from_="end")
    driver.turn()
    (cursor,) = driver.cursors.values()
    assert (cursor.offset, cursor.line_start, cursor.anchor_length) == (
        len(lines(0, 10)),
        len(lines(0, 10)),
        256,
    )
    os.truncate(log, 0)
    append(log, lines(100, 200))
    driver.turn()
    assert driver.contents() == [b"", lines(100, 200)]


def test_a_start_that_fails_leaves_nothing_behind(
    drive: Drive, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the anchor of a start at the end cannot be read, the file is opened by a later poll."""

    def refuse(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    driver = drive(log, from_="end")
    with monkeypatch.context() as patch:
        patch.setattr(module, "read_back", refuse)
        driver.poll()
    assert driver.logs == {}
    assert driver.follower.stats().open == 0
    assert driver.troubles() == [("unreadable", "a.log")]
    driver.turn(times=3)
    append(log, lines(10, 12))
    driver.turn()
    assert driver.contents() == [lines(10, 12)]
