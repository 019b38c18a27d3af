"""Rotation while the follower runs, in every way that logs are rotated."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from followed import Driver, append, lines

Drive = Callable[..., Driver]


def followed(drive: Drive, path: Path, data: bytes, *more: Path) -> Driver:
    """A follower that has read `data` from `path`."""
    path.write_bytes(data)
    driver = drive(*(more or (path,)))
    driver.turn()
    assert driver.text() == data
    return driver


def test_rename_and_create(drive: Drive, tmp_path: Path) -> None:
    """What was written before the rename is read from the renamed file, and the new one from its
    beginning.
    """
    log = tmp_path / "a.log"
    driver = followed(drive, log, lines(0, 10))
    append(log, lines(10, 20))
    log.rename(tmp_path / "a.log.1")
    log.write_bytes(lines(100, 110))
    driver.turn()
    assert driver.contents() == [lines(0, 20), lines(100, 110)]
    first, second = driver.logs.values()
    assert second.opened.follows == first.opened.stream


def test_a_writer_that_keeps_the_old_file(drive: Drive, tmp_path: Path) -> None:
    """What a program writes into the renamed file before it reopens its log is read, until it was
    quiet long enough.
    """
    log = tmp_path / "a.log"
    driver = followed(drive, log, lines(0, 10))
    log.rename(tmp_path / "a.log.1")
    log.write_bytes(b"")
    driver.turn()
    for number in range(5):
        append(tmp_path / "a.log.1", lines(10 + number, 11 + number))
        driver.turn(20)
    assert driver.contents()[0] == lines(0, 15)
    assert driver.ends() == []
    driver.turn(31)
    assert driver.ends() == [("rotated", 0)]


def test_several_generations_between_two_polls(drive: Drive, tmp_path: Path) -> None:
    """Generations that no poll saw at the log's path are read where they are, in order."""
    log = tmp_path / "a.log"
    driver = followed(drive, log, lines(0, 10))
    append(log, lines(10, 12))
    log.rename(tmp_path / "a.log.3")
    for generation, place in ((1, "a.log.2"), (2, "a.log.1")):
        log.write_bytes(lines(generation * 100, generation * 100 + 5))
        log.rename(tmp_path / place)
    log.write_bytes(lines(300, 305))
    driver.turn()
    assert driver.contents() == [lines(0, 12), lines(100, 105), lines(200, 205), lines(300, 305)]
    streams = list(driver.logs)
    assert [log.opened.follows for log in driver.logs.values()] == [None, *streams[:3]]


def test_a_neighbour_that_was_there_is_no_generation(drive: Drive, tmp_path: Path) -> None:
    """An old rotated file, or another log with a similar name, is not read because a rotation
    happened.
    """
    log = tmp_path / "a.log"
    (tmp_path / "a.log.1").write_bytes(lines(900, 905))
    (tmp_path / "a.log.err").write_bytes(lines(800, 805))
    driver = followed(drive, log, lines(0, 10))
    (tmp_path / "a.log.1").rename(tmp_path / "a.log.2")
    os.utime(tmp_path / "a.log.2", (1, 1))
    log.rename(tmp_path / "a.log.1")
    append(tmp_path / "a.log.err", lines(805, 806))
    log.write_bytes(lines(100, 105))
    driver.turn()
    assert driver.contents() == [lines(0, 10), lines(100, 105)]


