"""Which files are found, and what happens while a directory or file cannot be inspected."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
from followed import Driver, append, lines

from jwtleak.follow import directories

Drive = Callable[..., Driver]


def names(driver: Driver, below: Path) -> set[str]:
    """What is followed, relative to a directory."""
    return {str(Path(log.path).relative_to(below)) for log in driver.logs.values()}


@pytest.fixture
def forest(tmp_path: Path) -> Path:
    """A few logs in a few directories."""
    for name in (
        "a.log",
        "b.txt",
        ".hidden.log",
        "sub/c.log",
        "sub/deep/d.log",
        "sub/.dot/e.log",
        "other/f.log",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 20 + b"\n")
    return tmp_path


@pytest.mark.parametrize(
    ("argument", "settings", "expected"),
    [
        ("", {}, {"a.log", "b.txt", "sub/c.log", "sub/deep/d.log", "other/f.log"}),
        ("*.log", {}, {"a.log"}),
        ("**/*.log", {}, {"a.log", "sub/c.log", "sub/deep/d.log", "other/f.log"}),
        ("*/*.log", {}, {"sub/c.log", "other/f.log"}),
        ("sub/**", {}, {"sub/c.log", "sub/deep/d.log"}),
        ("s*/d?ep/[a-d].log", {}, {"sub/deep/d.log"}),
        (".*.log", {}, {".hidden.log"}),
        ("**/.dot/*.log", {}, {"sub/.dot/e.log"}),
        (".hidden.log", {}, {".hidden.log"}),
        ("b.txt", {}, {"b.txt"}),
        ("", {"include": ["*.log"]}, {"a.log", "sub/c.log", "sub/deep/d.log", "other/f.log"}),
        (
            "",
            {"include": ["*.log", ".*.log"]},
            {"a.log", ".hidden.log", "sub/c.log", "sub/deep/d.log", "other/f.log"},
        ),
        ("", {"include": ["*.log"], "exclude": ["sub"]}, {"a.log", "other/f.log"}),
        ("", {"exclude": ["sub/deep", "*.txt"]}, {"a.log", "sub/c.log", "other/f.log"}),
        ("a.log", {"exclude": ["a.*"]}, set()),
        ("b.txt", {"include": ["*.log"]}, {"b.txt"}),
    ],
)
def test_what_is_followed(
    drive: Drive, forest: Path, argument: str, settings: dict[str, list[str]], expected: set[str]
) -> None:
    """Files, directories and globs; exclude wins; names with a dot only when they are named."""
    driver = drive(forest / argument, **settings)
    driver.turn()
    assert names(driver, forest) == expected


def test_absolute_patterns(drive: Drive, forest: Path) -> None:
    """An exclude may be a whole path."""
    driver = drive(forest, exclude=[f"{forest}/sub/**"])
    driver.turn()
    assert names(driver, forest) == {"a.log", "b.txt", "other/f.log"}


def test_new_files_and_directories(drive: Drive, tmp_path: Path) -> None:
    """What appears later is read from its beginning, in new directories too."""
    driver = drive(tmp_path / "**" / "*.log", from_="end")
    driver.turn()
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "x" / "y" / "a.log").write_bytes(lines(0, 10))
    driver.turn(6)
    assert driver.contents() == [lines(0, 10)]


def test_a_path_that_is_not_there_yet(drive: Drive, tmp_path: Path) -> None:
    """A named file or directory is waited for."""
    driver = drive(tmp_path / "a.log", tmp_path / "dir", tmp_path / "none" / "*.log")
    driver.turn()
    (tmp_path / "a.log").write_bytes(lines(0, 1))
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "b.log").write_bytes(lines(1, 2))
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "c.log").write_bytes(lines(2, 3))
    driver.turn(6)
    assert sorted(driver.contents()) == [lines(0, 1), lines(1, 2), lines(2, 3)]


def test_a_hint_in_a_directory_is_enough(drive: Drive, tmp_path: Path) -> None:
    """A new file is found at once when somebody saw it come."""
    driver = drive(tmp_path)
    driver.turn()
    driver.turn(3)
    (tmp_path / "a.log").write_bytes(lines(0, 1))
    driver.follower.hint(str(tmp_path / "a.log"))
    driver.turn(0.001)
    assert driver.contents() == [lines(0, 1)]
    append(tmp_path / "a.log", lines(1, 2))
    driver.follower.hint(str(tmp_path / "a.log"))
    driver.turn(0.001)
    assert driver.contents() == [lines(0, 2)]


def test_writing_is_no_reason_to_list(
    drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory is not listed again because a file in it is written, followed or not."""
    for name in ("a.log", "b.txt"):
        (tmp_path / name).write_bytes(lines(0, 1))
    driver = drive(tmp_path / "*.log")
    driver.turn()
    calls: list[str] = []
    monkeypatch.setattr(directories, "listing", calls.append)
    for number in range(5):
        for name in ("a.log", "b.txt"):
            append(tmp_path / name, lines(number, number + 1))
            driver.follower.hint(str(tmp_path / name))
        driver.turn(0.01)
    assert calls == []
    assert len(driver.text()) == len(lines(0, 1)) * 6


def test_one_file_with_several_names(drive: Drive, tmp_path: Path) -> None:
    """Hard links and links beside their target are one stream; losing a path is no rotation."""
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    os.link(log, tmp_path / "b.log")
    (tmp_path / "c.log").symlink_to(log)
    driver = drive(tmp_path / "*.log")
    driver.turn()
    assert driver.contents() == [lines(0, 10)]
    log.unlink()
    append(tmp_path / "b.log", lines(10, 20))
    driver.turn(6)
    driver.turn(31)
    append(tmp_path / "b.log", lines(20, 30))
    driver.turn()
    assert driver.contents() == [lines(0, 30)]
    assert driver.ends() == []


