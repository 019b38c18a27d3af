"""Bytes and cursors."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from followed import Driver, append, lines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jwtleak.follow.fingerprint import digest

Drive = Callable[..., Driver]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of some kilobytes."""
    path = tmp_path / "a.log"
    path.write_bytes(lines(0, 100))
    return path


def only(driver: Driver) -> str:
    """The only stream."""
    (stream,) = driver.logs
    return stream


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 2000)), max_size=20))
def test_reads_in_any_order(drive: Drive, log: Path, reads: list[tuple[int, int]]) -> None:
    """A caller may read backwards; the furthest offset that it read to is kept."""
    driver = drive(log)
    driver.poll()
    stream, data, furthest = only(driver), lines(0, 100), 0
    for offset, size in reads:
        buffer = bytearray(size)
        count = driver.follower.read(stream, offset, memoryview(buffer))
        assert buffer[:count] == data[offset : offset + size]
        furthest = max(furthest, offset + count) if count else furthest
    cursor = driver.follower.cursor(
        stream, offset=furthest, reported=furthest, lines=0, line_start=0, provisional=None
    )
    before = data[max(0, furthest - 256) : furthest]
    assert (cursor.anchor_length, cursor.anchor) == (
        (len(before), digest(before)) if before else (0, b"")
    )
    driver.close()


@pytest.mark.parametrize("packed", [False, True])
def test_a_cursor_before_what_was_read(drive: Drive, tmp_path: Path, packed: bool) -> None:
    """A token that may go on keeps the offset back; the anchor is before what was read."""
    path = tmp_path / "a.log"
    data = lines(0, 100)
    path.write_bytes(gzip.compress(data) if packed else data)
    driver = drive(path)
    driver.poll()
    driver.poll(3)
    stream = only(driver)
    assert driver.follower.read(stream, 0, memoryview(bytearray(3000))) == 3000
    cursor = driver.follower.cursor(
        stream, offset=1000, reported=2000, lines=27, line_start=990, provisional="id"
    )
    assert (cursor.offset, cursor.reported, cursor.read) == (1000, 2000, 3000)
    assert (cursor.anchor_length, cursor.anchor) == (256, digest(data[2744:3000]))
    assert (cursor.lines, cursor.line_start, cursor.provisional) == (27, 990, "id")


def test_what_is_read_again_is_compared_too(drive: Drive, log: Path) -> None:
    """After a truncation since the poll no new byte is read, even where old ones had been read."""
    driver = drive(log)
    driver.turn()
    (stream,) = driver.logs
    log.write_bytes(lines(500, 700))
    assert driver.follower.read(stream, 100, memoryview(bytearray(100))) == 0


def test_what_has_ended_gives_nothing(drive: Drive, log: Path) -> None:
    """Reading a stream that nobody knows is no error; a cursor of it is."""
    driver = drive(log)
    driver.turn()
    assert driver.follower.read("unknown", 0, memoryview(bytearray(10))) == 0
    assert driver.follower.data_after("unknown", 5) == 5
    driver.follower.committed("unknown", 0)
    with pytest.raises(KeyError):
        driver.follower.cursor(
            "unknown", offset=0, reported=0, lines=0, line_start=0, provisional=None
        )


def test_nothing_is_read_beyond_the_last_look(drive: Drive, log: Path) -> None:
    """The next poll reports the bytes written since."""
    driver = drive(log)
    driver.turn()
    append(log, lines(100, 101))
    assert driver.follower.read(only(driver), len(lines(0, 100)), memoryview(bytearray(1000))) == 0


def test_an_error_is_reported_and_tried_again(
    drive: Drive, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be read for a while gives nothing; then it is `Grown` again."""
    driver = drive(log)
    driver.poll()

    def broken(*_: object) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "preadv", broken)
        driver.read()
        driver.poll()
        driver.read()
    assert driver.troubles() == [("unreadable", "a.log")]
    assert driver.contents() == [b""]
    driver.turn()
    assert driver.contents() == [lines(0, 100)]


def test_a_file_is_opened_again_for_reading(drive: Drive, log: Path) -> None:
    """One that was closed for others; not one that is another file by now."""
    driver = drive(log)
    driver.poll()
    driver.follower._registry.open_files.close()
    driver.read()
    assert driver.contents() == [lines(0, 100)]
    append(log, lines(100, 101))
    driver.poll()
    driver.follower._registry.open_files.close()
    log.rename(log.with_name("b"))
    log.write_bytes(lines(200, 301))
    driver.read()
    driver.turn(times=2)
    assert driver.contents() == [lines(0, 101), lines(200, 301)]


def test_holes_of_what_was_cut(drive: Drive, log: Path) -> None:
    """A file that was cut and has a hole where its data was is not skipped over."""
    driver = drive(log)
    driver.turn()
    append(log, lines(100, 200))
    driver.poll()
    with log.open("r+b") as file:
        file.truncate(0)
        file.truncate(1 << 20)
    offset = len(lines(0, 100))
    assert driver.follower.data_after(only(driver), offset) == offset
