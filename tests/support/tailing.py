"""A tail without files, time or threads: the loop is stepped, the clock stands where it is put."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minting import NOW, jws, sha256
from msgspec.structs import replace

from jwtleak.alerts.builder import AlertContext
from jwtleak.alerts.wire import Selection
from jwtleak.core.channel import Channels
from jwtleak.core.custom_patterns import UserPatterns
from jwtleak.core.engine import Engine
from jwtleak.errors import SourceError, StoreError, StoreFull
from jwtleak.follow.interface import Ended, Event, FollowStats, Grown, Mode, Opened, Trouble
from jwtleak.patterns import load_channels
from jwtleak.runtime.clock import Clocks
from jwtleak.runtime.service.limiter import Limiter
from jwtleak.runtime.tail.alerting import AlertEmitter, Rollup
from jwtleak.runtime.tail.checkpoint import Checkpoint, FileMarks
from jwtleak.runtime.tail.heartbeat import Heartbeat
from jwtleak.runtime.tail.loop import Loop
from jwtleak.runtime.tail.output import LoopFigures, TailOutput
from jwtleak.runtime.tail.readers import TailStream
from jwtleak.store import Commit, OutboxEntry, Store
from jwtleak.types import Cursor


def leak(number: int) -> bytes:
    """A line with a token of its own."""
    return f"2026-01-15T12:00:00Z GET /cb?access_token={jws({'n': number})} HTTP/1.1\n".encode()


def name(number: int) -> str:
    """The fingerprint of the token of `leak(number)`."""
    return sha256(jws({"n": number}))


def cursor(stream: str, **fields: Any) -> Cursor:
    """A cursor of a file that exists nowhere."""
    return Cursor(
        **{"stream": stream, "path": f"/logs/{stream}", "device": 1, "inode": 1, **fields}
    )


class Clock:
    """Both clocks; they go together until somebody sets one."""

    def __init__(self) -> None:
        self.wall = float(NOW)
        self.steady = 100.0

    def pass_(self, seconds: float) -> None:
        """Time goes by."""
        self.wall += seconds
        self.steady += seconds


class Files:
    """A follower of streams that are bytes in memory. What happens is put into `events`."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self.events: list[Event] = []
        self.committed_to: dict[str, int] = {}
        self.broken: set[str] = set()
        self.reads: list[tuple[str, int, int]] = []
        self.holes: dict[str, tuple[int, int]] = {}

    def open(
        self,
        stream: str,
        data: bytes = b"",
        *,
        follows: str | None = None,
        at: Cursor | None = None,
    ) -> None:
        """A stream appears."""
        self.data[stream] = data
        kept = at is not None and at.size == len(data)
        self.events.append(
            Opened(stream, f"/logs/{stream}", at or cursor(stream), len(data), follows, kept=kept)
        )

    def append(self, stream: str, data: bytes) -> None:
        """It grows."""
        self.data[stream] += data
        self.events.append(Grown(stream, len(self.data[stream])))

    def end(self, stream: str, reason: Any = "rotated", lost: int = 0) -> None:
        """It is over, and cannot be read any more."""
        del self.data[stream]
        self.events.append(Ended(stream, reason, lost))

    def start(self) -> None:
        """Nothing to watch."""

    close = wake = start

    def wait(self, seconds: float) -> None:
        """Nobody sleeps here."""

    def poll(self) -> list[Event]:
        """What happened."""
        events, self.events = self.events, []
        return events

    def read(self, stream: str, offset: int, buffer: memoryview) -> int:
        """The bytes, from memory."""
        if stream in self.broken:
            raise SourceError(f"/logs/{stream}", "input/output error")
        data = self.data[stream][offset : offset + len(buffer)]
        buffer[: len(data)] = data
        self.reads.append((stream, offset, len(data)))
        return len(data)

    def data_after(self, stream: str, offset: int) -> int:
        """Behind the hole, if there is one."""
        start, stop = self.holes.get(stream, (0, 0))
        return stop if start <= offset < stop else offset

    def cursor(
        self,
        stream: str,
        *,
        offset: int,
        reported: int,
        lines: int,
        line_start: int,
        provisional: str | None,
    ) -> Cursor:
        """As it is."""
        return cursor(
            stream,
            offset=offset,
            reported=reported,
            lines=lines,
            line_start=line_start,
            provisional=provisional,
            size=len(self.data[stream]),
        )

    def committed(self, stream: str, offset: int) -> None:
        """Noted."""
        self.committed_to[stream] = offset

    def unsettled(self) -> int:
        """None."""
        return 0

    def stats(self) -> FollowStats:
        """How many."""
        return FollowStats(followed=len(self.data))