@pytest.mark.parametrize("order", ["together", "apart"])
def test_cascade_that_still_matches(drive: Drive, tmp_path: Path, order: str) -> None:
    """With a glob that matches the rotated names too, a stream keeps its identity."""
    log = tmp_path / "a.log"
    driver = followed(drive, log, lines(0, 10), tmp_path / "a.log*")
    for generation in (1, 2, 3):
        for number in (2, 1):
            if (tmp_path / f"a.log.{number}").exists():
                (tmp_path / f"a.log.{number}").rename(tmp_path / f"a.log.{number + 1}")
        append(log, lines(generation * 100 + 50, generation * 100 + 52))
        log.rename(tmp_path / "a.log.1")
        log.write_bytes(lines(generation * 100, generation * 100 + 5))
        if order == "apart":
            driver.turn()
    driver.turn(6)
    if order == "apart":
        assert driver.contents()[0] == lines(0, 10) + lines(150, 152)
    assert sorted(driver.text().splitlines()) == sorted(
        b"".join(path.read_bytes() for path in tmp_path.iterdir()).splitlines()
    )
    assert {log.path for log in driver.logs.values()} == {str(path) for path in tmp_path.iterdir()}
    assert driver.ends() == []


def copytruncate(log: Path, copy: Path, after: bytes = b"") -> None:
    """As `logrotate` does it; `after` is written behind the cut."""
    shutil.copyfile(log, copy)
    os.truncate(log, 0)
    append(log, after)


@pytest.mark.parametrize(
    "after", [b"", lines(100, 102), lines(100, 300)], ids=["empty", "shorter", "longer"]
)
def test_copytruncate(drive: Drive, tmp_path: Path, after: bytes) -> None:
    """The rest is read from the copy, also when the log has grown past the old offset since."""
    log = tmp_path / "a.log"
    driver = followed(drive, log, lines(0, 10))
    append(log, lines(10, 20))
    copytruncate(log, tmp_path / "a.log.1", after)
    driver.turn()
    driver.turn()
    assert driver.contents() == [lines(0, 20), after]
    driver.turn(40)
    assert driver.ends() == [("truncated", 0)]


def test_copytruncate_to_the_same_size(drive: Drive, tmp_path: Path) -> None:
    """A log that was cut and has grown to exactly its old size is a new generation."""
    log = tmp_path / "a.log"
    driver = followed(drive, log, lines(0, 10))
    copytruncate(
        log, tmp_path / "a.log.1", lines(100, 110).replace(b"1000", b"100x")[: len(lines(0, 10))]
    )
    driver.turn()
    assert driver.contents()[1] == log.read_bytes()


def test_copytruncate_with_equal_heads(drive: Drive, tmp_path: Path) -> None:
    """A program that writes the same header into every generation does not hide that there is a new
    one.
    """
    header = b"#Fields: date time c-ip cs-method cs-uri-stem\n" * 30
    log = tmp_path / "a.log"
    driver = followed(drive, log, header + lines(0, 10))
    append(log, lines(10, 20))
    copytruncate(log, tmp_path / "a.log.1", header + lines(100, 150))
    driver.turn()
    driver.turn()
    assert driver.contents() == [header + lines(0, 20), header + lines(100, 150)]


def test_copytruncate_under_a_glob_that_takes_the_copy(drive: Drive, tmp_path: Path) -> None:
    """The copy is not read once more: it is where the stream goes on."""
    log = tmp_path / "a.log"
    driver = followed(drive, log, lines(0, 10), tmp_path / "a.log*")
    append(log, lines(10, 20))
    copytruncate(log, tmp_path / "a.log.1", lines(100, 103))
    driver.turn(times=5)
    assert driver.contents() == [lines(0, 20), lines(100, 103)]
    assert [log.path for log in driver.logs.values()] == [str(tmp_path / "a.log.1"), str(log)]


def test_a_copy_that_is_seen_before_the_cut(drive: Drive, tmp_path: Path) -> None:
    """While a copy is made and the original is still whole, nothing is read twice."""
    log = tmp_path / "a.log"
    driver = followed(drive, log, lines(0, 50), tmp_path / "a.log*")
    with (tmp_path / "a.log.1").open("wb") as copy:
        for at in range(0, len(lines(0, 50)), 400):
            copy.write(lines(0, 50)[at : at + 400])
            copy.flush()
            driver.turn(0.5)
    driver.turn(0.5)
    os.truncate(log, 0)
    append(log, lines(100, 101))
    driver.turn(0.5)
    driver.turn(6)
    assert driver.contents() == [lines(0, 50), lines(100, 101)]


