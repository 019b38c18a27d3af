"""Every way in which logrotate rotates, by the program itself, with file events and by polling."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from daemon import Daemon, lines
from programs import program

pytestmark = [pytest.mark.slow, pytest.mark.receivers]

MODES = {
    "create": "create 0644",
    "create, compress": "create 0644\ncompress",
    "create, delaycompress": "create 0644\ncompress\ndelaycompress",
    "copytruncate": "copytruncate",
    "copytruncate, compress": "copytruncate\ncompress",
}
WATCHING = {"events": (), "polling": ("--poll",)}
BATCH = 15
# A file that is cut keeps its inode: of two cuts between two looks the second cannot be told from
# the first. Logs are rotated once an hour, not twice a second; renamed ones may be rotated as fast
# as one likes.
PAUSE = {"events": 0.5, "polling": 2.0}


class Log:
    """A log that is written to through one descriptor, as a server does, and rotated by
    logrotate.
    """

    def __init__(self, directory: Path, mode: str) -> None:
        self.mode = mode
        self.directory = directory / "log"
        self.directory.mkdir(mode=0o755)
        self.path = self.directory / "app.log"
        self.path.touch(0o644)
        self.count = 0
        self._conf, self._state = directory / "rotate.conf", directory / "rotate.state"
        self._conf.write_text(f"{self.path} {{\nrotate 20\nsize 1\nmissingok\n{MODES[mode]}\n}}\n")
        self._conf.chmod(0o644)
        self._file = self.path.open("ab", buffering=0)

    def write(self, count: int = BATCH) -> None:
        """So many lines more."""
        self._file.write(lines(range(self.count, self.count + count)))
        self.count += count

    def rotate(self) -> None:
        """logrotate, now."""
        subprocess.run(
            [program("logrotate"), "-f", "-s", self._state, self._conf],
            check=True,
            capture_output=True,
        )

    def reopen(self) -> None:
        """What a server does when it is told that its log was rotated."""
        self.close()
        self._file = self.path.open("ab", buffering=0)

    def close(self) -> None:
        """The server ends."""
        self._file.close()


@pytest.fixture(params=MODES)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    """A log that is rotated in one of the modes."""
    one = Log(tmp_path, request.param)
    yield one
    one.close()


@pytest.mark.parametrize("followed", ["file", "directory"])
@pytest.mark.parametrize("watching", WATCHING)
def test_rotation_while_it_follows(log: Log, tmp_path: Path, watching: str, followed: str) -> None:
    """Four rotations, with lines just before, just after, and late ones into the file that was
    moved: each token has one alert.
    """
    target = log.path if followed == "file" else log.directory
    with Daemon(tmp_path / "run", target, options=WATCHING[watching]) as daemon:
        log.write()
        daemon.wait_for(range(log.count))
        for _ in range(4):
            if log.mode.startswith("copytruncate"):
                time.sleep(PAUSE[watching])
            log.write()
            log.rotate()
            if log.mode in ("create", "create, delaycompress"):
                log.write(3)
            log.reopen()
            log.write()
        daemon.wait_for(range(log.count), seconds=30)
        assert daemon.stop() == 0
    daemon.check_ids()
    assert len(daemon.ids()) == log.count


@pytest.mark.parametrize("watching", WATCHING)
def test_rotation_while_it_is_down(log: Log, tmp_path: Path, watching: str) -> None:
    """Killed, then written to and rotated twice: the rest of the old file, the one in between and
    the new one are read.
    """
    options: Sequence[str] = WATCHING[watching]
    daemon = Daemon(tmp_path / "run", log.path, options=options)
    with daemon:
        log.write()
        daemon.wait_for(range(log.count), seconds=30)
        log.write(5)
        daemon.kill()
        for _ in range(2):
            log.write()
            log.rotate()
            log.reopen()
        log.write()
        daemon.start()
        daemon.wait_for(range(log.count), seconds=30)
        assert daemon.stop() == 0
    daemon.check_ids()
    assert len(daemon.ids()) == log.count
