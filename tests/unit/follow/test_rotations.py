"""Where the rest of a stream is searched for, and how rotated files are named."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from followed import Driver, append, lines

from jwtleak.follow import rotations as module
from jwtleak.follow.open_file import OpenedFile
from jwtleak.follow.rotations import bases, is_generation

Drive = Callable[..., Driver]


def test_the_rest_beside_what_a_link_leads_to(drive: Drive, tmp_path: Path) -> None:
    """A stop while the kubelet rotates: the old file is beside the link's target, in a directory
    that is not followed.
    """
    pods, containers = tmp_path / "pods", tmp_path / "containers"
    pods.mkdir()
    containers.mkdir()
    log = pods / "0.log"
    log.write_bytes(lines(0, 10))
    (containers / "app.log").symlink_to(log)
    driver = drive(containers / "*.log")
    driver.turn()
    append(log, lines(10, 20))
    log.rename(pods / "0.log.20260101-101010")
    (pods / "0.log.20260101-202020").write_bytes(lines(100, 110))
    log.write_bytes(lines(200, 210))
    driver.restart()
    driver.turn(times=3)
    assert sorted(driver.contents()) == [lines(0, 20), lines(100, 110), lines(200, 210)]


def test_neighbours_are_found_by_the_beginning_of_their_names(
    drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only rotated forms of the name, and no more than the bound."""
    for name in (
        "a.log.1",
        "a.log.2.gz",
        "a-2026-01-01.log",
        "a.log.example",
        "b.log.1",
        "aa.log.1",
    ):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a.log.3").mkdir()
    driver = drive(tmp_path / "a.log")
    driver.poll()
    rotations = driver.follower._rotations
    directory = driver.follower._directories.get(str(tmp_path))
    assert rotations.generations(directory, "a.log") == [
        "a-2026-01-01.log",
        "a.log.1",
        "a.log.2.gz",
    ]
    monkeypatch.setattr(module, "MAX_NEIGHBOURS", 2)
    assert len(rotations.generations(directory, "a.log")) == 2


def test_no_file_is_opened_again_that_did_not_change(
    drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A neighbour that was not the right one is tried again only when it is another."""
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    other = tmp_path / "a.log.1"
    other.write_bytes(lines(500, 600))
    driver = drive(log)
    driver.turn()
    os.truncate(log, 0)
    opened: list[str] = []

    class Counted(OpenedFile):
        def __init__(self, path: str, report: Callable[[str, str, str], None]) -> None:
            opened.append(path)
            super().__init__(path, report)

    monkeypatch.setattr(module, "OpenedFile", Counted)
    driver.turn(times=3)
    assert opened.count(str(other)) == 1
    append(other, lines(600, 601))
    driver.turn()
    assert opened.count(str(other)) == 2


def test_a_copy_that_is_still_made_is_waited_for(drive: Drive, tmp_path: Path) -> None:
    """A copy that is shorter than what was read, and grows, is the rest when it is complete."""
    log, copy = tmp_path / "a.log", tmp_path / "a.log.1"
    log.write_bytes(lines(0, 100))
    driver = drive(log)
    driver.turn()
    append(log, lines(100, 110))
    whole = log.read_bytes()
    copy.write_bytes(whole[:2000])
    os.truncate(log, 0)
    append(log, lines(500, 501))
    driver.turn()
    assert driver.follower.unsettled() == 1
    copy.write_bytes(whole)
    driver.turn(times=2)
    assert driver.contents() == [lines(0, 110), lines(500, 501)]
    assert driver.follower.unsettled() == 0


def test_a_live_file_is_not_taken_for_the_rest(drive: Drive, tmp_path: Path) -> None:
    """A second log with the same bytes stays its own when the first one goes."""
    first, second = tmp_path / "a.log", tmp_path / "a.1.log"
    first.write_bytes(lines(0, 100))
    second.write_bytes(lines(0, 100))
    driver = drive(tmp_path / "*.log")
    driver.turn()
    driver.follower._registry.open_files.close()
    first.unlink()
    append(second, lines(100, 101))
    driver.turn(times=20)
    assert sorted(driver.contents()) == [lines(0, 100), lines(0, 101)]
    assert driver.ends() == [("removed", 0)]


def test_a_directory_beside_a_link_that_cannot_be_listed(
    drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure is reported, and the other places are searched."""
    (tmp_path / "real").mkdir()
    (tmp_path / "links").mkdir()
    log = tmp_path / "real" / "a.log"
    log.write_bytes(lines(0, 10))
    link = tmp_path / "links" / "a.log"
    link.symlink_to(log)
    driver = drive(tmp_path / "links" / "*.log")
    driver.turn()

    def refuse(path: str) -> dict[str, int]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(module, "listing", refuse)
    shutil.copyfile(log, tmp_path / "real" / "a.log.1")
    os.truncate(log, 0)
    driver.turn()
    assert driver.troubles() == [("unreadable", "real")]


@pytest.mark.parametrize("age", [0.0, 3600.0, -3600.0])
def test_more_files_wait_than_are_remembered(
    drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float
) -> None:
    """Many equal files that come at once are all followed in the end, whatever their times say."""
    monkeypatch.setattr(module, "_REMEMBERED", 3)
    driver = drive(tmp_path)
    driver.turn()
    then = time.time() - age
    for number in range(20):
        path = tmp_path / f"{number}.log"
        path.write_bytes(lines(0, 10))
        os.utime(path, (then, then))
    monkeypatch.setattr(time, "time", lambda: then + age + 5)
    driver.turn(times=10)
    assert len(driver.logs) == 20
    assert driver.follower.unsettled() == 0


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("a.log", "a.log.1"),
        ("a.log", "a.log.12.gz"),
        ("a.log", "a.log-20260101"),
        ("a.log", "a.log-20260101-1767225600.xz"),
        ("a.log", "a.log.2026-01-01T10:00:00Z"),
        ("a.log", "a.log.old"),
        ("a.log", "a.log.gz"),
        ("a.log", "a-2026-01-01.log"),
        ("a.log", "a.1.log.gz"),
        ("syslog", "syslog.1"),
        ("0.log", "0.log.20260101-101010"),
    ],
)
def test_generations(base: str, name: str) -> None:
    """What logrotate, log4j, the kubelet and others make of a name."""
    assert is_generation(base, name)
    assert base in bases(name)


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("a.log", "a.log"),
        ("a.log", "a.log.example"),
        ("a.log", "a.logger"),
        ("a.log", "b.log.1"),
        ("a.log", "a.log.1.txt"),
        ("a.log", "access.log"),
        ("a.log", "a-b.log"),
        ("syslog", "syslogd"),
        (".log", "x.1.log"),
    ],
)
def test_strangers(base: str, name: str) -> None:
    """A name that only begins alike is another log."""
    assert not is_generation(base, name)
    assert base not in bases(name)
