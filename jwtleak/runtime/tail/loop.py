"""The loop: look, read, detect, commit, hand over.

Promises: every byte readable at a look is scanned; an alert is on disk before the offset that
covers it moves; a busy stream or a long backlog delays the others by a turn at most; when alerts
cannot be stored or sent, reading waits and nothing is dropped. One thread; only `stop` and `wake`
may be called from others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from jwtleak.core.engine import Engine
from jwtleak.errors import SourceError
from jwtleak.follow.interface import Ended, Event, Following, Grown, Mode, Moved, Opened, Trouble
from jwtleak.runtime.service.limiter import Limiter
from jwtleak.runtime.tail.alerting import AT_ONCE, AlertEmitter, Rollup
from jwtleak.runtime.tail.checkpoint import Checkpoint
from jwtleak.runtime.tail.heartbeat import Heartbeat
from jwtleak.runtime.tail.readers import ReaderPool, StreamReader, TailStream
from jwtleak.runtime.tail.rotation_joins import RotationJoins
from jwtleak.runtime.tail.turns import TURN, Turns
from jwtleak.store.interface import OutboxEntry
from jwtleak.types import Finding

# What the loop works with, and what it asks of each part.


class ReadGate(Protocol):
    """Says whether there is room for more alerts."""

    def shut(self) -> bool: ...


class LoopObserver(Protocol):
    """Is told what happens: words, metrics, health."""

    def trouble(self, trouble: Trouble) -> None: ...
    def mode(self, mode: Mode) -> None: ...
    def ended(self, stream: TailStream, ended: Ended) -> None: ...
    def read(self, count: int) -> None: ...
    def told(self, letters: list[OutboxEntry]) -> None: ...
    def store(self, ledger: Checkpoint) -> None: ...
    def tick(self, loop: Loop) -> None: ...


class Clocks(NamedTuple):
    """Unix seconds, and seconds that only grow."""

    wall: Callable[[], float]
    steady: Callable[[], float]

    def ms(self) -> int:
        """Unix milliseconds."""
        return int(self.wall() * 1000)

    def even(self) -> Callable[[], int]:
        """Unix milliseconds that go on evenly from now, whatever the wall clock is set to."""
        ahead = self.wall() - self.steady()
        return lambda: int((self.steady() + ahead) * 1000)


class LoopParts(NamedTuple):
    """What the loop works with."""

    follower: Following
    announcer: AlertEmitter
    rollup: Rollup
    heartbeat: Heartbeat
    ledger: Checkpoint
    make_engine: Callable[[], Engine]
    gate: ReadGate
    limiter: Limiter
    watcher: LoopObserver
    poke: Callable[[], None]
    clocks: Clocks


# A round ends after this long, so that fresh lines are seen: half of the 20 ms within which they
# are to be told.
ROUND_SECONDS = 0.01
# How often windows are looked through, and the longest sleep.
TICK = 1.0


class Loop:
    """Goes round. `step` does one round and says how long to sleep."""

    def __init__(self, parts: LoopParts) -> None:
        self._parts = parts
        self.follower = self._follower = parts.follower
        self._ledger, self._rollup = parts.ledger, parts.rollup
        self._steady = parts.clocks.steady
        self.streams: dict[str, TailStream] = {}
        self._at: dict[str, TailStream] = {}  # the last stream that appeared at a path
        self.turns = Turns()
        self._unread: dict[str, TailStream] = {}
        self._desk = ReaderPool(parts.make_engine, parts.follower, self._look_early)
        self._joints = RotationJoins(parts.follower, self._desk, self._found, self._over)
        self._stopping = False
        self._shut = False
        self._round = ROUND_SECONDS
        self._tick = 0.0
        self.throttled = 0.0  # seconds for which the limit of bytes a second held up reading
        self._throttled_at: float | None = None
        # Under a limit a turn is one read, or the debt of a long one would hold up everything else.
        self._turn_bytes = 1 if parts.limiter.limited else TURN

    @property
    def suppressed(self) -> int:
        """Sightings that had no alert of their own."""
        return self._rollup.suppressed

    @property
    def kept_back(self) -> int:
        """Sightings that the policy keeps back."""
        return self._parts.announcer.kept_back

    def begin(self) -> None:
        """The first look, whose cursors are stored at once: from here on nothing is lost, whatever
        happens.

        It is read for a moment only: with fifty thousand files, reading as long as looking would
        double the start.
        """
        for event in self._follower.poll():
            self._on(event)
        self._read()
        self.commit()

    def stop(self) -> None:
        """End after the present round. Safe in a signal handler."""
        self._stopping = True
        self._follower.wake()

    def go_on(self) -> None:
        """After a `stop`: the next `run` goes round again."""
        self._stopping = False

    def run(self) -> None:
        """Go round until `stop`."""
        while not self._stopping:
            self._follower.wait(self.step())
        self.commit()

    def catch_up(self, settle: float) -> None:
        """Go round until what is there now was read, or `stop`; give what is held at the ends.

        What a busy file gets meanwhile is not waited for, and for `settle` seconds only what cannot
        be told yet to be read or not: a compressed file that is being written, one that cannot be
        opened.
        """
        goal = {name: stream.size for name, stream in self.streams.items()}
        until = self._steady() + settle
        while not self._stopping:
            if self._behind(goal):
                until = self._steady() + settle
            elif self.follower.unsettled() == 0 or self._steady() >= until:
                break
            self._follower.wait(self.step())
        self._joints.finish(self._steady())
        for seat in self._desk.seats():
            self._look_early(seat)
        self.commit()

    def _behind(self, goal: dict[str, int]) -> bool:
        return any(
            stream.packed
            or (name not in self._unread and max(stream.read, stream.told) < goal.get(name, 0))
            for name, stream in self.streams.items()
        )

    def step(self) -> float:
        """One round. Gives the seconds for which there is nothing to do."""
        begin = self._steady()
        for event in self._follower.poll():
            self._on(event)
        # As much time for reading as for looking: among very many files a look takes longer than a
        # round.
        self._round = max(ROUND_SECONDS, self._steady() - begin)
        self._tell(self._every_second())
        self._shut = self._parts.gate.shut() or self._ledger.full
        if not self._shut:
            self._read()
        self._ask()
        due = self._ledger.due
        if due is not None and self._steady() >= due:
            self.commit()
        return self._patience()

    def _on(self, event: Event) -> None:
        if isinstance(event, Grown):
            stream = self.streams[event.stream]
            stream.size = event.size
            self.turns.update(stream)
        elif isinstance(event, Opened):
            self._opened(event)
        elif isinstance(event, Moved):
            self.streams[event.stream].path = event.path
        elif isinstance(event, Ended):
            self._ended(event)
        elif isinstance(event, Trouble):
            self._parts.watcher.trouble(event)
        else:
            self._parts.watcher.mode(event)

    def _opened(self, event: Opened) -> None:
        stream = self.streams[event.stream] = TailStream(event)
        if event.cursor.provisional is not None:
            stream.early = self._rollup.early(stream.name, stream.offset)
        # Where the old file left its name some looks ago, nobody says what the new one follows.
        before = self._at.get(event.path)
        old = self.streams.get(event.follows or (before.name if before is not None else ""))
        if old is not None:
            if self._desk.of(old.name) is None:
                old.again()  # what it holds at its end may go on in the new one
                self.turns.update(old)
            self._joints.opened(stream, old, self._steady())
        self._at[event.path] = stream
        self.turns.update(stream)
        if not event.kept:
            self._ledger.judged(stream)

    def _ended(self, event: Ended) -> None:
        stream = self.streams.pop(event.stream)
        self.turns.remove(stream.name)
        self._unread.pop(stream.name, None)
        if self._at.get(stream.home) is stream:
            del self._at[stream.home]
        if self._joints.ended(stream, event):
            self._ledger.left(stream)
            return
        seat = self._desk.of(stream.name)
        if seat is not None:
            self._found(stream, seat, seat.close())
            self._desk.free(stream.name)
        self._over(stream, event)

    def _over(self, stream: TailStream, event: Ended) -> None:
        self._tell(self._rollup.end(stream.name))
        self._ledger.over(stream, event)
        self._parts.watcher.ended(stream, event)

    def _read(self) -> None:
        begin = self._steady()
        if self._throttled_at is not None:
            self.throttled += begin - self._throttled_at
            self._throttled_at = None

        def on() -> bool:
            return self._steady() - begin < self._round

        for stream in self.turns.round(on):
            if self._parts.limiter.wait() > 0:
                self.turns.update(stream)
                break
            self._turn(stream, on)
        if self.turns and self._parts.limiter.wait() > 0:
            self._throttled_at = self._steady()

    def _turn(self, stream: TailStream, on: Callable[[], bool]) -> None:
        self._joints.grew(stream.name)
        try:
            seat = self._desk.seat(stream)
            taken, found = seat.take(self._turn_bytes, on)
        except SourceError as error:
            self._desk.free(stream.name)
            self._unread[stream.name] = stream
            self._parts.watcher.trouble(Trouble("unreadable", error.path, error.reason))
            return
        if taken:
            seat.watch.grown(self._steady(), seat.engine.pending, stream.offset)
        else:  # what was there is gone; the next look tells
            stream.size = stream.read
        self._found(stream, seat, found)
        self._parts.limiter.spend(taken)
        self._parts.watcher.read(taken)
        self._judged(stream, seat)
        self.turns.update(stream)

    def _judged(self, stream: TailStream, seat: StreamReader) -> None:
        if seat.engine.pending is None:
            stream.told = max(stream.told, stream.read)
        self._ledger.judged(stream)

    def _ask(self) -> None:
        """Engines that waited long enough for more."""
        now = self._steady()
        self._joints.step(now)
        for seat in self._desk.seats():
            due = seat.watch.due
            if due is not None and now >= due:
                self._settle(seat)

    def _settle(self, seat: StreamReader) -> None:
        if seat.engine.pending == "context":
            stream = seat.stream
            assert stream is not None
            self._found(stream, seat, seat.settle())
            self._judged(stream, seat)
        else:
            self._look_early(seat)
        seat.watch.asked(self._steady(), seat.engine.pending)

    def _look_early(self, seat: StreamReader) -> None:
        """What an engine holds is given as if nothing followed; the offset stays before it."""
        stream = seat.stream
        if stream is None or seat.engine.pending is None:
            return
        self._found(stream, seat, seat.early(), early=True)
        stream.told = max(stream.told, stream.read)
        self._ledger.judged(stream)

    def _every_second(self) -> Iterator[OutboxEntry]:
        """What time alone brings: repeats to be summed up, the heartbeat, what could not be read
        before.
        """
        now = self._steady()
        if now < self._tick:
            return
        self._tick = now + TICK
        self._parts.watcher.tick(self)
        for stream in self._unread.values():  # perhaps it can be read again
            self.turns.update(stream)
        self._unread.clear()
        now_ms = self._parts.clocks.ms()
        repeats = list(self._rollup.due())
        yield from repeats
        if len(repeats) >= AT_ONCE:
            self._tick = now
        yield from self._parts.heartbeat.beat(now, now_ms, len(self.streams))

    def _found(
        self, stream: TailStream, seat: StreamReader, found: list[Finding], *, early: bool = False
    ) -> None:
        self._tell(self._parts.announcer.tell(stream, seat.engine, found, early=early))

    def _tell(self, letters: Iterable[OutboxEntry]) -> None:
        told = list(letters)
        if told:
            self._ledger.letters(told)
            self._parts.watcher.told(told)

    def commit(self) -> None:
        """Store what was judged, and wake the sinks."""
        if self._ledger.commit(self._parts.clocks.ms()):
            self._parts.poke()
        self._parts.watcher.store(self._ledger)

    def _patience(self) -> float:
        now = self._steady()
        if self.turns and not self._shut:
            wait = self._parts.limiter.wait()
            if wait <= 0:
                return 0.0
        else:
            wait = TICK
        times = [seat.watch.due for seat in self._desk.seats()]
        times += [self._ledger.due, self._tick]
        return max(0.0, min([wait, TICK, *(one - now for one in times if one is not None)]))
