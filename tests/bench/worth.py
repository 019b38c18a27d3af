"""What it costs to say what tokens are worth: the same work with the tables and without, as a ratio
of processor time.

    python tests/bench/worth.py [--smoke] [--rounds N]

Two logs: one with a distinct token in every third line, and one that repeats a few hundred tokens.
Each side runs in a process of its own, in turn, and the best of all rounds counts. Targets: with
the tables at least 70 % of the rate without them for distinct tokens, and no loss that can be
measured (90 %) for repeated ones.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

if not __package__:
    _TESTS = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(_TESTS), str(_TESTS / "support")]

from bench.data import MB, dense
from bench.rows import Row, share

_SIZE = 24 * MB
_REPEATED = 256

# One side: scans the file and prints alerts and seconds of processor time. The tables are loaded
# before the clock starts: what they cost once is measured by `start`.
_SIDE = """
import gc, sys, time
from jwtleak.alerts.builder import AlertContext
from jwtleak.core.channel import Channels
from jwtleak.patterns import load_channels, load_tables, load_user_patterns
from jwtleak.runtime.scan.worker import Alerts, Files, Plan, ScanWorker
from jwtleak.sources.interface import ArchiveLimits
path, tables = sys.argv[1], sys.argv[2] == "on"
if tables:
    load_tables()
plan = Plan(
    alert_context=AlertContext(1768478400, "bench", b"k" * 32, load_tables=load_tables if tables else None),
    limits=ArchiveLimits(), channels=Channels(load_channels()), patterns=load_user_patterns(()),
    every=True, max_token=65536,
)
worker = ScanWorker(plan)
gc.set_threshold(50_000, 20, 100)
began = time.process_time()
count = sum(len(m.alerts) for m in worker.run(Files(0, (path,), 0)) if isinstance(m, Alerts))
print(count, time.process_time() - began)
"""  # noqa: E501


def side(path: Path, tables: str) -> tuple[int, float]:
    """(Alerts, seconds of processor time) of one run."""
    done = subprocess.run(
        [sys.executable, "-c", _SIDE, str(path), tables], capture_output=True, check=True, text=True
    )
    count, seconds = done.stdout.split()
    return int(count), float(seconds)


def repeated(seed: int, size: int) -> Iterator[bytes]:
    """The lines of the first few hundred tokens, again and again."""
    parts = []
    for part in dense(seed, size):
        parts.append(part)
        if len(parts) == _REPEATED:
            break
    block = b"".join(parts)
    for _ in range(max(1, size // len(block))):
        yield block


def rows(size: int, rounds: int) -> Iterator[Row]:
    """The two ratios."""
    with tempfile.TemporaryDirectory() as folder:
        for name, make, target in (("distinct", dense, 70), ("repeated", repeated, 90)):
            path = Path(folder, f"{name}.log")
            with path.open("wb") as file:
                file.writelines(make(3, size))
            runs = {tables: [] for tables in ("on", "off")}
            for _ in range(rounds):
                for tables in runs:
                    runs[tables].append(side(path, tables))
            counts = {count for all_ in runs.values() for count, _ in all_}
            if len(counts) != 1 or counts == {0}:
                raise SystemExit(f"wrong: {name}: {sorted(counts)} alerts")
            best = {tables: min(seconds for _, seconds in all_) for tables, all_ in runs.items()}
            (count,) = counts
            note = f"{count:,} alerts; processor {best['on']:.2f} s : {best['off']:.2f} s"
            yield share(
                f"{name} tokens: rate with the tables : without",
                100 * best["off"] / best["on"],
                target,
                note,
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a target is missed in a full run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--smoke", action="store_true", help="1/32 of the size, one round; figures mean nothing"
    )
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(argv)
    made = list(rows(_SIZE // 32 if given.smoke else _SIZE, 1 if given.smoke else given.rounds))
    for row in made:
        print(
            f"| {row.name} | {row.target} | {row.figure} | {'yes' if row.met else 'no'} | {row.note} |"  # noqa: E501
        )
    return 0 if given.smoke or all(row.met for row in made) else 1


if __name__ == "__main__":
    sys.exit(main())
