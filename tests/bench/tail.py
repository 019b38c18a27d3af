"""Measures the daemon: latency, throughput, idle files, a restart, a soak. Prints a Markdown table.

    python tests/bench/tail.py [--dir DIR] [--only latency,throughput,idle,restart,soak] [--soak SECONDS] [--small]

Drives the real process. Processor time is that of the daemon alone (`/proc/PID/stat`), so what else
the machine does falls on the wall clock only. Linux only.
"""  # noqa: E501

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

if not __package__:
    _TESTS = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(_TESTS), str(_TESTS / "support")]

from bench.measure import machine
from daemon import Daemon, line

_WRITER = Path(__file__).resolve().parents[1] / "support" / "writer.py"
_TICK = os.sysconf("SC_CLK_TCK")


class Row(NamedTuple):
    """One line of the table."""

    what: str
    target: str
    figure: str
    note: str = ""


class Sizes(NamedTuple):
    """How much is done."""

    lines: int = 400
    bytes: int = 4 << 30
    idle: int = 10_000
    idle_seconds: float = 30.0
    tracked: int = 50_000


SMALL = Sizes(50, 64 << 20, 500, 3.0, 1000)


def cpu(pid: int) -> float:
    """Seconds of processor time of a process and its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def memory(pid: int) -> float:
    """Resident MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def descriptors(pid: int) -> int:
    """Open files."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def append(path: Path, data: bytes) -> None:
    """Write at the end."""
    with path.open("ab", buffering=0) as file:
        file.write(data)


def latency(place: Path, sizes: Sizes) -> Iterator[Row]:
    """From the end of `write` to the alert being in the sink's file, one line at a time."""
    for name, options in (("events", ()), ("polling", ("--poll",))):
        home = place / name
        home.mkdir()
        log = home / "app.log"
        log.touch()
        with Daemon(home / "run", log, options=options) as daemon:
            told = sorted(
                _one(daemon, log, number)
                for number in range(sizes.lines if name == "events" else sizes.lines // 8)
            )
        p99 = told[int(len(told) * 0.99)]
        target = "p99 < 20 ms" if name == "events" else "-"
        figure = f"p50 {statistics.median(told) * 1000:.1f}, p99 {p99 * 1000:.1f} ms"
        yield Row(
            f"append to alert, {name}",
            target,
            figure,
            f"{len(told)} lines, max {told[-1] * 1000:.0f} ms",
        )


def _one(daemon: Daemon, log: Path, number: int) -> float:
    data = line(number)
    before = daemon.out.stat().st_size if daemon.out.exists() else 0
    time.sleep(0.05)
    append(log, data)
    began = time.perf_counter()
    while not _behind(daemon.out, before).endswith(
        b"\n"
    ):  # a write that crosses a page is seen in two halves
        time.sleep(0.0002)
        if time.perf_counter() - began > 30:
            raise TimeoutError("no alert")
    return time.perf_counter() - began


def _behind(path: Path, offset: int) -> bytes:
    """What stands in a file from there on; nothing where there is none."""
    if not path.exists():
        return b""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read()


def throughput(place: Path, sizes: Sizes) -> Iterator[Row]:
    """One file that grows as fast as it can be written, without a token in it."""
    log = place / "app.log"
    log.touch()
    text = b"".join(
        b'192.0.2.%d - - [15/Jan/2026:12:00:01 +0000] "GET /items/%d?page=%d HTTP/1.1" 200 %d "-" "agent"\n'  # noqa: E501
        % (number % 250, number, number % 17, number * 7)
        for number in range(10_000)
    )
    with Daemon(place / "run", log) as daemon, log.open("ab", buffering=0) as file:
        before, began, written = cpu(daemon.pid), time.perf_counter(), 0
        while written < sizes.bytes:
            written += file.write(text * 16)
            while (
                written - daemon.metric("jwtleak_bytes_read_total") > 256 << 20
            ):  # stay in the page cache
                time.sleep(0.05)
        daemon.wait(
            lambda: daemon.metric("jwtleak_bytes_read_total") >= written, "all bytes", 300, 0.05
        )
        wall, used = time.perf_counter() - began, cpu(daemon.pid) - before
    log.unlink()
    figure = f"{written / used / 1e6:,.0f} MB/s of processor time"
    yield Row(
        "one growing file without tokens",
        "300 MB/s",
        figure,
        f"{written / wall / 1e6:,.0f} MB/s beside its writer",
    )


def _files(place: Path, count: int) -> Path:
    logs = place / "log"
    for number in range(count):
        if number % 100 == 0:
            (logs / f"{number // 100:03}").mkdir(parents=True)
        (logs / f"{number // 100:03}" / f"{number}.log").write_bytes(
            b"2026-01-15T12:00:01Z started as %d\n" % number
        )
    return logs


def idle(place: Path, sizes: Sizes) -> Iterator[Row]:
    """Many files in which nothing happens."""
    logs = _files(place, sizes.idle)
    for name, options in (("events", ()), ("polling", ("--poll",))):
        with Daemon(place / name, logs, options=options) as daemon:
            daemon.wait(
                lambda: daemon.metric("jwtleak_files_followed") == sizes.idle, "all files", 300, 0.5
            )
            time.sleep(sizes.idle_seconds / 4)
            before, began = cpu(daemon.pid), time.perf_counter()
            time.sleep(sizes.idle_seconds)
            share = (cpu(daemon.pid) - before) / (time.perf_counter() - began)
            figure = f"{share * 100:.1f} % of a core, {memory(daemon.pid):.0f} MB"
        yield Row(
            f"{sizes.idle:,} idle files, {name}",
            "< 3 %, < 150 MB",
            figure,
            f"over {sizes.idle_seconds:.0f} s",
        )


def restart(place: Path, sizes: Sizes) -> Iterator[Row]:
    """Start with a state that holds a cursor for each of many files."""
    logs = _files(place, sizes.tracked)
    daemon = Daemon(place / "run", logs)
    with daemon:
        daemon.wait(
            lambda: daemon.metric("jwtleak_files_followed") == sizes.tracked, "all files", 300, 0.5
        )
        daemon.wait(lambda: daemon.metric("jwtleak_lag_bytes") == 0, "all bytes", 300, 0.5)
        daemon.stop()
        began = time.perf_counter()
        daemon.start()
        wall, used = time.perf_counter() - began, cpu(daemon.pid)
        held = memory(daemon.pid)
    note = f"{used:.1f} s of processor time, {held:.0f} MB"
    yield Row(f"restart with {sizes.tracked:,} files", "< 5 s", f"{wall:.1f} s until ready", note)


def soak(place: Path, sizes: Sizes, seconds: float) -> Iterator[Row]:
    """Three logs that are written to and rotated, for long: memory and open files stay."""
    logs = place / "log"
    logs.mkdir()
    kinds = ("rename", "delete", "copytruncate")
    for kind in kinds:
        (logs / f"{kind}.log").touch()
    with Daemon(place / "run", logs / "*.log") as daemon:
        writers = [
            subprocess.Popen(
                [
                    sys.executable,
                    str(_WRITER),
                    str(logs / f"{kind}.log"),
                    "--rate",
                    "500",
                    "--seconds",
                    str(seconds),
                    "--rotate",
                    kind,
                    "--every",
                    "2",
                    "--name",
                    kind,
                    "--sparse",
                    "50",
                ],
                stdout=subprocess.DEVNULL,
            )
            for kind in kinds
        ]
        seen: list[tuple[float, int]] = []
        try:
            while any(one.poll() is None for one in writers):
                time.sleep(max(0.5, seconds / 60))
                seen.append((memory(daemon.pid), descriptors(daemon.pid)))
                for old in sorted(logs.glob("*.log.*"))[
                    :-30
                ]:  # as a rotation that keeps ten of each
                    old.unlink(missing_ok=True)
        finally:
            for one in writers:
                one.kill()
                one.wait()
        lost = daemon.metric("jwtleak_bytes_lost_total")
    rest = seen[len(seen) // 4 :]
    half = len(rest) // 2
    early, late = (
        statistics.fmean(one for one, _ in rest[:half]),
        statistics.fmean(one for one, _ in rest[half:]),
    )
    figure = f"{early:.0f} MB, then {late:.0f} MB; {rest[0][1]}, then {rest[-1][1]} open files"
    note = f"highest {max(one for one, _ in seen):.0f} MB, {max(one for _, one in seen)} open files; {lost:.0f} bytes lost"  # noqa: E501
    yield Row(f"soak of {seconds:.0f} s", "flat", figure, note)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--only", default="latency,throughput,idle,restart,soak")
    parser.add_argument("--soak", type=float, default=900.0)
    parser.add_argument(
        "--small", action="store_true", help="a few seconds of each; figures mean nothing"
    )
    given = parser.parse_args()
    sizes = SMALL if given.small else Sizes()
    rows: dict[str, Callable[[Path], Iterator[Row]]] = {
        "latency": lambda place: latency(place, sizes),
        "throughput": lambda place: throughput(place, sizes),
        "idle": lambda place: idle(place, sizes),
        "restart": lambda place: restart(place, sizes),
        "soak": lambda place: soak(place, sizes, given.soak),
    }
    print("| what | target | figure | detail |\n| --- | --: | --: | --- |")
    for name in given.only.split(","):
        place = Path(tempfile.mkdtemp(prefix="jwtleak-tail-", dir=given.dir))
        try:
            for row in rows[name](place):
                print(f"| {' | '.join(row)} |", flush=True)
        finally:
            shutil.rmtree(place)
    print("\n" + "\n".join(f"- {fact}" for fact in machine()))


if __name__ == "__main__":
    main()