class Keeper:
    """A real store whose disk can be filled, and which remembers the alerts."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.full = False
        self.alerts: list[OutboxEntry] = []
        self.commits: list[Commit] = []
        self.sighting, self.sightings, self.due = store.sighting, store.sightings, store.due
        self.cursors, self.prune = store.cursors, store.prune

    def commit(self, batch: Commit) -> None:
        """Into the store, or not."""
        if self.full:
            raise StoreFull("the state cannot be written: no space left on device")
        self.store.commit(batch)
        self.commits.append(batch)
        self.alerts += batch.alerts


class Watch:
    """Notes what it hears."""

    def __init__(self) -> None:
        self.troubles: list[Trouble] = []
        self.ends: list[Ended] = []
        self.modes: list[Mode] = []
        self.bytes = self.ticks = 0
        self.store_trouble: StoreError | None = None

    def trouble(self, trouble: Trouble) -> None:
        """Noted."""
        self.troubles.append(trouble)

    def mode(self, mode: Mode) -> None:
        """Noted."""
        self.modes.append(mode)

    def ended(self, stream: TailStream, ended: Ended) -> None:
        """Noted."""
        self.ends.append(ended)

    def read(self, count: int) -> None:
        """Noted."""
        self.bytes += count

    def emitted(self, entries: Sequence[OutboxEntry]) -> None:
        """The store has them."""

    def checkpointed(self, checkpoint: Checkpoint[Any]) -> None:
        """Noted."""
        self.store_trouble = checkpoint.trouble

    def tick(self, figures: LoopFigures) -> None:
        """Noted."""
        self.ticks += 1


class Rig:
    """A loop over `Files`. `run` steps it while time goes by in small steps."""

    def __init__(
        self,
        directory: Path,
        *,
        window: float = 60.0,
        rate: float | None = None,
        heartbeat: float | None = None,
    ) -> None:
        self.directory = directory
        self.clock = Clock()
        self.files = Files()
        self.paused = False
        self._window, self._rate, self._heartbeat = window, rate, heartbeat
        self.start()

    def start(self, patterns: UserPatterns | None = None) -> None:
        """A new process with the same state."""
        self.store = Keeper(Store.open(self.directory))
        self.store.store.register(["stdout"])
        self.watch = Watch()
        self.pokes = 0
        clock = self.clock
        clocks = Clocks(lambda: clock.wall, lambda: clock.steady)
        rollup = Rollup(self.store, int(self._window * 1000), clocks.even())
        channels = Channels(load_channels())
        context = AlertContext(0.0, "host", b"k" * 32)
        self.loop = Loop(
            self.files,
            TailOutput(
                emitter=AlertEmitter(
                    lambda now: replace(context, now=now), Selection(), rollup, clocks.wall
                ),
                rollup=rollup,
                heartbeat=Heartbeat(self._heartbeat, "host"),
                checkpoint=Checkpoint(self.store, FileMarks(self.files), rollup, clocks.steady),
                backpressure=self,
                observer=self.watch,
                poke=self._poked,
                clocks=clocks,
            ),
            lambda: Engine(channels, None, patterns),
            Limiter(self._rate, clocks.steady),
        )

    def _poked(self) -> None:
        self.pokes += 1

    def active(self) -> bool:
        """The backpressure."""
        return self.paused

    def run(self, seconds: float = 0.0) -> None:
        """Step until nothing is to be done at once; then again for as long as time is to pass."""
        end = self.clock.steady + seconds
        while True:
            patience = self.loop.step()
            if patience > 0:
                if self.clock.steady + patience > end:
                    break
                self.clock.pass_(patience)
        self.clock.pass_(end - self.clock.steady)

    def crash(self) -> None:
        """kill -9, and a new process that opens every stream at its cursor."""
        self.store.store.close()
        self.start()
        self.files.events.clear()
        for known in self.store.cursors():
            self.files.open(known.stream, self.files.data[known.stream], at=known)

    def close(self) -> None:
        """The store is let go."""
        self.store.store.close()

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """What this process sent."""
        return [json.loads(entry.body) for entry in self.store.alerts]

    def found(self) -> list[str]:
        """The fingerprints in order."""
        return [one["token"]["sha256"] for one in self.alerts]
