"""Faults that are put in: limits of watches and files, an overflow, directories and disks that
fail, clocks that jump.

Limits are those of a user namespace, disks those of a mount namespace: nothing of the machine is
changed. Where namespaces are not allowed the tests skip.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from daemon import Daemon, lines
from programs import missing, program

pytestmark = [pytest.mark.slow, pytest.mark.receivers]

NOBODY = 65534


def shell(script: str, *namespaces: str) -> list[str]:
    """A wrap that runs `script` in new namespaces, then the command."""
    unshare = program("unshare")
    if subprocess.run([unshare, *namespaces, "true"], check=False, capture_output=True).returncode:
        missing(f"unshare {' '.join(namespaces)}")
    return [unshare, *namespaces, program("sh"), "-ec", f'{script}\nexec "$@"', "sh"]


def directories(place: Path, count: int) -> list[Path]:
    """`count` new directories with an empty log in each."""
    made = [place / "log" / f"d{number:02}" for number in range(count)]
    for one in made:
        one.mkdir(parents=True)
        (one / "app.log").touch()
    return made


@pytest.mark.parametrize(
    ("limit", "mode"),
    [("max_inotify_watches 5", "mixed"), ("max_inotify_instances 0", "polling")],
    ids=["watches", "instances"],
)
def test_the_limits_of_inotify(tmp_path: Path, limit: str, mode: str) -> None:
    """With 5 watches, and with none at all, twenty directories are followed all the same; that some
    are polled is said.
    """
    name, _, value = limit.partition(" ")
    wrap = shell(f"echo {value} > /proc/sys/user/{name}", "--user", "--map-root-user")
    places = directories(tmp_path, 20)
    with Daemon(tmp_path / "run", tmp_path / "log", wrap=wrap) as daemon:
        for number, one in enumerate(places):
            with (one / "app.log").open("ab") as file:
                file.write(lines([number]))
        daemon.wait_for(range(20), seconds=15)
        for number, one in enumerate(places, 20):
            (one / "new.log").write_bytes(lines([number]))
        daemon.wait_for(range(20, 40), seconds=20)
        numbers = daemon.get("/metrics")[1]
        assert 'jwtleak_watch_directories{mode="polling"}' in numbers
        assert "no events from here, looked at by the clock: no inotify" in daemon.said()
        if mode == "polling":
            assert 'jwtleak_watch_directories{mode="events"}' not in numbers.replace(
                '{mode="events"} 0.0', ""
            )
        assert daemon.get("/healthz")[0] == 200
        assert daemon.stop() == 0
    daemon.check_ids()


def test_an_overflow_of_events(tmp_path: Path) -> None:
    """20,000 files that appear while the process is stopped are more than the queue holds; all are
    found.
    """
    place = tmp_path / "log"
    place.mkdir()
    marked = range(0, 20_000, 200)
    with Daemon(tmp_path / "run", place) as daemon:
        daemon.signal(signal.SIGSTOP)
        for number in range(20_000):
            (place / f"{number}.log").write_bytes(
                lines([number]) if number in marked else b"nothing\n"
            )
        daemon.signal(signal.SIGCONT)
        daemon.wait_for(marked, seconds=120)
        daemon.wait(
            lambda: daemon.metric("jwtleak_files_followed") == 20_000, "20,000 files", 120, 0.5
        )
        assert daemon.stop() == 0
    daemon.check_ids()


def test_few_descriptors(tmp_path: Path) -> None:
    """With 100 descriptors 1,000 files are followed, and what is appended to any of them is found;
    none is taken for gone.
    """
    place = tmp_path / "log"
    place.mkdir()
    files = [place / f"{number}.log" for number in range(1000)]
    for number, one in enumerate(files):
        one.write_bytes(lines([number]))
    with Daemon(
        tmp_path / "run", place, wrap=[program("sh"), "-c", 'ulimit -n 100; exec "$@"', "sh"]
    ) as daemon:
        daemon.wait_for(range(1000))
        for number in range(1000, 2000):
            with files[number - 1000].open("ab") as file:
                file.write(lines([number]))
        daemon.wait_for(range(1000, 2000))
        assert daemon.metric("jwtleak_files_followed") == 1000
        assert daemon.metric("jwtleak_files_open") <= 50
        assert daemon.stop() == 0
    daemon.check_ids()
    assert len(daemon.ids()) == 2000


def as_nobody() -> Sequence[str]:
    """A wrap that runs as a user without any right."""
    if os.geteuid() != 0:
        return ()
    return [program("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def test_a_directory_that_cannot_be_read_for_a_while(tmp_path: Path) -> None:
    """What could not be looked at is not taken for gone: afterwards reading goes on where it was,
    without a second alert.
    """
    place = tmp_path / "log"
    place.mkdir()
    file = place / "app.log"
    file.write_bytes(lines(range(10)))
    home = tmp_path / "run"
    home.mkdir()
    for one in (home, *home.parents[: len(home.parents) - 1]):
        if one.is_relative_to("/tmp"):
            one.chmod(one.stat().st_mode | 0o055)
    if os.geteuid() == 0:
        os.chown(home, NOBODY, NOBODY)
    daemon = Daemon(home, place, wrap=as_nobody())
    with daemon:
        daemon.wait_for(range(10))
        place.chmod(0)
        with file.open("ab") as out:
            out.write(lines(range(10, 15)))
        time.sleep(7)  # longer than the interval of directories
        daemon.kill()  # and a restart while nothing can be seen
        daemon.start()
        time.sleep(2)
        assert daemon.get("/healthz")[1].count("degraded") or daemon.said().count(
            "permission denied"
        )
        place.chmod(0o755)
        with file.open("ab") as out:
            out.write(lines(range(15, 20)))
        daemon.wait_for(range(20), seconds=20)
        assert daemon.stop() == 0
    daemon.check_ids()
    assert len(daemon.alerts()) == 20  # none was sent twice


def test_a_full_disk_under_the_state(tmp_path: Path) -> None:
    """On a disk of 64 KiB either the start fails with a clear error, or alerts go on; with room it
    recovers by itself.
    """
    place, home = tmp_path / "log", tmp_path / "run"
    place.mkdir()
    (home / "state").mkdir(parents=True)
    wrap = shell(f"mount -t tmpfs -o size=64k none '{home / 'state'}'", "--mount")
    daemon = Daemon(home, place, wrap=wrap)
    daemon.launch()
    with daemon_killed(daemon):
        try:
            daemon.wait(lambda: "jwtleak: ready" in daemon.said(), "ready", 10)
        except AssertionError:
            assert "jwtleak: error: " in daemon.said()
            assert "full" in daemon.said() or "no space" in daemon.said()
            assert "Traceback" not in daemon.said()


class daemon_killed:  # noqa: N801 - reads as a verb
    """Kills the daemon at the end of a block."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.daemon.kill()


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    """When the state cannot be written the offsets are held and health says so; with room again all
    is told, once.
    """
    place, home = tmp_path / "log", tmp_path / "run"
    place.mkdir()
    state = home / "state"
    state.mkdir(parents=True)
    wrap = shell(f"mount -t tmpfs -o size=1m none '{state}'", "--mount")
    daemon = Daemon(home, place, wrap=wrap)
    nsenter = program("nsenter")
    with daemon:
        inside = [nsenter, f"--target={daemon.pid}", "--mount"]
        file = place / "app.log"
        file.write_bytes(lines(range(5)))
        daemon.wait_for(range(5))
        subprocess.run(
            [
                *inside,
                "sh",
                "-c",
                f"dd if=/dev/zero of='{state}/ballast' bs=1k 2>/dev/null || true",
            ],
            check=True,
        )
        file.write_bytes(lines(range(2000)))
        daemon.wait(lambda: "degraded" in daemon.get("/readyz")[1], "a word of trouble")
        assert daemon.get("/healthz")[0] == 200
        subprocess.run([*inside, "rm", f"{state}/ballast"], check=True)
        subprocess.run([*inside, "mount", "-o", "remount,size=64m", str(state)], check=True)
        daemon.wait_for(range(2000))
        daemon.wait(lambda: "degraded" not in daemon.get("/readyz")[1], "the end of trouble", 20)
        assert daemon.stop() == 0
    daemon.check_ids()


