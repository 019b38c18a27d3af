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
    """A watcher that is started, its hints, and the modes that it reports."""
    made: list[tuple[Watcher, Hints]] = []

    def run(*, poll: bool = False) -> tuple[Watcher, Hints, list[tuple[str, str, str]]]:
        hints, modes = Hints(), list[tuple[str, str, str]]()
        watch = Watcher(hints, lambda *mode: modes.append(mode), poll=poll)
        watch.start()
        made.append((watch, hints))
        return watch, hints, modes

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
    watch, hints, modes = make()
    watch.sync([str(tmp_path)], 0)
    assert modes == [(str(tmp_path), "events", "")]
    assert watch.covered == {str(tmp_path)}
    assert watch.modes() == {"events": 1}
    log = tmp_path / "a.log"
    log.write_bytes(b"x")
    assert seen(hints, log)
    log.rename(tmp_path / "a.log.1")
    assert seen(hints, tmp_path)


def test_our_own_reads_are_no_events(make: Make, tmp_path: Path) -> None:
    """Opening and reading a file is no hint."""
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
    """No thread runs, and each directory is reported as polled, once."""
    watch, _, modes = make(poll=True)
    watch.sync([str(tmp_path)], 0)
    watch.sync([str(tmp_path)], 100)
    assert modes == [(str(tmp_path), "polling", "asked for")]
    assert watch.covered == frozenset()


def test_remote_file_systems_are_polled(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the directories that are on one."""
    (tmp_path / "nfs").mkdir()
    monkeypatch.setattr(module, "remote_type", lambda path: "nfs4" if path.endswith("nfs") else "")
    watch, _, modes = make()
    watch.sync([str(tmp_path), str(tmp_path / "nfs")], 0)
    assert modes == [
        (str(tmp_path), "events", ""),
        (str(tmp_path / "nfs"), "polling", "no events from a file system of type nfs4"),
    ]


def test_the_limit_of_watches(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is polled, with the name of the limit, and tried again a minute later."""
    names = [str(tmp_path / name) for name in "abc"]
    for name in names:
        os.mkdir(name)
    watch, _, modes = make()
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
    assert modes == [
        (names[0], "events", ""),
        (names[1], "polling", reason),
        (names[2], "polling", reason),
    ]
    assert watch.modes() == {"events": 1, "polling": 2}
    watch.sync(names, 20)
    assert watch.modes() == {"events": 1, "polling": 2}
    watch.sync(names, 100)
    assert modes[3:] == [(names[1], "events", ""), (names[2], "events", "")]


def test_no_events_at_all(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system refuses, everything is polled, with the reason."""
    import watchdog.observers

    def refuse() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(watchdog.observers, "Observer", refuse)
    watch, _, modes = make()
    watch.sync([str(tmp_path)], 0)
    assert modes == [
        (str(tmp_path), "polling", "no inotify instance is left (fs.inotify.max_user_instances)")
    ]
    monkeypatch.setattr(watchdog.observers, "Observer", lambda: 1 / 0)
    watch, _, modes = make()
    watch.sync([str(tmp_path)], 0)
    assert modes == [(str(tmp_path), "polling", "file events do not work here (ZeroDivisionError)")]


def test_too_many_directories(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound directories are polled."""
    monkeypatch.setattr(module, "MAX_WATCHED", 1)
    for name in "ab":
        (tmp_path / name).mkdir()
    watch, _, modes = make()
    watch.sync([str(tmp_path / "a"), str(tmp_path / "b")], 0)
    assert modes[1] == (str(tmp_path / "b"), "polling", "more than 1 directories")


def test_an_overflow_makes_everything_due(make: Make) -> None:
    """What watchdog only writes into its log is a hint at everything, and counted."""
    watch, hints, _ = make()
    logging.getLogger("watchdog.observers.inotify_c").warning(
        "Inotify queue overflowed; filesystem events were lost"
    )
    assert hints.drain() == (set(), True)
    assert watch.overflows == 1


def test_nothing_before_the_start(tmp_path: Path) -> None:
    """A watcher that was not started reports and watches nothing."""
    hints, modes = Hints(), list[tuple[str, str, str]]()
    watch = Watcher(hints, lambda *mode: modes.append(mode), poll=False)
    watch.sync([str(tmp_path)], 0)
    watch.close()
    hints.close()
    assert modes == []


@pytest.fixture
def hints() -> Hints:
    """Hints that are closed by their test."""
    return Hints()


def test_hints_are_drained_once(hints: Hints) -> None:
    """A path comes with the next `drain`, once, however often it was added."""
    hints.add("/a")
    hints.add("/b")
    hints.add("/a")
    assert hints.drain() == ({"/a", "/b"}, False)
    assert hints.drain() == (set(), False)
    hints.close()


def test_they_are_bounded(hints: Hints, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many names become one hint at everything."""
    monkeypatch.setattr(module, "MAX_HINTS", 3)
    for number in range(10):
        hints.add(f"/{number}")
    paths, everything = hints.drain()
    assert len(paths) == 3
    assert everything
    hints.close()


def test_a_hint_ends_a_wait(hints: Hints) -> None:
    """Also one that came before; and nothing is left of it for the next wait."""
    for cause in (lambda: hints.add("/a"), hints.add_all, hints.wake):
        hints.drain()
        cause()
        begun = time.monotonic()
        hints.wait(60)
        assert time.monotonic() - begun < 30
        assert hints._poll.poll(0) == []
    hints.close()


def test_many_wakes_do_not_block(hints: Hints) -> None:
    """A full pipe is no reason to wait in a signal handler, and closing twice is none to fail."""
    for _ in range(100_000):
        hints.wake()
    hints.wait(0)
    assert hints._poll.poll(0) == []
    hints.close()
    hints.close()
    hints.wake()
