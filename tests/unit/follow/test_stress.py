"""Logs that are written and rotated twice a second in real time, with events."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from followed import Driver

LOGS, SECONDS, KEPT = 3, 6.0, 4


def rotate(log: Path, how: str) -> None:
    """Once, as `logrotate` with `rotate 3`."""
    if how != "delete":
        for number in range(KEPT - 1, 0, -1):
            old = log.with_name(f"{log.name}.{number}")
            if number == KEPT - 1:
                old.unlink(missing_ok=True)
            elif old.exists():
                old.rename(log.with_name(f"{log.name}.{number + 1}"))
    if how == "rename":
        log.rename(log.with_name(f"{log.name}.1"))
    elif how == "delete":
        log.unlink()
    else:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


def write(log: Path, how: str, written: list[bytes]) -> None:
    """Write 500 lines a second and rotate twice; nothing is written within a copytruncate."""
    end, turn = time.monotonic() + SECONDS, time.monotonic() + 0.5
    while time.monotonic() < end:
        with log.open("ab") as file:
            for _ in range(10):
                written.append(
                    f"{log.name} {len(written):07d} a line that is long enough to be one\n".encode()
                )
                file.write(written[-1])
        if time.monotonic() > turn:
            turn += 0.5
            rotate(log, how)
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["?.log", "?.log*"])
@pytest.mark.parametrize("how", ["rename", "delete", "copytruncate"])
def test_nothing_is_lost(tmp_path: Path, how: str, pattern: str) -> None:
    """Every line is read, once."""
    driver = Driver(tmp_path / pattern)
    driver.follower._clock = time.monotonic
    driver.follower.start()
    written: list[list[bytes]] = [[] for _ in range(LOGS)]
    writers = [
        threading.Thread(target=write, args=(tmp_path / f"{number}.log", how, written[number]))
        for number in range(LOGS)
    ]
    for writer in writers:
        writer.start()
    try:
        quiet = 0
        while quiet < 60 or any(writer.is_alive() for writer in writers):
            events = driver.poll(0)
            driver.read()
            quiet = 0 if events else quiet + 1
            driver.follower.wait(0.05)
    finally:
        for writer in writers:
            writer.join()
        driver.close()
    expected = sorted(line for lines in written for line in lines)
    assert sorted(driver.text().splitlines(keepends=True)) == expected
    assert driver.follower.stats().bytes_lost == 0
