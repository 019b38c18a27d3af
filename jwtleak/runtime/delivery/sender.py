"""One sink's thread: reads its queue, sends batches, does what `decide` says.

Promises: the thread ends only when asked and never raises; a sink in trouble delays no other;
memory holds one batch; an alert that is in flight is never counted as dropped too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from jwtleak.errors import JwtleakError, place_of
from jwtleak.runtime.clock import Clock
from jwtleak.runtime.delivery.messages import AlertQueue, MessageRules, decode
from jwtleak.runtime.delivery.retry import News, RetryState, Step, batch_size, decide
from jwtleak.sinks.interface import BatchLimits, Message, Report, Sink, failed
from jwtleak.sinks.settings import SinkSettings
from jwtleak.types import WhenFull

# Seconds. How often an idle sender polls: its connection, and the queue for entries that it was not
# poked for.
IDLE = 1.0
# How often the queue is counted for `health`.
_COUNT_EVERY = 1.0
# The wait after a failure of the store or of this program.
_BROKEN_WAIT = 5.0

Say = Callable[[str], None]


class SinkHealth(msgspec.Struct, frozen=True):
    """The figures of one sink, for metrics, the health page and the end of a scan.

    `state` is None while all is well. `queued` counts alerts, and `oldest_ms` is the Unix time at
    which the oldest of them was entered. `dropped` counts alerts lost to a full spool or queue.
    `reason` belongs to the trouble.
    """

    name: str
    state: News | None = None
    queued: int = 0
    oldest_ms: int | None = None
    sent: int = 0
    retried: int = 0
    dead: int = 0
    dropped: int = 0
    last_sent_ms: int | None = None
    reason: str = ""

    def after(self, report: Report, step: Step, now_ms: int) -> SinkHealth:
        """The figures after a batch."""
        sent = len(step.acked)
        trouble = report.problem is not None or bool(step.dead)
        words = report.reason or (step.dead[0].reason if step.dead else "")
        return replace(
            self,
            state=step.state.reported,
            sent=self.sent + sent,
            retried=self.retried + step.retried,
            dead=self.dead + len(step.dead),
            last_sent_ms=now_ms if sent else self.last_sent_ms,
            # The reason outlives the batch for as long as the trouble that people know of.
            reason=words if trouble else (self.reason if step.state.reported else ""),
        )

    def words(self, news: News) -> str:
        """The line for people, written once for each change of state."""
        blocked = "takes nothing until this is put right; alerts are kept"
        refusing = "refuses one alert after the other; see `jwtleak state dead-letters`"
        return (
            f"sink {self.name}: "
            + {
                "failing": f"cannot deliver; alerts are kept and sent later: {self.reason}",
                "blocked": f"{blocked}: {self.reason}",
                "refusing": f"{refusing}: {self.reason}",
                "recovered": "delivers again",
            }[news]
        )


class Ready(NamedTuple):
    """A message that can be sent, with its number in the queue."""

    seq: int
    message: Message


class InFlight:
    """The batch between a sink's queue and the sink, in the order of the queue: read, not settled.

    Promises: an entry is acknowledged, becomes a dead letter, or is read again later. An entry that
    the sink accepted but that could not be acknowledged (a full disk) is acknowledged later and not
    sent again.
    """

    def __init__(self, queue: AlertQueue, rules: MessageRules, limits: BatchLimits) -> None:
        self._queue = queue
        self._rules = rules
        self._limits = limits
        self._ready: list[Ready] = []
        self._attempts: dict[int, int] = {}  # of entries that were sent and not accepted
        self._unacknowledged: list[int] = []  # accepted or unwanted, and still in the queue
        self.last = 0  # the highest number in flight; 0 where there is none

    @property
    def empty(self) -> bool:
        """Whether nothing is in flight."""
        return not self._ready and not self._unacknowledged

    def waiting(self) -> tuple[int, int | None]:
        """How many alerts wait for the sink, and the Unix milliseconds of the oldest."""
        return self._queue.depth(), self._queue.oldest_ms()

    def release(self) -> None:
        """Forget the messages that are ready: they are read again later."""
        self._hold([])

    def fill(self) -> tuple[bool, int]:
        """Read entries, if no message is ready. Returns whether there may be more behind them, and
        how many were unreadable.
        """
        if self._ready:
            return True, 0
        ready: list[Ready] = []
        unreadable = 0
        route, encode = self._rules
        entries = self._queue.pending(self._limits.messages, self._limits.size)
        for entry in entries:
            try:
                alert = decode(entry.body)
            except msgspec.DecodeError:
                # Written by another version, or damaged: no sink can have it. Kept as it is.
                self._queue.dead(entry.seq, "not an alert of this version", None, 0)
                unreadable += 1
                continue
            # Entries enter only the queues whose route wants them, but the condition in the
            # configuration may have changed since.
            if route is None or route.wants(alert):
                body = entry.body if encode is None else encode(alert)
                ready.append(Ready(entry.seq, Message(alert, entry.at_ms, body)))
            else:
                self._unacknowledged.append(entry.seq)
        # Attempts survive a release, so that a dead letter says how often it was sent.
        self._attempts = {
            entry.seq: self._attempts[entry.seq] for entry in ready if entry.seq in self._attempts
        }
        self._hold(ready)
        self.acknowledge()
        return bool(entries), unreadable

    def batch(self, most: int) -> list[Ready]:
        """The first messages, as many as may go at once; empty only when none is ready."""
        batch: list[Ready] = []
        size = 0
        for entry in self._ready[:most]:
            size += len(entry.message.body)
            # Formats may be longer than the stored JSON that `fill` counted. One message goes
            # whatever its size: the receiver decides whether it is too large.
            if batch and size > self._limits.size:
                break
            batch.append(entry)
        return batch

    def lingers(self, wall_ms: Callable[[], int]) -> bool:
        """Whether the messages should wait for more, since the batch is neither full nor old."""
        limits = self._limits
        if not limits.linger or not self._ready or len(self._ready) >= limits.messages:
            return False
        full = sum(len(entry.message.body) for entry in self._ready) >= limits.size // 2
        # A negative age is a wall clock that was set back: waiting for it could take years.
        return not full and 0 <= wall_ms() - self._ready[0].message.at_ms < limits.linger * 1000

    def settle(self, batch: list[Ready], step: Step) -> None:
        """Acknowledge accepted messages, make dead letters, count the attempts of the rest."""
        accepted = {batch[index].seq for index in step.acked}
        # First in memory, then in the store: when the store fails, a message that the sink accepted
        # must not be ready again. `last` covers the message until it has left the queue.
        self._unacknowledged += accepted
        self._hold([ready for ready in self._ready if ready.seq not in accepted])
        attempts = {entry.seq: self._attempts.pop(entry.seq, 0) + 1 for entry in batch}
        dead = {batch[entry.index].seq: entry for entry in step.dead}
        for seq, entry in dead.items():
            self._queue.dead(seq, entry.reason, entry.status, attempts[seq])
        self._hold([ready for ready in self._ready if ready.seq not in dead])
        self._attempts |= {seq: attempts[seq] for seq, _ in self._ready if seq in attempts}
        self.acknowledge()

    def acknowledge(self) -> None:
        """Remove from the queue what the sink accepted or does not want."""
        if self._unacknowledged:
            self._queue.ack(self._unacknowledged)
            self._unacknowledged = []
            self._hold(self._ready)

    def _hold(self, ready: list[Ready]) -> None:
        self._ready = ready
        self.last = max([0, *self._unacknowledged, *(entry.seq for entry in ready[-1:])])


class Sender:
    """Drains one queue into one sink. `step` does one thing; `run` is the thread.

    `open_queue` is called in the thread that uses the queue: SQLite wants its connections there.
    """

    def __init__(
        self,
        settings: SinkSettings,
        sink: Sink,
        rules: MessageRules,
        open_queue: Callable[[], AlertQueue],
        say: Say,
        clock: Clock,
    ) -> None:
        self.name = settings.title
        self.health = SinkHealth(self.name)
        self.queue_limit: int | None = settings.get("queue", None)  # bytes
        self.when_full: WhenFull = settings.get("when_full", "wait")
        self._sink = sink
        self._rules = rules
        self._open_queue = open_queue
        self._queue: AlertQueue | None = None
        self._in_flight: InFlight | None = None
        self._filling = threading.Lock()
        self._say = say
        self._clock = clock
        self._rate: float | None = settings.get("rate", None)
        self._limits = limits_of(settings, sink.limits)
        self._state = RetryState()
        self._not_before = self._counted_at = float("-inf")
        self._wake = threading.Event()
        self._reopen = self._hurry = self._draining = self._stopping = False

    def poke(self) -> None:
        """There may be something to send."""
        self._wake.set()

    def reopen(self) -> None:
        """Files were rotated, certificates or credentials renewed: open them again, try at once."""
        self._reopen = True
        self._wake.set()

    def drain(self) -> None:
        """End when the queue is empty; a wait that is running ends now."""
        self._draining = self._hurry = True
        self._wake.set()

    def stop(self) -> None:
        """End now."""
        self._stopping = True
        self._wake.set()

    def drop_oldest(self, drop: Callable[[int], int]) -> int:
        """Call `drop` with the number up to which nothing may be dropped (0: everything may).

        For the thread that has the store: it alone decides what is dropped, also while this
        sender's thread hangs in `send`.
        """
        # The lock keeps `fill` from reading entries between the two: they would be sent, and
        # counted as dropped too. Nothing else needs it: `last` is one number, and it only covers
        # more than is in flight while a batch is settled.
        with self._filling:
            return drop(0 if self._in_flight is None else self._in_flight.last)

    def run(self) -> None:
        """The thread."""
        try:
            while not self._stopping:
                # Cleared before the step: a poke during it is for entries that it may have missed.
                self._wake.clear()
                wait = self._guarded_step()
                if self._draining and wait > 0 and self._done():
                    break
                if wait > 0 and not self._stopping:
                    self._wake.wait(wait)
            self._done()  # counts once more, for the figures at the end
        finally:
            self.close()

    def close(self) -> None:
        """Close the sink and the queue."""
        self._sink.close()
        if self._queue is not None:
            self._queue.close()

    def _guarded_step(self) -> float:
        try:
            return self.step()
        except JwtleakError as error:
            # The store cannot be used, because the disk is full, say. The thread that commits
            # reports that.
            words = str(error)
        except Exception as error:
            words = place_of(error)
            self._say(f"sink {self.name}: {words}")
        self.health = replace(self.health, state="failing", reason=words)
        if self._in_flight is not None:
            self._in_flight.release()
        self._not_before = self._clock.monotonic() + _BROKEN_WAIT
        return IDLE

    def _done(self) -> bool:
        """Whether the queue is empty."""
        if self._in_flight is None:
            return False
        try:
            self._count(self._in_flight, self._clock.monotonic())
        except JwtleakError:
            return False
        return self._in_flight.empty and self.health.queued == 0

    def step(self) -> float:
        """Send one batch, if it is time. Returns the seconds until the next step."""
        if self._in_flight is None:
            self._queue = self._open_queue()
            self._in_flight = InFlight(self._queue, self._rules, self._limits)
        in_flight = self._in_flight
        if self._reopen:
            self._reopen = False
            self._sink.reopen()
            self._hurry = True
        if self._hurry:
            self._hurry = False
            self._not_before = float("-inf")
        # Before anything is read: entries that the sink has must not come back into the batch.
        in_flight.acknowledge()
        now = self._clock.monotonic()
        # Before the wait is looked at: the figures grow while a sink is in trouble.
        if now - self._counted_at >= _COUNT_EVERY:
            self._count(in_flight, now)
        if self._not_before > now:
            return min(self._not_before - now, IDLE)
        with self._filling:
            more, unreadable = in_flight.fill()
        if unreadable:
            self.health = replace(self.health, dead=self.health.dead + unreadable)
        # At the end nothing more comes that a batch could wait for.
        if not self._draining and in_flight.lingers(self._clock.wall_ms):
            in_flight.release()
            more = False
        batch = in_flight.batch(batch_size(self._state, self._limits.messages))
        if not batch:
            self._sink.idle()
            return 0.0 if more else IDLE
        if self._state.blocked:
            # A renewed certificate or credential is used only after it is read again.
            self._sink.reopen()
        report = self._send(batch)
        step = decide(self._state, report, self._clock.chance())
        self._state = step.state
        self.health = self.health.after(report, step, self._clock.wall_ms())
        wait = max(step.wait, len(batch) / self._rate if self._rate else 0.0)
        # Before the batch is settled, which may fail: the wait holds for that case too.
        self._not_before = self._clock.monotonic() + wait
        if step.news is not None:
            self._say(self.health.words(step.news))
        in_flight.settle(batch, step)
        if wait > 0:
            # The queue may run over before the wait ends: nothing of it is protected meanwhile.
            in_flight.release()
        return min(wait, IDLE)

    def _send(self, batch: list[Ready]) -> Report:
        try:
            return self._sink.send([entry.message for entry in batch])
        except JwtleakError as error:
            return failed(len(batch), "blocked", str(error))
        except Exception as error:
            # A bug in a sink. `busy`: the alerts stay, and the waits grow.
            return failed(len(batch), "busy", place_of(error))

    def _count(self, in_flight: InFlight, now: float) -> None:
        self._counted_at = now
        queued, oldest = in_flight.waiting()
        self.health = replace(self.health, queued=queued, oldest_ms=oldest)


def limits_of(settings: SinkSettings, limits: BatchLimits) -> BatchLimits:
    """The limits of the settings, or the sink's own.

    With a rate no more go at once than in a second. With a queue a batch is at most half of it: the
    newest alerts have the other half while the batch is in flight.
    """
    messages = settings.get("batch", limits.messages)
    size = settings.get("batch_bytes", limits.size)
    rate, queue = settings.get("rate", None), settings.get("queue", None)
    return BatchLimits(
        messages if rate is None else min(messages, max(1, int(rate))),
        size if queue is None else min(size, queue // 2),
        settings.get("linger", limits.linger),
    )
