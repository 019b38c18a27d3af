"""The loops that the engine is held against, timed in turn in one process: bare reading, reading
and detecting.

Run by `measure.loops` as `python loops.py plain|gzip FILE ROUNDS`; prints the best seconds of each
as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

READ_SIZE = 1 << 20


def _read(open_: Callable[[], Any]) -> None:
    buffer = memoryview(bytearray(READ_SIZE))
    with open_() as file:
        while file.readinto(buffer):
            pass


def _detect(open_: Callable[[], Any], engine: Any) -> int:
    engine.open()
    found = 0
    with open_() as file:
        while count := file.readinto(engine.get_buffer()):
            found += len(engine.buffer_updated(count))
    return found + len(engine.close())


def main(which: str, path: str, rounds: int) -> dict[str, float]:
    """The best seconds of `read` and `detect`, each run `rounds` times, in turn."""
    from isal import igzip

    from jwtleak.core.channel import Channels
    from jwtleak.core.engine import Engine
    from jwtleak.patterns import load_channels

    engine = Engine(Channels(load_channels()))

    def open_() -> Any:
        return igzip.open(path, "rb") if which == "gzip" else open(path, "rb", buffering=0)

    sides: dict[str, Callable[[], object]] = {
        "read": lambda: _read(open_),
        "detect": lambda: _detect(open_, engine),
    }
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(rounds):
        for name, side in sides.items():
            started = time.perf_counter()
            side()
            best[name] = min(best[name], time.perf_counter() - started)
    return best


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
