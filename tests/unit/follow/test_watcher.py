"""File events, and what happens where there are none."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchdog.observers.api import BaseObserver

from jwtleak.follow import watcher as module
from jwtleak.follow.watcher import Hints, Watcher

Make = Callable[..., tuple[Watcher, Hints, list[tuple[str, str, str]]]]


@pytest.fixture
def make() -> Iterator[Make]:
    """A watch that is started, its hints, and what it tells."""
    made: list[tuple[Watcher, Hints]] = []

    def run(*, poll: bool = False) -> tuple[Watcher, Hints, list[tuple[str, str, str]]]:
        hints, told = Hints(), list[tuple[str, str, str]]()
        watch = Watcher(hints, lambda *mode: told.append(mode), poll=poll)
        watch.start()
        made.append((watch, hints))
        return watch, hints, told

    yield run
    for watch, hints in made:
        watch.close()
        hints.close()


def seen(hints: Hints, path: Path) -> bool:
    """Whether a hint at `path` comes, within ten seconds."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if str(path) in hints.drain()[0]:
            return True
        hints.wait(0.2)
    return False


def test_changes_become_hints(make: Make, tmp_path: Path) -> None:
    """A file that is made, written or renamed; and for names that change, their directory."""
    watch, hints, told = make()
    watch.sync([str(tmp_path)], 0)
    assert told == [(str(tmp_path), "events", "")]
    assert watch.covered == {str(tmp_path)}
    assert watch.modes() == {"events": 1}
    log = tmp_path / "a.log"
    log.write_bytes(b"x")
    assert seen(hints, log)
    log.rename(tmp_path / "a.log.1")
    assert seen(hints, tmp_path)


def test_our_own_reads_are_no_events(make: Make, tmp_path: Path) -> None:
    """Opening and reading a file is no reason to look."""
    log = tmp_path / "a.log"
    log.write_bytes(b"x")
    watch, hints, _ = make()
    watch.sync([str(tmp_path)], 0)
    hints.drain()
    for _ in range(50):
        log.read_bytes()
    (tmp_path / "mark").touch()
    assert seen(hints, tmp_path / "mark")
    assert str(log) not in hints.drain()[0]


def test_a_directory_of_the_same_name(make: Make, tmp_path: Path) -> None:
    """One that was removed and made again is watched again, as soon as watchdog has noticed."""
    logs = tmp_path / "logs"
    logs.mkdir()
    watch, hints, _ = make()
    watch.sync([str(logs)], 0)
    old = watch._watches[str(logs)][0]
    logs.rmdir()
    logs.mkdir()
    end = time.monotonic() + 10
    while watch._watches[str(logs)][0] is old and time.monotonic() < end:
        watch.sync([str(logs)], 1)
        hints.wait(0.05)
    hints.drain()
    (logs / "a.log").touch()
    assert seen(hints, logs / "a.log")


def test_a_directory_that_is_not_wanted_any_more(make: Make, tmp_path: Path) -> None:
    """Is not watched any more, and not counted."""
    watch, _, _ = make()
    watch.sync([str(tmp_path)], 0)
    watch.sync([], 1)
    assert watch.covered == frozenset()
    assert watch.modes() == {}


def test_polling_as_asked(make: Make, tmp_path: Path) -> None:
    """No thread runs, and each directory is told to be polled, once."""
    watch, _, told = make(poll=True)
    watch.sync([str(tmp_path)], 0)
    watch.sync([str(tmp_path)], 100)
    assert told == [(str(tmp_path), "polling", "asked for")]
    assert watch.covered == frozenset()


def test_remote_file_systems_are_polled(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the directories that are on one."""
    (tmp_path / "nfs").mkdir()
    monkeypatch.setattr(module, "remote_type", lambda path: "nfs4" if path.endswith("nfs") else "")
    watch, _, told = make()
    watch.sync([str(tmp_path), str(tmp_path / "nfs")], 0)
    assert told == [
        (str(tmp_path), "events", ""),
        (str(tmp_path / "nfs"), "polling", "no events from a file system of type nfs4"),
    ]


def test_the_limit_of_watches(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is polled, with the name of the limit, and tried again a minute later."""
    names = [str(tmp_path / name) for name in "abc"]
    for name in names:
        os.mkdir(name)
    watch, _, told = make()
    schedule = BaseObserver.schedule

    def limited(self: BaseObserver, handler: object, path: str, **more: object) -> object:
        if not path.endswith("a"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return schedule(self, handler, path, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(BaseObserver, "schedule", limited)
        watch.sync(names, 0)
        watch.sync(names, 10)
    reason = "no inotify watch is left (fs.inotify.max_user_watches)"
    assert told == [
        (names[0], "events", ""),
        (names[1], "polling", reason),
        (names[2], "polling", reason),
    ]
    assert watch.modes() == {"events": 1, "polling": 2}
    watch.sync(names, 20)
    assert watch.modes() == {"events": 1, "polling": 2}
    watch.sync(names, 100)
    assert told[3:] == [(names[1], "events", ""), (names[2], "events", "")]


def test_no_events_at_all(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system refuses, everything is polled, with the reason."""
    import watchdog.observers

    def refuse() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(watchdog.observers, "Observer", refuse)
    watch, _, told = make()
    watch.sync([str(tmp_path)], 0)
    assert told == [
        (str(tmp_path), "polling", "no inotify instance is left (fs.inotify.max_user_instances)")
    ]
    monkeypatch.setattr(watchdog.observers, "Observer", lambda: 1 / 0)
    watch, _, told = make()
    watch.sync([str(tmp_path)], 0)
    assert told == [(str(tmp_path), "polling", "file events do not work here (ZeroDivisionError)")]


def test_too_many_directories(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound directories are polled."""
    monkeypatch.setattr(module, "MAX_WATCHED", 1)
    for name in "ab":
        (tmp_path / name).mkdir()
    watch, _, told = make()
    watch.sync([str(tmp_path / "a"), str(tmp_path / "b")], 0)
    assert told[1] == (str(tmp_path / "b"), "polling", "more than 1 directories")


def test_an_overflow_makes_everything_due(make: Make) -> None:
    """What watchdog only writes into its log is a hint at everything, and counted."""
    watch, hints, _ = make()
    logging.getLogger("watchdog.observers.inotify_c").warning(
        "Inotify queue overflowed; filesystem events were lost"
    )
    assert hints.drain() == (set(), True)
    assert watch.overflows == 1


def test_nothing_before_the_start(tmp_path: Path) -> None:
    """A watch that was not started tells nothing and watches nothing."""
    hints, told = Hints(), list[tuple[str, str, str]]()
    watch = Watcher(hints, lambda *mode: told.append(mode), poll=False)
    watch.sync([str(tmp_path)], 0)
    watch.close()
    hints.close()
    assert told == []
