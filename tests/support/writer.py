"""Writes numbered lines into a log at a steady rate and rotates it: a program of its own, so that
it never waits for a test.

    python writer.py FILE --rate 500 --seconds 5 --rotate rename|delete|copytruncate --every 0.5 [--name w] [--sparse 10]

Prints, at the end, JSON: how many lines were written, which numbers hold a token, and which of them
were written between the copy and the cut of a copytruncate.
"""  # noqa: E501

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent))

from daemon import line

# Lines that a copytruncate loses each time: written after the copy, before the cut.
BETWEEN = 3
_TICK = 0.01


class Writer:
    """One log and its rotations."""

    def __init__(self, path: Path, rotate: str, name: str, sparse: int) -> None:
        self.path, self.rotate_by, self.name, self.sparse = path, rotate, name, sparse
        self.count = self.generation = 0
        self.between: list[int] = []
        self._open()

    def _open(self) -> None:
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, lines: int) -> None:
        """The next lines, in one write each, as programs that log do."""
        for _ in range(lines):
            os.write(
                self._file,
                line(self.count, self.name) if self.count % self.sparse == 0 else self._plain(),
            )
            self.count += 1

    def _plain(self) -> bytes:
        return f"2026-01-15T12:00:01Z {self.name} line {self.count} without anything of interest in it\n".encode()  # noqa: E501

    def rotate(self) -> None:
        """One rotation. What was rotated away stays, under a name of its own."""
        old = self.path.with_name(f"{self.path.name}.{self.generation:06}")
        self.generation += 1
        if self.rotate_by == "copytruncate":
            shutil.copyfile(self.path, old)
            first = self.count
            self.write(BETWEEN)
            self.between += [
                number for number in range(first, self.count) if number % self.sparse == 0
            ]
            os.ftruncate(self._file, 0)
            return
        if self.rotate_by == "rename":
            os.rename(self.path, old)
        else:
            os.unlink(self.path)
        os.close(self._file)
        self._open()

    def run(self, rate: int, seconds: float, every: float) -> None:
        """Write for `seconds`, and rotate each `every` of them."""
        began = time.monotonic()
        rotated = began
        while (now := time.monotonic()) < began + seconds:
            # Behind by more than a second (a busy machine): what was missed is not made up for in
            # one burst.
            due = int((now - began) * rate) - self.count
            self.write(min(due, rate))
            if every and now - rotated >= every:
                self.rotate()
                rotated = now
            time.sleep(_TICK)
        os.close(self._file)


def main() -> None:
    """Write as the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rotate", choices=("rename", "delete", "copytruncate"), default="rename")
    parser.add_argument("--every", type=float, default=0.5)
    parser.add_argument("--name", default="w")
    parser.add_argument("--sparse", type=int, default=1, help="a token in each line of so many")
    given = parser.parse_args()
    writer = Writer(given.file, given.rotate, given.name, given.sparse)
    writer.run(given.rate, given.seconds, given.every)
    json.dump(
        {
            "lines": writer.count,
            "tokens": list(range(0, writer.count, given.sparse)),
            "between": writer.between,
            "rotations": writer.generation,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
