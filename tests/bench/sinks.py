"""How many alerts a second reach a sink, from the outbox on disk until the last one is struck off.

    python tests/bench/sinks.py [--count N] [--rounds N]

Receivers on loopback are processes of their own. Each figure is the best of the rounds, since other
work on the machine only ever adds time; the processor's time of the sending process stands beside
it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

if not __package__:
    _TESTS = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(_TESTS), str(_TESTS / "support")]

from receiving import Bulk, Bytes, Web
from sending import alert

from jwtleak.alerts.alert import to_json
from jwtleak.runtime.delivery.delivery import Delivery
from jwtleak.sinks.settings import from_url
from jwtleak.store import Commit, OutboxEntry, Store

# (What, URL, alerts a second that are promised)
ROWS = {
    "file": ("file:{dir}/out.jsonl", 20_000),
    "file-ecs": ("file:{dir}/out.jsonl?format=ecs", None),
    "syslog": ("syslog+tcp://127.0.0.1:{bytes}", 5_000),
    "bulk": ("elastic+http://127.0.0.1:{web}", 5_000),
    "otlp": ("otlp+http://127.0.0.1:{plain}", None),
}


class Figure(NamedTuple):
    """Alerts a second by the clock, and by the processor's time."""

    wall: float
    processor: float


def fill(store: Store, sink: str, count: int) -> None:
    """`count` alerts wait for the sink."""
    store.register([sink])
    for first in range(0, count, 5000):
        alerts = [alert(number) for number in range(first, min(first + 5000, count))]
        entries = [
            OutboxEntry(
                id=one.id,
                fingerprint=one.token.sha256,
                severity="high",
                event="leak",
                body=to_json(one),
            )
            for one in alerts
        ]
        store.commit(Commit(alerts=entries, at_ms=1))


def measure(url: str, count: int) -> Figure:
    """Deliver `count` alerts; fails where one is not taken."""
    with tempfile.TemporaryDirectory() as directory, Store.open(Path(directory, "state")) as store:
        settings = from_url(url.replace("{dir}", directory))
        fill(store, settings.title, count)
        delivery = Delivery(store, [settings])
        wall, processor = time.perf_counter(), time.process_time()
        delivery.start()
        left = delivery.close(600)
        took = Figure(time.perf_counter() - wall, time.process_time() - processor)
        (health,) = delivery.health()
        if left or health.sent != count or health.dead:
            raise SystemExit(f"wrong: {url}: {health}")
    return Figure(count / took.wall, count / took.processor)


def receive(ports: Any) -> None:
    """The receivers, in a process of their own, until it is ended."""
    with Bytes() as stream, Web(otherwise=Bulk(forget=True)) as web, Web() as plain:
        ports.send({"bytes": stream.port, "web": web.port, "plain": plain.port})
        ports.recv()


def with_receivers(work: Callable[[dict[str, int]], None]) -> None:
    """Run `work` beside the receivers."""
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=receive, args=(theirs,))
    process.start()
    try:
        work(mine.recv())
    finally:
        mine.send(None)
        process.join(30)


def main(argv: list[str] | None = None) -> int:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(argv)

    def work(ports: dict[str, int]) -> None:
        print("| sink | promised | alerts/s | by processor time |\n| --- | --: | --: | --: |")
        for name, (url, promised) in ROWS.items():
            for key, port in ports.items():
                url = url.replace(f"{{{key}}}", str(port))
            figures = [measure(url, given.count) for _ in range(given.rounds)]
            best = Figure(*(max(column) for column in zip(*figures, strict=True)))
            print(
                f"| {name} | {promised or ''} | {best.wall:,.0f} | {best.processor:,.0f} |",
                flush=True,
            )

    with_receivers(work)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
