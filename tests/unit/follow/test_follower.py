"""The follower as a whole: events, threads and figures on real files and a real clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from followed import append, lines

from jwtleak.errors import UsageError
from jwtleak.follow.follower import Follower
from jwtleak.follow.interface import Event, Following, Grown, Mode, Opened
from jwtleak.follow.settings import TailSettings


@pytest.fixture
def follower(tmp_path: Path) -> Iterator[Following]:
    """A follower of a directory, started."""
    started = Follower(TailSettings(paths=[str(tmp_path)]))
    started.start()
    yield started
    started.close()


def until(follower: Following, kind: type[Event]) -> Event:
    """Poll until an event of a kind comes, for ten seconds at most."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        for event in follower.poll():
            if isinstance(event, kind):
                return event
        follower.wait(0.1)
    raise AssertionError(kind)


def test_events_end_the_wait(follower: Following, tmp_path: Path) -> None:
    """A file that comes and grows is seen without waiting for an interval."""
    mode = until(follower, Mode)
    assert mode == Mode(str(tmp_path), "events", "")
    begun = time.monotonic()
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 1))
    opened = until(follower, Opened)
    assert isinstance(opened, Opened)
    append(log, lines(1, 2))
    assert isinstance(until(follower, Grown), Grown)
    assert time.monotonic() - begun < 4
    buffer = bytearray(100)
    assert follower.read(opened.stream, 0, memoryview(buffer)) == len(lines(0, 2))


def test_another_thread_can_wake_it(follower: Following) -> None:
    """`wake` ends a wait."""
    thread = threading.Timer(0.05, follower.wake)
    thread.start()
    begun = time.monotonic()
    follower.wait(60)
    assert time.monotonic() - begun < 30
    thread.join()


def test_the_figures(follower: Following, tmp_path: Path) -> None:
    """Files followed, open and opened, and modes."""
    for name in "ab":
        (tmp_path / name).write_bytes(lines(0, 1))
    follower.poll()
    stats = follower.stats()
    assert (stats.followed, stats.open, stats.opened) == (2, 2, 2)
    assert stats.modes == {"events": 1}


def test_what_means_nothing_is_refused() -> None:
    """Before anything is watched."""
    for settings in (TailSettings(paths=["x[z-a]"]), TailSettings(paths=["x"], exclude=["[z-a]"])):
        with pytest.raises(UsageError):
            Follower(settings)
