"""Looks at known files: how often, and what they cost."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from followed import Driver, append, lines

from jwtleak.follow import inspect as module

Drive = Callable[..., Driver]


def stats_of(driver: Driver, log: Path, seconds: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how often a file is inspected in so many seconds."""
    calls, stat = 0, os.stat

    def counted(path: object, *args: object, **more: object) -> os.stat_result:
        nonlocal calls
        calls += path == str(log)
        return stat(path, *args, **more)  # type: ignore[call-overload, no-any-return]

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", counted)
        for _ in range(seconds * 2):
            driver.poll(0.5)
    return calls


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A small log."""
    path = tmp_path / "a.log"
    path.write_bytes(lines(0, 10))
    return path


def test_every_second_without_events(
    drive: Drive, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it was idle."""
    driver = drive(log)
    driver.turn()
    assert 9 <= stats_of(driver, log, 10, monkeypatch) <= 11
    driver.poll(1000)
    assert 8 <= stats_of(driver, log, 10, monkeypatch) <= 13


def test_seldom_with_events(drive: Drive, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where events come, an idle file is inspected ever less often, up to a bound."""
    driver = drive(log)
    driver.turn()
    driver.follower._inspector.set_coverage(frozenset(), everywhere=True)
    driver.follower._cover = lambda now: None  # type: ignore[method-assign]
    driver.poll(1000)
    assert 2 <= stats_of(driver, log, 60, monkeypatch) <= 7
    append(log, lines(10, 11))
    driver.turn(20)
    assert driver.contents() == [lines(0, 11)]


def test_many_files_share_the_inspections(
    drive: Drive, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond what a small part of a core can do, idle files wait longer, but never longer than the
    bound.
    """
    driver = drive(log)
    driver.turn()
    monkeypatch.setattr(module, "POLLS_PER_SECOND", 0.2)
    driver.poll(1000)
    assert 8 <= stats_of(driver, log, 60, monkeypatch) <= 17
    monkeypatch.setattr(module, "POLLS_PER_SECOND", 0.0001)
    driver.poll(1000)
    assert 2 <= stats_of(driver, log, 100, monkeypatch) <= 5


def test_a_file_that_was_idle_before_it_was_met(
    drive: Drive, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not inspected every second at first, as a file that has just changed is."""
    monkeypatch.setattr(module, "POLLS_PER_SECOND", 0.1)
    os.utime(log, (1000, 1000))
    driver = drive(log)
    driver.turn()
    assert stats_of(driver, log, 60, monkeypatch) <= 9


def test_a_change_within_a_tick_of_the_clock(drive: Drive, log: Path) -> None:
    """A log that is rewritten with the same size and time stamp right after a poll is found once
    more.
    """
    driver = drive(log)
    driver.turn()
    append(log, lines(10, 11))
    driver.turn()
    found = log.stat()
    log.write_bytes(lines(100, 111)[: found.st_size].ljust(found.st_size, b"\n"))
    os.utime(log, ns=(found.st_atime_ns, found.st_mtime_ns))
    stream = next(iter(driver.follower._registry))
    stream.ctime_ns = log.stat().st_ctime_ns
    driver.turn(2)
    driver.turn()
    assert driver.contents()[-1] == log.read_bytes()


def test_what_cannot_be_inspected_is_not_gone(
    drive: Drive, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose stat fails for a while, for whatever reason but its absence, stays as it is."""
    driver = drive(log)
    driver.turn()
    stat = os.stat

    def broken(path: object, *args: object, **more: object) -> os.stat_result:
        if path == str(log):
            raise OSError(5, "Input/output error", path)
        return stat(path, *args, **more)  # type: ignore[call-overload, no-any-return]

    append(log, lines(10, 11))
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", broken)
        driver.turn(times=60)
    assert driver.ends() == []
    assert driver.troubles() == [("unreadable", "a.log")]
    driver.turn(2)
    assert driver.contents() == [lines(0, 11)]