def test_equal_files_that_both_live(drive: Drive, tmp_path: Path) -> None:
    """Two files with the same bytes are two streams."""
    (tmp_path / "a.log").write_bytes(lines(0, 100))
    driver = drive(tmp_path / "*.log")
    driver.turn()
    (tmp_path / "b.log").write_bytes(lines(0, 100))
    driver.turn(6)
    driver.turn(3)
    assert driver.contents() == [lines(0, 100), lines(0, 100)]
    append(tmp_path / "a.log", lines(100, 101))
    append(tmp_path / "b.log", lines(200, 201))
    driver.turn()
    assert driver.contents() == [lines(0, 101), lines(0, 100) + lines(200, 201)]


def test_equal_files_at_the_start(drive: Drive, tmp_path: Path) -> None:
    """The same, both there from the beginning."""
    for name in "abc":
        (tmp_path / name).write_bytes(lines(0, 100))
    driver = drive(tmp_path)
    driver.turn(times=5)
    assert driver.contents() == [lines(0, 100)] * 3


def test_a_loop_of_links_ends(drive: Drive, tmp_path: Path) -> None:
    """A link to a directory above does not make endless paths."""
    (tmp_path / "a.log").write_bytes(lines(0, 1))
    (tmp_path / "loop").symlink_to(tmp_path)
    driver = drive(tmp_path)
    driver.turn()
    assert driver.contents() == [lines(0, 1)]


def test_links_can_be_left_out(drive: Drive, tmp_path: Path) -> None:
    """With `symlinks = "ignore"` no link is followed."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.log").write_bytes(lines(0, 1))
    (tmp_path / "in" / "dir").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "a.log").symlink_to(tmp_path / "out" / "a.log")
    driver = drive(tmp_path / "in", symlinks="ignore")
    driver.turn()
    assert driver.contents() == []


def test_what_is_no_file_is_reported(drive: Drive, tmp_path: Path) -> None:
    """A pipe is not opened, and is reported once."""
    os.mkfifo(tmp_path / "pipe")
    driver = drive(tmp_path)
    driver.turn(times=10)
    assert driver.troubles() == [("skipped", "pipe")]


def test_own_files_are_left_alone(drive: Drive, tmp_path: Path) -> None:
    """What the program writes itself is not followed, under whatever name, nor after it was
    rotated.
    """
    out = tmp_path / "alerts.jsonl"
    out.write_bytes(lines(0, 10))
    found = out.stat()
    own = {(found.st_dev, found.st_ino)}
    driver = drive(tmp_path, own=lambda: frozenset(own))
    driver.turn()
    out.rename(tmp_path / "alerts.jsonl.1")
    out.write_bytes(lines(10, 20))
    own.clear()
    own.add((out.stat().st_dev, out.stat().st_ino))
    driver.turn(6)
    assert driver.contents() == []


def test_a_directory_that_cannot_be_listed(
    drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a directory cannot be listed nothing in it ends, it is reported once, nothing is read
    again afterwards.
    """
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    driver = drive(tmp_path)
    driver.turn()

    def refuse(path: str) -> dict[str, int]:
        raise PermissionError(13, "Permission denied", path)

    with monkeypatch.context() as patch:
        patch.setattr(directories, "listing", refuse)
        append(log, lines(10, 20))
        log.rename(tmp_path / "a.log.1")
        driver.follower._registry.open_files.close()
        driver.turn(times=60)
        assert driver.ends() == []
        assert driver.troubles() == [("unreadable", tmp_path.name)]
    driver.turn(6)
    driver.turn()
    assert driver.contents() == [lines(0, 20)]
    assert driver.ends() == []


def test_no_descriptor_left(drive: Drive, tmp_path: Path) -> None:
    """With no file descriptor left nothing counts as gone; when there are some again, everything
    goes on.
    """
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    driver = drive(tmp_path)
    driver.turn()
    driver.follower._registry.open_files.close()
    append(log, lines(10, 20))
    (tmp_path / "b.log").write_bytes(lines(100, 110))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.open("/dev/null", os.O_RDONLY)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, limits[1]))
    os.close(spare)
    blockers = []
    try:
        while True:
            try:
                blockers.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                break
        driver.turn(times=20)
    finally:
        for fd in blockers:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert driver.ends() == []
    driver.turn(6)
    driver.turn(2)
    assert driver.contents() == [lines(0, 20), lines(100, 110)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_granted_later(drive: Drive, tmp_path: Path) -> None:
    """A file that may not be read is reported once, and read whole when it may."""
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 10))
    log.chmod(0)
    driver = drive(log)
    driver.turn(times=10)
    assert driver.troubles() == [("unreadable", "a.log")]
    log.chmod(0o600)
    driver.turn(2)
    assert driver.contents() == [lines(0, 10)]


def test_more_files_than_descriptors(drive: Drive, tmp_path: Path) -> None:
    """A few descriptors are enough for many files, and for their rotation."""
    for number in range(100):
        (tmp_path / f"{number}.log").write_bytes(lines(number, number + 2))
    driver = drive(tmp_path / "*.log", max_open=4)
    driver.turn()
    assert driver.follower.stats().open <= 4
    for number in range(100):
        append(tmp_path / f"{number}.log", lines(number + 2, number + 3))
        (tmp_path / f"{number}.log").rename(tmp_path / f"{number}.log.1")
        (tmp_path / f"{number}.log").write_bytes(lines(number + 1000, number + 1001))
    driver.turn(times=3)
    assert sorted(driver.contents()) == sorted(path.read_bytes() for path in tmp_path.iterdir())
    driver.turn(31)
    assert driver.ends() == [("rotated", 0)] * 100
    assert driver.follower.stats().open <= 4
