"""Generations that no poll saw at the log's path."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from followed import Driver, append, lines

from jwtleak.follow import directories
from jwtleak.follow.directories import listing

Drive = Callable[..., Driver]


def test_two_copies_between_two_polls(drive: Drive, tmp_path: Path) -> None:
    """A log that was copied and cut twice: the first copy is the rest, the second a generation of
    its own.
    """
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    driver = drive(log)
    driver.turn()
    append(log, lines(10, 20))
    shutil.copyfile(log, tmp_path / "a.log.2")
    os.truncate(log, 0)
    append(log, lines(100, 120))
    shutil.copyfile(log, tmp_path / "a.log.1")
    os.truncate(log, 0)
    append(log, lines(200, 230))
    driver.turn()
    driver.turn()
    assert sorted(driver.contents()) == [lines(0, 20), lines(100, 120), lines(200, 230)]
    first, new, middle = (
        next(log for log in driver.logs.values() if log.data.startswith(lines(number, number + 1)))
        for number in (0, 200, 100)
    )
    assert middle.opened.follows == first.opened.stream
    assert new.opened.follows is not None


def test_a_deleted_file_leaves_none(drive: Drive, tmp_path: Path) -> None:
    """Older rotated files are not read because the log was deleted and created again."""
    log = tmp_path / "a.log"
    (tmp_path / "a.log.1").write_bytes(lines(900, 910))
    log.write_bytes(lines(0, 10))
    driver = drive(log)
    driver.turn()
    log.unlink()
    log.write_bytes(lines(100, 110))
    driver.turn()
    driver.turn()
    assert driver.contents() == [lines(0, 10), lines(100, 110)]


def test_our_own_output_is_none(drive: Drive, tmp_path: Path) -> None:
    """Whatever it is called."""
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    own: set[tuple[int, int]] = set()
    driver = drive(log, own=lambda: frozenset(own))
    driver.turn()
    log.rename(tmp_path / "a.log.2")
    out = tmp_path / "a.log.1"
    out.write_bytes(lines(500, 510))
    own.add((out.stat().st_dev, out.stat().st_ino))
    log.write_bytes(lines(100, 110))
    driver.turn()
    assert driver.contents() == [lines(0, 10), lines(100, 110)]


@pytest.mark.parametrize("restarted", [False, True])
def test_an_empty_log_that_was_filled_copied_and_cut(
    drive: Drive, tmp_path: Path, restarted: bool
) -> None:
    """Nothing is known of an empty log: what it was filled with first is read from the copy, also
    after a restart.
    """
    log, old = tmp_path / "a.log", tmp_path / "a.log.9"
    old.write_bytes(lines(900, 910))  # from before
    os.utime(old, (1, 1))
    log.touch()
    driver = drive(log)
    driver.turn()
    append(log, lines(0, 10))
    shutil.copyfile(log, tmp_path / "a.log.1")
    os.truncate(log, 0)
    append(log, lines(50, 55))
    if restarted:
        driver.restart()
    driver.turn(times=8)
    assert sorted(driver.contents()) == [lines(0, 10), lines(50, 55)]


def test_a_log_that_rotates_during_a_look(
    drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was the log when the directory was listed, and is not any more when it is opened, is
    read under its next name.
    """
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    driver = drive(log)
    driver.turn()
    log.rename(tmp_path / "a.log.9")
    log.write_bytes(lines(100, 110))
    later = iter([True])

    def rotated(path: str) -> dict[str, int]:
        entries = listing(path)
        if next(later, False):
            log.rename(tmp_path / "a.log.1")
            log.write_bytes(lines(200, 210))
            os.utime(log, ns=(0, (tmp_path / "a.log.1").stat().st_mtime_ns + 10**7))
        return entries

    monkeypatch.setattr(directories, "listing", rotated)
    driver.turn(times=3)
    assert sorted(driver.contents()) == [lines(0, 10), lines(100, 110), lines(200, 210)]


def test_a_compressed_generation_that_moves_on_while_it_settles(
    drive: Drive, tmp_path: Path
) -> None:
    """It is waited for where it is now, not where it was."""
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    driver = drive(log)
    driver.turn()
    log.rename(tmp_path / "a.log.2")
    (tmp_path / "a.log.1.gz").write_bytes(gzip.compress(lines(100, 110)))
    log.write_bytes(lines(200, 210))
    driver.turn()
    (tmp_path / "a.log.1.gz").rename(tmp_path / "a.log.2.gz")
    log.rename(tmp_path / "a.log.1")
    log.write_bytes(lines(300, 310))
    driver.turn(times=5)
    assert sorted(driver.contents()) == [
        lines(0, 10),
        lines(100, 110),
        lines(200, 210),
        lines(300, 310),
    ]


def test_a_compressed_generation_that_is_just_begun(drive: Drive, tmp_path: Path) -> None:
    """While it is empty nothing shows that it will be compressed."""
    log, packed = tmp_path / "a.log", tmp_path / "a.log.1.gz"
    log.write_bytes(lines(0, 10))
    driver = drive(log)
    driver.turn()
    log.rename(tmp_path / "a.log.2")
    packed.touch()
    log.write_bytes(lines(200, 210))
    driver.turn()
    packed.write_bytes(gzip.compress(lines(100, 110)))
    driver.turn(times=5)
    assert sorted(driver.contents()) == [lines(0, 10), lines(100, 110), lines(200, 210)]


def test_a_generation_is_read_once_while_logs_rotate_on(drive: Drive, tmp_path: Path) -> None:
    """Under each of its names, and long after it was read to its end."""
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    driver = drive(log)
    driver.turn()
    log.rename(tmp_path / "a.log.3.gz")
    (tmp_path / "a.log.1.gz").write_bytes(gzip.compress(lines(100, 110)))
    log.write_bytes(lines(200, 210))
    driver.turn(times=4)
    for number in range(1, 4):
        (tmp_path / f"a.log.{number}.gz").rename(tmp_path / f"a.log.{number + 1}.gz")
        log.rename(tmp_path / f"a.log.{9 - number}")
        log.write_bytes(lines(300 * number, 300 * number + 10))
        driver.turn(times=4)
    assert driver.contents().count(lines(100, 110)) == 1
    assert len(driver.contents()) == 6


def test_a_copy_of_a_live_log_is_none(drive: Drive, tmp_path: Path) -> None:
    """Soon after a rotation a copy is made, and the log is not cut yet."""
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    driver = drive(log)
    driver.turn()
    log.rename(tmp_path / "a.log.2")
    log.write_bytes(lines(200, 210))
    driver.turn()
    shutil.copyfile(log, tmp_path / "a.log.1")
    driver.turn()
    os.truncate(log, 0)
    append(log, lines(300, 310))
    driver.turn(times=5)
    assert sorted(driver.contents()) == [lines(0, 10), lines(200, 210), lines(300, 310)]


def test_the_compressed_form_of_what_is_still_read(drive: Drive, tmp_path: Path) -> None:
    """It is not a generation of its own, however long it waits."""
    log, old = tmp_path / "a.log", tmp_path / "a.log.1"
    log.write_bytes(lines(0, 10))
    driver = drive(log)
    driver.turn()
    log.rename(old)
    (tmp_path / "a.log.1.gz").write_bytes(gzip.compress(old.read_bytes()))
    old.unlink()
    driver.turn(times=60)
    assert driver.contents() == [lines(0, 10)]
