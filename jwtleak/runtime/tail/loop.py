"""The loop over files: poll, read, detect, commit.

Promises: every byte that a poll can read is scanned; an alert is on disk before the offset that
covers it moves; a busy stream or a long backlog delays the others by at most a turn; when alerts
cannot be stored or sent, reading waits and nothing is dropped. One thread: others may call only
`stop`.
"""

from __future__ import annotations

from collections.abc import Callable

from jwtleak.core.engine import Engine
from jwtleak.errors import SourceError
from jwtleak.follow.interface import Ended, Event, Following, Grown, Moved, Opened, Trouble
from jwtleak.runtime.service.limiter import Limiter
from jwtleak.runtime.tail.output import TICK, LoopFigures, TailOutput
from jwtleak.runtime.tail.readers import ReaderPool, StreamReader, TailStream
from jwtleak.runtime.tail.rotation_joins import RotationJoins
from jwtleak.runtime.tail.turns import TURN, Turns
from jwtleak.types import Finding

# A round of reading ends after this many seconds, so that fresh lines are noticed: half of the
# 20 ms within which they are to be reported.
ROUND_SECONDS = 0.01

# One step:
#
#     follower.poll ----> streams: opened, grown, moved, ended
#          |
#     every second -----> repeats whose window is over, heartbeat, metrics
#          |
#     turns --> reader --> engine --> findings --> alerts --+        (skipped while paused)
#          |                                                |
#     engines that waited long enough: settle, early -------+
#          |                                                v
#     checkpoint.commit: { cursors, sightings, alerts } in one transaction --> sinks wake up
#          |
#     sleep until an event, or the next due time