@pytest.mark.parametrize("jump", ["+1h", "-1h"])
def test_a_clock_that_jumps(tmp_path: Path, jump: str) -> None:
    """When the clock of the machine is set by an hour, lines are found as fast as before, and ids
    stay.
    """
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        missing("libfaketime")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    env = {
        "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1", "NO_FAKE_STAT": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    file = tmp_path / "app.log"
    file.touch()
    with Daemon(tmp_path / "run", file, env=env) as daemon:
        for number, moment in enumerate(["+0", jump, "+0", jump]):
            clock.write_text(moment)
            with file.open("ab") as out:
                out.write(lines([number]))
            daemon.wait_for([number], seconds=10)
        hours = {one["detected_at"][:13] for one in daemon.alerts()}
        assert len(hours) >= 2
        daemon.kill()
        daemon.start()
        with file.open("ab") as out:
            out.write(lines([4]))
        daemon.wait_for(range(5), seconds=10)
        assert daemon.stop() == 0
    daemon.check_ids()


def test_a_directory_that_is_removed_and_made_again(tmp_path: Path) -> None:
    """A directory that vanishes and comes back is followed again, and everything else goes on."""
    places = directories(tmp_path, 3)
    with Daemon(tmp_path / "run", tmp_path / "log") as daemon:
        shutil.rmtree(places[0])
        with (places[1] / "app.log").open("ab") as out:
            out.write(lines([1]))
        daemon.wait_for([1])
        places[0].mkdir()
        (places[0] / "app.log").write_bytes(lines([2]))
        daemon.wait_for([2], seconds=15)
        assert daemon.stop() == 0
    daemon.check_ids()
