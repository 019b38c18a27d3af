"""The bench of sinks runs; its figures are for people."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_it_measures_every_sink() -> None:
    """Each row has a figure; an alert that is not taken would fail it."""
    command = [
        sys.executable,
        str(Path(__file__).parent / "sinks.py"),
        "--count",
        "300",
        "--rounds",
        "1",
    ]
    done = subprocess.run(command, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    rows = [line.split("|")[1].strip() for line in done.stdout.decode().splitlines()[2:]]
    assert rows == ["file", "file-ecs", "syslog", "bulk", "otlp"]
