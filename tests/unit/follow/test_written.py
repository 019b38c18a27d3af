"""How files are written: holes, reserved space, memory maps, truncation before a read."""

from __future__ import annotations

import mmap
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from followed import Driver, append, lines

Drive = Callable[..., Driver]


def test_a_hole_is_stepped_over(drive: Drive, tmp_path: Path) -> None:
    """Of a hole of 50 GiB no byte is read."""
    log = tmp_path / "a.log"
    with log.open("wb") as file:
        file.write(lines(0, 10))
        file.seek(50 << 30)
        file.write(lines(10, 20))
    driver = drive(log)
    driver.poll()
    ((stream, opened),) = driver.logs.items()
    assert opened.size == (50 << 30) + len(lines(10, 20))
    at = driver.follower.data_after(stream, 8192)
    assert (50 << 30) - 65536 <= at <= 50 << 30
    buffer = bytearray(1 << 17)
    count = driver.follower.read(stream, at, memoryview(buffer))
    assert bytes(buffer[:count]).lstrip(b"\0") == lines(10, 20)
    assert driver.follower.data_after(stream, 0) == 0


def test_a_writer_that_keeps_its_offset(drive: Drive, tmp_path: Path) -> None:
    """A log that is cut under a writer without O_APPEND goes on behind a hole."""
    log = tmp_path / "a.log"
    with log.open("wb", buffering=0) as writer:
        writer.write(lines(0, 1000))
        driver = drive(log)
        driver.turn()
        shutil.copyfile(log, tmp_path / "a.log.1")
        os.truncate(log, 0)
        writer.write(lines(1000, 1010))
        driver.turn(times=2)
        writer.write(lines(1010, 1020))
        driver.turn()
    first, second = driver.contents()
    assert first == lines(0, 1000)
    assert second.lstrip(b"\0") == lines(1000, 1020)


@pytest.mark.parametrize("reserve", ["hole", "fallocate", "zeros"])
def test_reserved_space_is_not_written_yet(drive: Drive, tmp_path: Path, reserve: str) -> None:
    """NUL bytes at the end are read when data replaces them, byte for byte."""
    log = tmp_path / "a.log"
    fd = os.open(log, os.O_RDWR | os.O_CREAT)
    size = 1 << 20
    if reserve == "hole":
        os.ftruncate(fd, size)
    elif reserve == "fallocate":
        os.posix_fallocate(fd, 0, size)
    else:
        os.write(fd, bytes(size))
    driver = drive(log)
    driver.turn()
    assert driver.contents() == [b""]
    at = 0
    for number in range(0, 50, 10):
        at += os.pwrite(fd, lines(number, number + 10), at)
        driver.turn()
        driver.turn(2)
    assert driver.contents() == [lines(0, 50)]
    os.ftruncate(fd, at)
    os.pwrite(fd, lines(50, 60), at)
    os.close(fd)
    driver.turn()
    assert driver.contents() == [lines(0, 60)]
    assert driver.ends() == []


def test_a_gap_in_reserved_space(drive: Drive, tmp_path: Path) -> None:
    """What is written further on is found too, and everything before it with it."""
    log = tmp_path / "a.log"
    log.write_bytes(bytes(1 << 20))
    driver = drive(log)
    driver.turn()
    with log.open("r+b") as file:
        file.seek(300_000)
        file.write(lines(0, 10))
    driver.turn(times=3)
    assert driver.text() == bytes(300_000) + lines(0, 10)


def test_a_memory_mapped_writer(drive: Drive, tmp_path: Path) -> None:
    """A writer that maps its log is followed by what it writes there."""
    log = tmp_path / "a.log"
    log.write_bytes(bytes(1 << 16))
    driver = drive(log)
    driver.turn()
    with log.open("r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        at = 0
        for number in range(5):
            data = lines(number, number + 1)
            view[at : at + len(data)] = data
            at += len(data)
            view.flush()
            driver.turn(2)
    driver.turn(15)
    assert driver.contents() == [lines(0, 5)]


def test_a_truncation_between_poll_and_read(drive: Drive, tmp_path: Path) -> None:
    """Bytes of the next generation do not count as the continuation of the last, although the file
    has them.
    """
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    driver = drive(log)
    driver.turn()
    append(log, lines(10, 20))
    driver.poll()
    shutil.copyfile(log, tmp_path / "a.log.1")
    os.truncate(log, 0)
    append(log, lines(100, 200))
    driver.read()
    driver.turn(times=3)
    assert driver.contents() == [lines(0, 20), lines(100, 200)]


def test_a_cut_before_anything_was_read(drive: Drive, tmp_path: Path) -> None:
    """The same with nothing read yet: the head differs."""
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    driver = drive(log)
    driver.poll()
    shutil.copyfile(log, tmp_path / "a.log.1")
    os.truncate(log, 0)
    append(log, lines(100, 200))
    driver.read()
    driver.turn(times=3)
    assert driver.contents() == [lines(0, 10), lines(100, 200)]


def test_a_truncation_between_read_and_cursor(drive: Drive, tmp_path: Path) -> None:
    """A cursor made when its bytes are gone still says which they were, and the new bytes are not
    mistaken for them.
    """
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    driver = drive(log)
    driver.poll()
    ((stream, opened),) = driver.logs.items()
    count = driver.follower.read(stream, 0, memoryview(bytearray(1000)))
    os.truncate(log, 0)
    append(log, lines(100, 200))
    half = driver.follower.cursor(
        stream, offset=count - 40, reported=count, lines=0, line_start=0, provisional=None
    )
    driver.cursors[stream] = half
    opened.data += lines(0, 10)[: count - 40]
    driver.restart()
    driver.turn(times=2)
    assert driver.contents()[-1] == lines(100, 200)


def test_something_that_is_no_log(drive: Drive, tmp_path: Path) -> None:
    """A file that is rewritten all the time is inspected ever less often, and never given up."""
    log = tmp_path / "a.db"
    log.write_bytes(lines(0, 10))
    driver = drive(log)
    driver.turn()
    for number in range(60):
        log.write_bytes(lines(number, number + 10))
        driver.follower.hint(str(log))
        driver.turn()
    assert driver.follower.stats().opened < 12
    driver.turn(100)
    assert driver.contents()[-1] == lines(59, 69)


def test_partial_lines_come_as_they_are(drive: Drive, tmp_path: Path) -> None:
    """Bytes are read as soon as they are there, whether a line ends or not."""
    log = tmp_path / "a.log"
    log.write_bytes(b"begin")
    driver = drive(log)
    driver.turn()
    append(log, b" middle")
    driver.turn()
    append(log, b" end\n")
    driver.turn()
    assert driver.contents() == [b"begin middle end\n"]


def test_nothing_ends_before_it_is_committed(drive: Drive, tmp_path: Path) -> None:
    """A rotated file is kept until the caller has stored what it read of it, and is read to its end
    before.
    """
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    driver = drive(log)
    driver.poll()
    ((stream, opened),) = driver.logs.items()
    log.unlink()
    driver.poll(100)
    assert driver.ends() == []
    driver.read(commit=False)
    driver.poll(100)
    assert driver.ends() == []
    driver.commit(stream, opened)
    driver.poll(1)
    assert driver.ends() == [("removed", 0)]
    assert driver.contents() == [lines(0, 10)]