class Loop:
    """`step` does one round and returns how long to sleep."""

    def __init__(
        self,
        follower: Following,
        output: TailOutput[TailStream],
        make_engine: Callable[[], Engine],
        limiter: Limiter,
    ) -> None:
        self.follower = follower
        self.output = output
        self._checkpoint, self._rollup = output.checkpoint, output.rollup
        self._observer = output.observer
        self._limiter = limiter
        self._steady = output.clocks.steady
        self.streams: dict[str, TailStream] = {}
        self._at: dict[str, TailStream] = {}  # the last stream that appeared at a path
        self.turns = Turns()
        self._unreadable: dict[str, TailStream] = {}  # until the next second
        self._pool = ReaderPool(make_engine, follower, self._report_early)
        self._joins = RotationJoins(follower, self._pool, self._found, self._finish_stream)
        self._stopping = False
        self._paused = False
        self._round = ROUND_SECONDS
        self.throttled = 0.0  # seconds for which the rate limit held up reading
        self._throttled_at: float | None = None
        # Under a rate limit a turn is one read, or the debt of a long turn would hold up everything
        # else.
        self._turn_bytes = 1 if limiter.limited else TURN
        self.ended = False  # files are followed for ever

    def begin(self) -> None:
        """The first poll, whose cursors are stored at once: from here on nothing is lost.

        It reads for a moment only: with fifty thousand files, reading as long as polling would
        double the start.
        """
        for event in self.follower.poll():
            self._on(event)
        self._read()
        self.output.commit()

    def stop(self) -> None:
        """End after the present round. Safe in a signal handler."""
        self._stopping = True
        self.follower.wake()

    def go_on(self) -> None:
        """Undo `stop`: the next `run` goes round again."""
        self._stopping = False

    def run(self) -> None:
        """Go round until `stop`."""
        while not self._stopping:
            self.follower.wait(self.step())
        self.output.commit()

    def catch_up(self, settle: float) -> None:
        """Go round until everything that is there now was read, or `stop`; then report what the
        engines hold back at the ends.

        Bytes that a busy file gets meanwhile are not waited for. `settle` is the time in seconds
        for files that cannot be read yet: a compressed file that is being written, a file that
        cannot be opened.
        """
        goal = {name: stream.size for name, stream in self.streams.items()}
        until = self._steady() + settle
        while not self._stopping:
            if self._behind(goal):
                until = self._steady() + settle
            elif self.follower.unsettled() == 0 or self._steady() >= until:
                break
            self.follower.wait(self.step())
        self._joins.finish(self._steady())
        for reader in self._pool.readers():
            self._report_early(reader)
        self.output.commit()

    def _behind(self, goal: dict[str, int]) -> bool:
        # The size of a compressed file is not known before it ends, so there is no goal for it.
        return any(
            stream.compressed
            or (
                name not in self._unreadable
                and max(stream.read, stream.reported) < goal.get(name, 0)
            )
            for name, stream in self.streams.items()
        )

    def step(self) -> float:
        """One round. Seconds for which there is nothing to do."""
        begin = self._steady()
        # Events first: a stream whose file is gone must not get a turn.
        for event in self.follower.poll():
            self._on(event)
        # Read for at least as long as the poll took: among very many files a poll outlasts a round,
        # and reading would fall behind.
        self._round = max(ROUND_SECONDS, self._steady() - begin)
        if self.output.every_second(self.figures):
            for stream in self._unreadable.values():  # perhaps they can be read again
                self.turns.update(stream)
            self._unreadable.clear()
        self._paused = self.output.paused()
        if not self._paused:
            self._read()
        # Also while paused: engines hold findings that were read before.
        self._ask()
        self.output.commit_if_due()
        return self._patience()

    def figures(self) -> LoopFigures:
        """The loop in numbers."""
        return LoopFigures(
            sum(s.size - s.offset for s in self.streams.values() if s.size > s.read),
            len(self.streams),
            self.follower.stats(),
            self._rollup.suppressed,
            self.output.emitter.kept_back,
            self.throttled,
        )

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
            self._observer.trouble(event)
        else:
            self._observer.mode(event)

    def _opened(self, event: Opened) -> None:
        stream = self.streams[event.stream] = TailStream(event)
        if event.cursor.provisional is not None:
            stream.early = self._rollup.early(stream.name, stream.offset)
        # If the old file left its name some polls ago, the event does not say what the new one
        # follows. The path does.
        before = self._at.get(event.path)
        old = self.streams.get(event.follows or (before.name if before is not None else ""))
        if old is not None:
            if self._pool.get(old.name) is None:
                # A reader must hold its end again: it may continue in the new stream.
                old.reread()
                self.turns.update(old)
            self._joins.opened(stream, old, self._steady())
        self._at[event.path] = stream
        self.turns.update(stream)
        if not event.kept:
            self._checkpoint.judged(stream)

    def _ended(self, event: Ended) -> None:
        stream = self.streams.pop(event.stream)
        self.turns.remove(stream.name)
        self._unreadable.pop(stream.name, None)
        if self._at.get(stream.home) is stream:
            del self._at[stream.home]
        if self._joins.ended(stream, event):
            # The follower has forgotten the stream, so no cursor can be made of it any more.
            self._checkpoint.left(stream)
            return
        reader = self._pool.get(stream.name)
        if reader is not None:
            self._found(stream, reader, reader.close())
            self._pool.release(stream.name)
        self._finish_stream(stream, event)

    def _finish_stream(self, stream: TailStream, event: Ended) -> None:
        self.output.emit(self._rollup.end(stream.name))
        self._checkpoint.ended(stream, event)
        self._observer.ended(stream, event)

    def _read(self) -> None:
        begin = self._steady()
        if self._throttled_at is not None:
            self.throttled += begin - self._throttled_at
            self._throttled_at = None

        def on() -> bool:
            return self._steady() - begin < self._round

        for stream in self.turns.round(on):
            if self._limiter.wait() > 0:
                self.turns.update(stream)
                break
            self._turn(stream, on)
        if self.turns and self._limiter.wait() > 0:
            self._throttled_at = self._steady()

    def _turn(self, stream: TailStream, on: Callable[[], bool]) -> None:
        # Before the read: the stream needs its reader back from a join.
        self._joins.grew(stream.name)
        try:
            reader = self._pool.reader(stream)
            count, found = reader.read(self._turn_bytes, on)
        except SourceError as error:
            self._pool.release(stream.name)
            self._unreadable[stream.name] = stream
            self._observer.trouble(Trouble("unreadable", error.path, error.reason))
            return
        if count:
            reader.watch.grown(self._steady(), reader.engine.pending, stream.offset)
        else:
            # The bytes are gone. The next poll finds out why; until then there is nothing to read.
            stream.size = stream.read
        self._found(stream, reader, found)
        self._limiter.spend(count)
        self._observer.read(count)
        self._judged(stream, reader)
        self.turns.update(stream)

    def _judged(self, stream: TailStream, reader: StreamReader) -> None:
        if reader.engine.pending is None:
            stream.reported = max(stream.reported, stream.read)
        self._checkpoint.judged(stream)

    def _ask(self) -> None:
        """Ask engines that waited long enough for more bytes."""
        now = self._steady()
        self._joins.step(now)
        for reader in self._pool.readers():
            due = reader.watch.due
            if due is not None and now >= due:
                self._settle(reader)

    def _settle(self, reader: StreamReader) -> None:
        if reader.engine.pending == "context":
            # The token has ended: it is final, and the offset may pass it.
            stream = reader.stream
            assert stream is not None
            self._found(stream, reader, reader.settle())
            self._judged(stream, reader)
        else:
            self._report_early(reader)
        reader.watch.asked(self._steady(), reader.engine.pending)

    def _report_early(self, reader: StreamReader) -> None:
        """Report what the engine holds back as if nothing followed. The offset stays before it,
        since more bytes may make it a longer token.
        """
        stream = reader.stream
        if stream is None or reader.engine.pending is None:
            return
        self._found(stream, reader, reader.early(), early=True)
        stream.reported = max(stream.reported, stream.read)
        self._checkpoint.judged(stream)

    def _found(
        self, stream: TailStream, reader: StreamReader, found: list[Finding], *, early: bool = False
    ) -> None:
        self.output.found(stream, reader.engine.occurrence, found, early=early)

    def _patience(self) -> float:
        if self.turns and not self._paused:
            wait = self._limiter.wait()
            if wait <= 0:
                return 0.0
        else:
            wait = TICK
        return self.output.patience(wait, (reader.watch.due for reader in self._pool.readers()))
