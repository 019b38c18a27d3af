"""The way out of both loops: findings become alerts, alerts and positions become transactions.

Promises: what was found is counted, stored and announced to the sinks in this order; repeats and
the heartbeat come by time alone, whether something is read or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, Protocol, TypeVar

from jwtleak.follow.interface import Ended, FollowStats, Mode, Trouble
from jwtleak.runtime.clock import Clocks
from jwtleak.runtime.tail.alerting import AT_ONCE, AlertEmitter, Rollup
from jwtleak.runtime.tail.checkpoint import Checkpoint
from jwtleak.runtime.tail.heartbeat import Heartbeat
from jwtleak.runtime.tail.readers import StreamState, TailStream
from jwtleak.store.interface import OutboxEntry
from jwtleak.types import Finding

# Seconds between two searches for windows that are over, and the longest sleep of a loop.
TICK = 1.0

_Stream = TypeVar("_Stream", bound=StreamState)


class LoopFigures(NamedTuple):
    """A loop in numbers: bytes that wait to be read, streams, what the follower says, sightings
    that had no alert of their own or that the policy kept back, seconds for which the rate limit
    held up reading.
    """

    lag: int
    streams: int
    follow: FollowStats
    suppressed: int
    kept_back: int
    throttled: float


class ReadPressure(Protocol):
    """Whether reading has to wait for the sinks."""

    def active(self) -> bool: ...


class LoopObserver(Protocol):
    """Hears what happens: log, metrics, health."""

    def trouble(self, trouble: Trouble) -> None: ...
    def mode(self, mode: Mode) -> None: ...
    def ended(self, stream: TailStream, ended: Ended) -> None: ...
    def read(self, count: int) -> None: ...
    def emitted(self, entries: list[OutboxEntry]) -> None: ...
    def checkpointed(self, checkpoint: Checkpoint[_Stream]) -> None: ...
    def tick(self, figures: LoopFigures) -> None: ...


class TailOutput(Generic[_Stream]):
    """Reports findings and commits them. `poke` wakes the threads of the sinks."""

    def __init__(
        self,
        *,
        emitter: AlertEmitter,
        rollup: Rollup,
        heartbeat: Heartbeat,
        checkpoint: Checkpoint[_Stream],
        backpressure: ReadPressure,
        observer: LoopObserver,
        poke: Callable[[], None],
        clocks: Clocks,
    ) -> None:
        self.emitter, self.rollup, self.checkpoint = emitter, rollup, checkpoint
        self.observer = observer
        self.clocks = clocks
        self._heartbeat = heartbeat
        self._backpressure = backpressure
        self._poke = poke
        self._tick = 0.0

    def found(
        self,
        stream: _Stream,
        name_of: Callable[[Finding], str],
        found: list[Finding],
        *,
        early: bool = False,
    ) -> None:
        """Report findings in a stream; `early`: more bytes could change them."""
        self.emit(self.emitter.emit(stream, name_of, found, early=early))

    def emit(self, entries: Iterable[OutboxEntry]) -> None:
        """Put alerts into the next transaction."""
        new = list(entries)
        if new:
            self.checkpoint.add(new)
            self.observer.emitted(new)

    def every_second(self, figures: Callable[[], LoopFigures]) -> bool:
        """Once a second: numbers, repeats whose window is over, the heartbeat. Whether it was
        time.
        """
        now = self.clocks.steady()
        if now < self._tick:
            return False
        self._tick = now + TICK
        current = figures()
        self.observer.tick(current)
        now_ms = self.clocks.ms()
        repeats = list(self.rollup.due())
        if len(repeats) >= AT_ONCE:
            self._tick = now  # more windows are over: the next round goes on with them
        beat = self._heartbeat.beat(now, now_ms, current.streams)
        self.emit([*repeats, *beat])
        return True

    def paused(self) -> bool:
        """Whether nothing may be read, since alerts cannot be delivered or stored."""
        return self._backpressure.active() or self.checkpoint.full

    def commit(self) -> None:
        """Store what was judged, and wake the sinks."""
        # Only for alerts: a sink that is woken for a position would query its queue in vain.
        if self.checkpoint.commit(self.clocks.ms()):
            self._poke()
        self.observer.checkpointed(self.checkpoint)

    def commit_if_due(self) -> None:
        """The same, if it is time."""
        due = self.checkpoint.due
        if due is not None and self.clocks.steady() >= due:
            self.commit()

    def patience(self, longest: float, others: Iterable[float | None]) -> float:
        """Seconds that a loop may sleep: until the next commit or second, until one of `others`
        (times of the steady clock), `longest` at most.
        """
        now = self.clocks.steady()
        times = [*others, self.checkpoint.due, self._tick]
        return max(0.0, min([longest, TICK, *(at - now for at in times if at is not None)]))
