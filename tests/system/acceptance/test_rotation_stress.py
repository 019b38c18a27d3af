"""Rotation twice a second under steady writers, and kill -9 at random: nothing readable is lost, no
second id.

Runs for some seconds; with JWTLEAK_FULL=1 for as long as the promise says: 60 s of five writers,
200 kills.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import daemon
import pytest
from daemon import FULL, Daemon, lines, token
from minting import sha256

pytestmark = pytest.mark.slow

WRITER = Path(daemon.__file__).with_name("writer.py")
SECONDS = 60 if FULL else 5
WRITERS = 5
KILLS = 200 if FULL else 6
# In the end the backlog of all writers is still to be read, and 100,000 alerts to be delivered.
PATIENCE = 600.0 if FULL else 240.0


def start(file: Path, *options: object) -> subprocess.Popen[str]:
    """A writer of `file`."""
    command = [sys.executable, str(WRITER), str(file), *map(str, options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def result(writer: subprocess.Popen[str]) -> dict[str, Any]:
    """What a writer wrote, when it has ended."""
    told, _ = writer.communicate(timeout=PATIENCE)
    assert writer.returncode == 0
    written: dict[str, Any] = json.loads(told)
    return written


def check(daemon: Daemon, written: dict[str, dict[str, Any]]) -> int:
    """Every token has its alert, but for those that nobody could read; one id each. How many are
    missing.
    """
    for name, one in written.items():
        daemon.wait_for(set(one["tokens"]) - set(one["between"]), name, PATIENCE)
    daemon.check_ids()
    expected = {
        sha256(token(number, name)) for name, one in written.items() for number in one["tokens"]
    }
    assert daemon.ids().keys() <= expected
    return len(expected) - len(daemon.ids())


@pytest.mark.parametrize("rotate", ["rename", "delete", "copytruncate"])
def test_five_writers_that_rotate_twice_a_second(tmp_path: Path, rotate: str) -> None:
    """All is found after rename and delete; after copytruncate all but what was written between
    copy and cut.
    """
    logs = tmp_path / "log"
    logs.mkdir()
    files = {f"w{number}": logs / f"app{number}.log" for number in range(WRITERS)}
    for file in files.values():
        file.touch()
    with Daemon(tmp_path / "run", logs / "*.log") as daemon:
        writers = {
            # A token in each fifth line: 500 alerts a second are a leak that nobody has seen yet.
            name: start(
                file,
                "--rate",
                500,
                "--seconds",
                SECONDS,
                "--rotate",
                rotate,
                "--name",
                name,
                "--sparse",
                5,
            )
            for name, file in files.items()
        }
        written = {name: result(writer) for name, writer in writers.items()}
        missing = check(daemon, written)
        lost = daemon.metric("jwtleak_bytes_lost_total")
        assert daemon.stop() == 0
    between = sum(len(lines(one["between"], name)) for name, one in written.items())
    assert between or not missing
    assert lost <= between * 5  # plain lines stand beside those with a token
    assert sum(one["rotations"] for one in written.values()) >= WRITERS * SECONDS


@pytest.mark.parametrize("rotate", ["rename", "copytruncate"])
@pytest.mark.parametrize("options", [(), ("--poll",)], ids=["events", "polling"])
def test_kill_at_random(tmp_path: Path, rotate: str, options: Sequence[str]) -> None:
    """Killed at any moment, again and again, under a writer that rotates: nothing is lost, and each
    alert keeps its id.
    """
    chance = random.Random(rotate)
    file = tmp_path / "app.log"
    file.touch()
    daemon = Daemon(tmp_path / "run", file, options=options)
    with daemon:
        seconds = KILLS * 1.5
        writer = start(
            file,
            "--rate",
            1000,
            "--seconds",
            seconds,
            "--rotate",
            rotate,
            "--every",
            1,
            "--sparse",
            10,
        )
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.0, 0.6))
            daemon.kill()
            if chance.random() < 0.3:
                time.sleep(chance.uniform(0.0, 0.5))
            if chance.random() < 0.3:  # killed before it is ready
                daemon.launch()
                time.sleep(chance.uniform(0.0, 0.3))
                daemon.kill()
            daemon.start()
        written = result(writer)
        check(daemon, {"w": written})
        assert daemon.stop() == 0