def test_what_fell_between_copy_and_cut_is_counted(drive: Drive, tmp_path: Path) -> None:
    """Bytes that a poll saw and nobody can read any more are `lost`."""
    log = tmp_path / "a.log"
    driver = followed(drive, log, lines(0, 10))
    shutil.copyfile(log, tmp_path / "a.log.1")
    append(log, lines(10, 15))
    driver.poll()
    os.truncate(log, 0)
    driver.turn()
    driver.turn(40)
    assert driver.contents()[0] == lines(0, 10)
    assert driver.ends() == [("truncated", len(lines(10, 15)))]
    assert driver.follower.stats().bytes_lost == len(lines(10, 15))


def test_copytruncate_and_compress(drive: Drive, tmp_path: Path) -> None:
    """The rest is read from the compressed copy."""
    log = tmp_path / "a.log"
    driver = followed(drive, log, lines(0, 10))
    append(log, lines(10, 20))
    (tmp_path / "a.log.1.gz").write_bytes(gzip.compress(log.read_bytes()))
    os.truncate(log, 0)
    append(log, lines(100, 200))
    driver.turn(times=8)
    assert driver.contents() == [lines(0, 20), lines(100, 200)]


def test_rename_and_compress(drive: Drive, tmp_path: Path) -> None:
    """A file that is compressed and removed is read to its end by its open file; the compressed one
    adds nothing.
    """
    log = tmp_path / "a.log"
    driver = followed(drive, log, lines(0, 10), tmp_path / "a.log*")
    append(log, lines(10, 20))
    log.rename(tmp_path / "a.log.1")
    log.write_bytes(lines(100, 105))
    driver.turn()
    (tmp_path / "a.log.1.gz").write_bytes(gzip.compress((tmp_path / "a.log.1").read_bytes()))
    (tmp_path / "a.log.1").unlink()
    driver.turn(times=50)
    assert driver.contents() == [lines(0, 20), lines(100, 105)]
    assert ("finished", 0) in driver.ends()


def test_delete_and_create(drive: Drive, tmp_path: Path) -> None:
    """A deleted file is read to its end; the new one, though it may have the same inode, is another
    stream.
    """
    log = tmp_path / "a.log"
    driver = followed(drive, log, lines(0, 10))
    append(log, lines(10, 20))
    log.unlink()
    log.write_bytes(lines(100, 120))
    driver.turn()
    assert driver.contents() == [lines(0, 20), lines(100, 120)]
    driver.turn(31)
    assert driver.ends() == [("rotated", 0)]


def test_inode_reuse_while_closed(drive: Drive, tmp_path: Path) -> None:
    """A file that was not held open, was deleted, and gave its inode to another is not mistaken for
    it.
    """
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    driver = drive(log, max_open=4)
    driver.turn()
    driver.follower._registry.open_files.close()
    log.unlink()
    log.write_bytes(lines(0, 10) + lines(100, 120))
    driver.turn()
    driver.turn(30)
    assert driver.contents()[-1] == log.read_bytes()


def test_a_shrunk_file_is_read_again(drive: Drive, tmp_path: Path) -> None:
    """A file that an editor made a line shorter is read again: anything may have changed."""
    log = tmp_path / "a.log"
    driver = followed(drive, log, lines(0, 10))
    os.truncate(log, len(lines(0, 9)))
    append(log, lines(50, 51))
    driver.turn()
    assert driver.contents() == [lines(0, 10), lines(0, 9) + lines(50, 51)]


