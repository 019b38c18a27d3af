"""Runs the real program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from minting import NOW


class Result(NamedTuple):
    """What the program did."""

    status: int
    out: bytes
    err: str

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The lines of JSON on standard output."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Result]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of the program: its state below `tmp_path`."""
    keep = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ}
    return {**keep, "XDG_STATE_HOME": str(tmp_path / ".state"), "LANG": "C.UTF-8", "COLUMNS": "120"}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """An empty directory to scan."""
    path = tmp_path / "logs"
    path.mkdir()
    return path


@pytest.fixture
def run(environment: dict[str, str], work: Path) -> Run:
    """`run("scan", ".", stdin=b"...")` in `work`."""

    def run(*args: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> Result:
        command = [sys.executable, "-m", "jwtleak", *args]
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            cwd=work,
            env={**environment, **(env or {})},
            timeout=120,
        )
        return Result(done.returncode, done.stdout, done.stderr.decode())

    return run


@pytest.fixture
def scan(run: Run) -> Run:
    """`run` for `scan` at the moment at which tokens are minted."""

    def scan(*args: str, **more: Any) -> Result:
        return run("scan", f"--now={NOW}", *args, **more)

    return scan
