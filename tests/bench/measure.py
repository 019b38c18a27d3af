"""Measuring: commands and loops timed in turn, the best time of each, and the peak memory of every
process of a command.

Promises: the sides of a ratio are interleaved within one run, so that what else the machine does
falls on both. Limits: Linux keeps the peak memory of a process over `exec`, so a command's peak is
never below this process's own.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# Bytes of a command's output kept: peers end with a summary.
_KEPT = 4096


class Run(NamedTuple):
    """One run of a command: wall and processor time, peak resident bytes of its largest process,
    exit status, output.
    """

    seconds: float
    cpu: float
    peak: int
    status: int
    output: str


class Best(NamedTuple):
    """The best wall and processor times of a side over all rounds, and the highest peak memory."""

    seconds: float
    cpu: float
    peak: int


def run(command: Sequence[str]) -> Run:
    """Run `command` to its end. A process and all it waited for are in the peak (`wait4`)."""
    # An installed program has its bytecode; without this, a checkout would be compiled anew in
    # every run.
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    null = subprocess.DEVNULL
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdin=null, stdout=subprocess.PIPE, stderr=null, env=environment
    ) as child:
        assert child.stdout is not None
        kept = b""
        while part := child.stdout.read(1 << 16):
            kept = (kept + part)[-_KEPT:]
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024
    cpu = usage.ru_utime + usage.ru_stime
    return Run(
        seconds, cpu, usage.ru_maxrss * unit, child.returncode, kept.decode("utf-8", "replace")
    )


def interleaved(sides: Mapping[str, Callable[[], Run]], rounds: int) -> dict[str, Best]:
    """The best of `rounds` runs of each side; all sides run once before any runs again."""
    runs: dict[str, list[Run]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            runs[name].append(side())
    return {
        name: Best(
            min(one.seconds for one in all_),
            min(one.cpu for one in all_),
            max(one.peak for one in all_),
        )
        for name, all_ in runs.items()
    }


def warm(path: Path) -> None:
    """Read what is at `path`, so that it is in the page cache."""
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    buffer = bytearray(1 << 20)
    for one in files:
        with one.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def jwtleak(*arguments: str) -> list[str]:
    """The command line of jwtleak under this Python."""
    return [sys.executable, "-m", "jwtleak", *arguments]


def scan(path: Path, jobs: int | None = None) -> list[str]:
    """`jwtleak scan` of `path` with its alerts written to a file that forgets them."""
    chosen = [] if jobs is None else ["--jobs", str(jobs)]
    return jwtleak(
        "scan", *chosen, "--no-progress", "--format", "json", "--output", os.devnull, str(path)
    )


def kingfisher(path: Path) -> list[str]:
    """Kingfisher with its JWT rule alone, nothing validated, all its threads."""
    quiet = ["--no-validate", "--no-update-check", "--format", "json", "-o", os.devnull]
    return ["kingfisher", "scan", str(path), "--rule", "betterleaks.jwt", *quiet]


REGEX = r"eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"


def ripgrep(path: Path, *options: str) -> list[str]:
    """ripgrep counting the lines with a token."""
    return ["rg", "--no-config", *options, "-c", REGEX, str(path)]


def loops(which: str, path: Path, rounds: int) -> dict[str, float]:
    """Seconds of the loops of `loops.py`, interleaved in one process of their own."""
    script = Path(__file__).with_name("loops.py")
    done = subprocess.run(
        [sys.executable, str(script), which, str(path), str(rounds)],
        check=True,
        capture_output=True,
        text=True,
    )
    return {name: float(seconds) for name, seconds in json.loads(done.stdout).items()}


def missing() -> list[str]:
    """The peers that are not on PATH."""
    return [name for name in ("kingfisher", "rg", "zcat", "zgrep") if shutil.which(name) is None]


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [
        row.partition(":")[2].strip() for row in text.splitlines() if row.startswith("model name")
    ]
    return names[0] if names else platform.machine()


def _version(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return f"{command[0]}: missing"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).splitlines()[0].strip()


def machine() -> list[str]:
    """What the figures depend on."""
    return [
        f"CPU: {_cpu()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        f"Python {platform.python_version()} ({platform.python_implementation()})",
        _version(*jwtleak("--version")),
        _version("kingfisher", "--version"),
        _version("rg", "--version"),
    ]