def test_symlink_swap(drive: Drive, tmp_path: Path) -> None:
    """A link that is turned to another file is a rotation."""
    old, new, link = tmp_path / "one", tmp_path / "two", tmp_path / "current.log"
    old.write_bytes(lines(0, 10))
    new.write_bytes(lines(100, 110))
    link.symlink_to(old)
    driver = drive(link)
    driver.turn()
    append(old, lines(10, 12))
    link.unlink()
    link.symlink_to(new)
    driver.turn()
    assert driver.contents() == [lines(0, 12), lines(100, 110)]
    append(new, lines(110, 111))
    driver.turn()
    assert driver.contents()[1] == lines(100, 111)


def test_kubernetes_chain(drive: Drive, tmp_path: Path) -> None:
    """`containers/*.log` leads over a link to `pods/...`, where the kubelet rotates; links are
    followed through it.
    """
    pod = tmp_path / "pods" / "ns_app_uid" / "app"
    pod.mkdir(parents=True)
    containers = tmp_path / "containers"
    containers.mkdir()
    log = pod / "0.log"
    log.write_bytes(lines(0, 10))
    (containers / "app_ns_app-1234.log").symlink_to(log)
    driver = drive(containers / "*.log")
    driver.turn()
    append(log, lines(10, 20))
    log.rename(pod / "0.log.20260101-101010")
    log.write_bytes(lines(100, 110))
    driver.turn()
    assert driver.contents() == [lines(0, 20), lines(100, 110)]


def test_moved_out_of_the_directory(drive: Drive, tmp_path: Path) -> None:
    """A file that is moved out of the followed directories is read to its end all the same."""
    logs, away = tmp_path / "logs", tmp_path / "away"
    logs.mkdir()
    away.mkdir()
    log = logs / "a.log"
    driver = followed(drive, log, lines(0, 10), logs)
    append(log, lines(10, 20))
    log.rename(away / "a.log")
    driver.turn()
    append(away / "a.log", lines(20, 21))
    driver.turn()
    assert driver.contents() == [lines(0, 21)]
    driver.turn(31)
    assert driver.ends() == [("removed", 0)]


def test_directory_removed_and_recreated(drive: Drive, tmp_path: Path) -> None:
    """A directory that goes and comes again is followed again."""
    logs = tmp_path / "logs"
    logs.mkdir()
    log = logs / "a.log"
    driver = followed(drive, log, lines(0, 10), logs / "*.log")
    append(log, lines(10, 11))
    log.unlink()
    logs.rmdir()
    driver.turn()
    driver.turn(10)
    logs.mkdir()
    log.write_bytes(lines(100, 110))
    driver.turn(10)
    assert driver.contents() == [lines(0, 11), lines(100, 110)]


def test_copied_across_devices(drive: Drive, tmp_path: Path) -> None:
    """A file that is copied away and removed goes on where its copy is, if that is followed."""
    log = tmp_path / "a.log"
    driver = followed(drive, log, lines(0, 10), tmp_path / "*.log")
    driver.follower._registry.open_files.close()
    append(log, lines(10, 20))
    shutil.copyfile(log, tmp_path / "b.log")
    log.unlink()
    driver.turn(times=8)
    assert driver.contents() == [lines(0, 20)]
    assert [log.path for log in driver.logs.values()] == [str(tmp_path / "b.log")]


def test_a_compressed_form_that_was_renamed_is_not_read_again(drive: Drive, tmp_path: Path) -> None:
    """A rotated file is read to its end after it was unlinked; its compressed form, which moved to
    a number that is no rotation of the file's last name, continues the same stream.
    """
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    driver = drive(log)
    driver.poll()
    log.rename(tmp_path / "a.log.1")
    log.write_bytes(lines(100, 103))
    driver.poll()
    (tmp_path / "a.log.2.gz").write_bytes(gzip.compress((tmp_path / "a.log.1").read_bytes()))
    (tmp_path / "a.log.1").unlink()
    log.rename(tmp_path / "a.log.1")
    driver.turn(12, times=10)
    assert driver.contents() == [lines(0, 10), lines(100, 103)]
    assert driver.ends() == [("rotated", 0), ("rotated", 0)]
