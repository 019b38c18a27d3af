"""Files that arrive."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from followed import Driver, append, lines

from jwtleak.follow import directories
from jwtleak.follow import discovery as module
from jwtleak.follow.directories import listing
from jwtleak.follow.open_file import OpenedFile

Drive = Callable[..., Driver]


def test_a_file_that_cannot_be_opened_is_tried_again(
    drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reported once, and read from where it would have begun."""
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    driver = drive(log)

    def refuse(path: str, report: object) -> OpenedFile:
        raise PermissionError(13, "Permission denied", path)

    with monkeypatch.context() as patch:
        patch.setattr(module, "OpenedFile", refuse)
        driver.turn(times=5)
    assert driver.troubles() == [("unreadable", "a.log")]
    assert driver.follower.unsettled() == 1
    driver.turn(2)
    assert driver.contents() == [lines(0, 10)]
    assert driver.follower.unsettled() == 0


def test_a_name_that_is_gone_when_it_is_met_and_comes_back(
    drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is new, although its file got the inode number that the listing had shown before."""
    log = tmp_path / "a.log"
    driver = drive(log)
    driver.turn()
    log.write_bytes(lines(0, 10))
    later = iter([True])

    def reused(path: str) -> dict[str, int]:
        entries = dict.fromkeys(listing(path), 4 * 7 + directories.FILE)
        if next(later, False):
            log.unlink()
        return entries

    monkeypatch.setattr(directories, "listing", reused)
    driver.turn()
    assert driver.contents() == []
    log.write_bytes(lines(100, 110))
    driver.turn(times=2)
    assert driver.contents() == [lines(100, 110)]


def test_a_compressed_file_that_was_met_empty(drive: Drive, tmp_path: Path) -> None:
    """As `gzip > a.gz` leaves it for a moment: it is unpacked all the same."""
    packed = tmp_path / "a.gz"
    driver = drive(tmp_path)
    driver.turn()
    packed.touch()
    driver.turn(times=5)
    packed.write_bytes(gzip.compress(lines(0, 10)))
    driver.turn(times=5)
    assert driver.text() == lines(0, 10)


def test_a_file_that_is_still_being_compressed(drive: Drive, tmp_path: Path) -> None:
    """Is left alone until it has not changed for a while, and read once, whole."""
    packed = tmp_path / "a.log.gz"
    data = gzip.compress(lines(0, 5000))
    driver = drive(tmp_path)
    driver.turn()
    for at in range(0, len(data), 4000):
        with packed.open("ab") as file:
            file.write(data[at : at + 4000])
        driver.turn()
        assert driver.contents() == []
    driver.turn(times=5)
    assert driver.contents() == [lines(0, 5000)]
    assert driver.ends() == [("finished", 0)]
    assert driver.troubles() == []


def test_a_compressed_file_at_the_start(drive: Drive, tmp_path: Path) -> None:
    """`from = end` leaves it alone, for ever."""
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(lines(0, 10)))
    driver = drive(tmp_path, from_="end")
    driver.turn(times=5)
    assert driver.ends() == [("finished", 0)]
    driver.restart()
    driver.turn(times=5)
    assert driver.contents() == [b""]


def test_a_pipe_takes_the_place_of_a_log(drive: Drive, tmp_path: Path) -> None:
    """It is not opened, and the log is read to its end."""
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    driver = drive(log)
    driver.turn()
    append(log, lines(10, 11))
    log.unlink()
    os.mkfifo(log)
    driver.turn(times=3)
    assert driver.contents() == [lines(0, 11)]
    assert driver.troubles() == [("skipped", "a.log")]


def test_two_names_that_come_together(drive: Drive, tmp_path: Path) -> None:
    """A new file with two paths is one stream from the first poll."""
    driver = drive(tmp_path)
    driver.turn()
    (tmp_path / "a.log").write_bytes(lines(0, 10))
    os.link(tmp_path / "a.log", tmp_path / "b.log")
    driver.turn(6)
    assert driver.contents() == [lines(0, 10)]
