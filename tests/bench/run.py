"""Compares jwtleak with its peers and with what the machine can do, and prints a Markdown table.

    python tests/bench/run.py [--dir DIR] [--smoke] [--rounds N] [--only ROW,...] [--write]

Installs nothing; peers (kingfisher, rg) are taken from PATH and named where they are missing. Each
figure is a ratio within one run. Data is made in DIR (3 GB; 50 MB with --smoke) and kept there for
the next run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

if not __package__:
    _TESTS = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(_TESTS), str(_TESTS / "support")]

from bench import measure
from bench.rows import ROWS, Bench, Row, Wrong

REPORT = Path(__file__).resolve().parents[2] / "docs" / "design" / "measurements.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
_MET = {True: "yes", False: "**no**", None: "-"}


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    head = "| what | target | figure | met | detail |\n| --- | --: | --: | --- | --- |\n"
    return head + "".join(
        f"| {row.name} | {row.target} | {row.figure} | {_MET[row.met]} | {row.note} |\n"
        for row in rows
    )


def report(rows: Sequence[Row], facts: Sequence[str], command: str, missing: Sequence[str]) -> str:
    """The table, what it depends on and how to repeat it."""
    lines = [f"- {fact}" for fact in facts]
    if missing:
        lines.append(f"- missing: {', '.join(missing)}")
    return f"{table(rows)}\n" + "\n".join(lines) + f"\n\nRepeat with `{command}`.\n"


def put_between(text: str, new: str) -> str:
    """`text` with what stands between the markers replaced."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the markers are missing")
    return f"{before}{BEGIN}\n\n{new}\n{END}{after}"


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()) / "jwtleak-bench")
    parser.add_argument(
        "--smoke", action="store_true", help="1/64 of each size, one round; figures mean nothing"
    )
    parser.add_argument("--rounds", type=int, help="how often each side runs (5; with --smoke 1)")
    parser.add_argument("--only", default=",".join(ROWS), help="rows: " + ", ".join(ROWS))
    parser.add_argument(
        "--write", action="store_true", help="put the table into docs/design/measurements.md"
    )
    return parser.parse_args(argv)


def _measured(bench: Bench, names: Sequence[str], *, smoke: bool) -> Iterator[Row]:
    for name in names:
        for row in ROWS[name](bench):
            print(
                f"{row.name}: {row.figure} (target {row.target}) {row.note}",
                file=sys.stderr,
                flush=True,
            )
            yield row._replace(met=None) if smoke else row


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, perhaps write. 1 if something that was measured did not find its tokens."""
    given = _arguments(argv)
    bench = Bench(given.dir, smoke=given.smoke, rounds=given.rounds or (1 if given.smoke else 5))
    try:
        rows = list(_measured(bench, given.only.split(","), smoke=given.smoke))
    except Wrong as error:
        print(f"wrong: {error}", file=sys.stderr)
        return 1
    command = "python tests/bench/run.py" + " --smoke" * given.smoke
    text = report(rows, measure.machine(), command, bench.missing)
    print(text)
    if given.write:
        REPORT.write_text(put_between(REPORT.read_text(encoding="utf-8"), text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
