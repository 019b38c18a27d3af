"""What the loops report to people: lines in the log, numbers in the metrics, health.

Promises: a state is logged once when it begins and once when it ends; counters go on over a reload
of the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from jwtleak.follow.interface import Ended, Mode, Trouble
from jwtleak.runtime.delivery.sender import SinkHealth
from jwtleak.runtime.service import metrics as m
from jwtleak.runtime.service.health import ServiceHealth
from jwtleak.runtime.service.log import Log
from jwtleak.runtime.service.metrics import MAX_SERIES, Metrics
from jwtleak.runtime.service.notify import Notifier
from jwtleak.runtime.tail.backpressure import Backpressure
from jwtleak.runtime.tail.checkpoint import Checkpoint
from jwtleak.runtime.tail.output import LoopFigures
from jwtleak.runtime.tail.readers import StreamState, TailStream
from jwtleak.store.interface import OutboxEntry

_Stream = TypeVar("_Stream", bound=StreamState)


class Voices(NamedTuple):
    """Where lines and numbers go. They outlive a reload."""

    log: Log
    metrics: Metrics
    health: ServiceHealth
    notifier: Notifier


class Reporter:
    """Reports one session. `sinks` gives the health of each sink, `wall_ms` Unix milliseconds."""

    def __init__(
        self,
        voices: Voices,
        backpressure: Backpressure,
        sinks: Callable[[], Sequence[SinkHealth]],
        wall_ms: Callable[[], int],
        *,
        polling: bool = False,
    ) -> None:
        self._voices = voices
        self._log, self._metrics, self._health = voices.log, voices.metrics, voices.health
        self._backpressure = backpressure
        self._sinks = sinks
        self._wall_ms = wall_ms
        self._polling = polling  # the user asked for it
        # Of the directories that changed last: those of pods come and go for ever.
        self._modes: dict[str, Mode] = {}
        self._modes_changed = False
        self._seen: dict[str, float] = {}
        self.leaks = 0
        self.troubles = 0

    def trouble(self, trouble: Trouble) -> None:
        """Something could not be polled or read."""
        self.troubles += 1
        self._metrics.add(m.ERRORS, 1, trouble.kind)
        self._log.warning(trouble.kind, trouble.reason, trouble.path)

    def mode(self, mode: Mode) -> None:
        """How changes in a directory are noticed now. Events are expected; polling is logged, and
        so is its end.
        """
        before = self._modes.pop(mode.directory, None)
        # Removed and added: the dictionary is in the order of change.
        self._modes[mode.directory] = mode
        if len(self._modes) > MAX_SERIES:
            del self._modes[next(iter(self._modes))]
        self._modes_changed = True
        if self._polling:
            return
        if mode.mode == "polling":
            self._log.warning(
                "polling",
                f"no events from here, looked at by the clock: {mode.reason}",
                mode.directory,
            )
        elif before is not None and before.mode == "polling":
            self._log.say("events", f"events come again: {mode.reason}", path=mode.directory)

    def ended(self, stream: TailStream, ended: Ended) -> None:
        """A stream has ended."""
        if ended.lost:
            self._metrics.add(m.ERRORS, 1, "lost")
            self._log.warning(
                "lost",
                f"{ended.lost} bytes were gone before they could be read ({ended.reason})",
                stream.path,
            )

    def read(self, count: int) -> None:
        """`count` bytes were read."""
        self._metrics.add(m.BYTES_READ, count)

    def emitted(self, entries: list[OutboxEntry]) -> None:
        """Alerts go into the next transaction."""
        for entry in entries:
            if entry.event == "leak":
                self.leaks += 1
                self._metrics.add(m.ALERTS, 1, entry.severity)

    def checkpointed(self, checkpoint: Checkpoint[_Stream]) -> None:
        """The checkpoint was written, or could not be."""
        trouble = checkpoint.trouble
        # A counter of errors grows with each failed try; the log says it once.
        self._metrics.state(m.STORE_STATE, m.STORE_STATES, "ok" if trouble is None else "full")
        self._grown(m.STORE_COMMITS, checkpoint.commits)
        if trouble is None:
            if self._health.mend("store"):
                self._log.say("store", "the state can be written again")
            return
        self._metrics.add(m.ERRORS, 1, "store")
        if self._health.degrade("store", str(trouble)):
            self._log.error("store", f"{trouble}; alerts are kept in memory and tried again")

    def tick(self, figures: LoopFigures) -> None:
        """A second went by."""
        stats, metrics = figures.follow, self._metrics
        metrics.put(m.LAG_BYTES, figures.lag)
        metrics.put(m.FILES_FOLLOWED, stats.followed)
        metrics.put(m.FILES_OPEN, stats.open)
        metrics.renew(
            m.WATCH_DIRECTORIES, {(mode,): float(count) for mode, count in stats.modes.items()}
        )
        # Once a second and not with each change: at the start ten thousand directories report
        # their mode at once.
        if self._modes_changed:
            self._modes_changed = False
            metrics.renew(
                m.WATCH_MODE, {(mode.directory, mode.mode): 1.0 for mode in self._modes.values()}
            )
        metrics.put(m.SPOOL_BYTES, self._backpressure.bytes)
        metrics.total(m.LOG_SUPPRESSED, self._log.suppressed)
        for metric, value in (
            (m.BYTES_LOST, stats.bytes_lost),
            (m.FILES_ROTATED, stats.rotated),
            (m.FILES_TRUNCATED, stats.truncated),
            (m.REPEATS_SUPPRESSED, figures.suppressed),
            (m.ALERTS_KEPT_BACK, figures.kept_back),
            (m.THROTTLED_SECONDS, figures.throttled),
        ):
            self._grown(metric, value)
        self._spool()
        self._queues()
        self._health.beat()
        self._voices.notifier.alive()

    def _grown(self, metric: m.Metric, value: float) -> None:
        """A counter of this session is at `value`. The metric adds up all sessions."""
        # Prometheus takes a counter that falls for a restart of the process.
        self._metrics.add(metric, value - self._seen.get(metric.name, 0.0))
        self._seen[metric.name] = value

    def _spool(self) -> None:
        if self._backpressure.full:
            if self._health.degrade(
                "spool", "full: reading waits until alerts are delivered", halts=True
            ):
                self._log.warning(
                    "spool",
                    f"{self._backpressure.bytes} bytes of alerts wait for sinks: reading waits, "
                    "nothing is dropped",
                )
        elif self._health.mend("spool"):
            self._log.say("spool", "there is room again: reading goes on")
        sink = self._backpressure.sink
        if sink is not None:
            if self._health.degrade(
                "queue",
                f"that of sink {sink} is full: reading waits until it takes alerts",
                halts=True,
            ):
                self._log.warning(
                    "queue", f"the queue of sink {sink} is full: reading waits, nothing is dropped"
                )
        elif self._health.mend("queue"):
            self._log.say("queue", "the queues of all sinks have room again: reading goes on")

    def _queues(self) -> None:
        metrics, now = self._metrics, self._wall_ms()
        for sink in self._sinks():
            metrics.put(m.OUTBOX_DEPTH, sink.queued, sink.name)
            age = 0.0 if sink.oldest_ms is None else max(0.0, (now - sink.oldest_ms) / 1000)
            metrics.put(m.OUTBOX_OLDEST_SECONDS, age, sink.name)
            metrics.total(m.SINK_SENT, sink.sent, sink.name)
            metrics.total(m.SINK_RETRIED, sink.retried, sink.name)
            metrics.total(m.SINK_DEAD, sink.dead, sink.name)
            metrics.total(m.SINK_DROPPED, sink.dropped, sink.name)
            # One key for each sink: the recovery of one must not hide the trouble of another.
            if sink.state in (None, "recovered"):
                self._health.mend(f"sink:{sink.name}")
            else:
                self._health.degrade(f"sink:{sink.name}", sink.reason or str(sink.state))
