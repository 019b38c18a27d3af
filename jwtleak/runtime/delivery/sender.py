"""One sink's thread: takes letters from its mailbox, sends them, does what `decide` says.

Promises: it ends only when told to, and never raises; a sink in trouble delays nobody else; memory
holds one batch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from jwtleak.errors import JwtleakError, place_of
from jwtleak.runtime.clock import Clock
from jwtleak.runtime.delivery.messages import Opener, PendingQueue, Unreadable
from jwtleak.runtime.delivery.retry import News, RetryState, Step, batch_size, decide
from jwtleak.sinks.interface import BatchLimits, Message, Report, Sink, failed
from jwtleak.sinks.settings import SinkSettings
from jwtleak.types import WhenFull

# How a sink is: what metrics, the health page and the end of a scan tell.


class SinkHealth(msgspec.Struct, frozen=True):
    """One sink. `state` is None while all is well; `dropped` counts letters that went because the
    spool or its queue was full.
    """

    name: str
    state: News | None = None
    queued: int = 0
    oldest_ms: int | None = None  # Unix time of the oldest letter that waits
    sent: int = 0
    retried: int = 0
    dead: int = 0
    dropped: int = 0
    last_sent_ms: int | None = None
    reason: str = ""  # of the trouble

    def after(self, report: Report, step: Step, now_ms: int) -> SinkHealth:
        """After a batch."""
        sent = len(step.acked)
        trouble = report.problem is not None or bool(step.dead)
        said = report.reason or (step.dead[0].reason if step.dead else "")
        return msgspec.structs.replace(
            self,
            state=step.state.told,
            sent=self.sent + sent,
            retried=self.retried + step.retried,
            dead=self.dead + len(step.dead),
            last_sent_ms=now_ms if sent else self.last_sent_ms,
            reason=said if trouble else (self.reason if step.state.told else ""),
        )

    def words(self, news: News) -> str:
        """What people are told, once."""
        return (
            f"sink {self.name}: "
            + {
                "failing": f"cannot deliver; alerts are kept and sent later: {self.reason}",
                "blocked": f"takes nothing until this is put right; alerts are kept: {self.reason}",
                "refusing": f"refuses one alert after the other; see `jwtleak state dead-letters`: {self.reason}",
                "recovered": "delivers again",
            }[news]
        )


# The letters in hand: read from the mailbox, not yet settled. At most one batch of them, in the
# order of the queue.
#
# Promises: a letter leaves the hand when it is struck off, put aside, or read again later; one that
# was taken but could not be struck off (a full disk) is struck off later and not sent again.


class Ready(NamedTuple):
    """A letter that can be sent."""

    seq: int
    message: Message


class InFlight:
    """Letters between one mailbox and one sink."""

    def __init__(self, mailbox: PendingQueue, open_letter: Opener, limits: BatchLimits) -> None:
        self._mailbox = mailbox
        self._open_letter = open_letter
        self._limits = limits
        self._ready: list[Ready] = []
        self._attempts: dict[int, int] = {}  # of letters that were sent and not taken
        self._owed: list[int] = []  # taken, not yet struck off

    @property
    def empty(self) -> bool:
        """Whether there is nothing in hand."""
        return not self._ready and not self._owed

    @property
    def last(self) -> int:
        """The number of the last letter in hand, taken ones too until they are struck off; 0 where
        there is none. May be asked from any thread: both lists are replaced, never changed, and a
        letter is in one of them all the time.
        """
        ready, owed = self._ready, self._owed
        return max([0, *owed, *(one.seq for one in ready[-1:])])

    def drop(self) -> None:
        """What is ready is read again later."""
        self._ready = []

    def fill(self) -> tuple[bool, int]:
        """Read letters, if none is ready. Returns whether there may be more behind them, and how
        many were unreadable.
        """
        if self._ready:
            return True, 0
        ready: list[Ready] = []
        unwanted: list[int] = []
        unreadable = 0
        letters = self._mailbox.pending(self._limits.messages, self._limits.size)
        for letter in letters:
            try:
                message = self._open_letter(letter)
            except Unreadable:
                self._mailbox.dead(letter.seq, "not an alert of this version", None, 0)
                unreadable += 1
                continue
            if message is None:
                unwanted.append(letter.seq)
            else:
                ready.append(Ready(letter.seq, message))
        self._ready = ready
        self._attempts = {
            one.seq: self._attempts[one.seq] for one in ready if one.seq in self._attempts
        }
        self._owed = [*self._owed, *unwanted]
        self.pay()
        return bool(letters), unreadable

    def batch(self, most: int) -> list[Ready]:
        """The first of the ready, as many as may go at once; empty only when none is ready."""
        batch: list[Ready] = []
        size = 0
        for one in self._ready[:most]:
            size += len(one.message.body)
            if batch and size > self._limits.size:
                break
            batch.append(one)
        return batch

    def lingers(self, now_ms: int) -> bool:
        """Whether what is ready should wait for more, since it is no full batch and not old."""
        limits = self._limits
        if not limits.linger or not self._ready or len(self._ready) >= limits.messages:
            return False
        full = sum(len(one.message.body) for one in self._ready) >= limits.size // 2
        return not full and 0 <= now_ms - self._ready[0].message.at_ms < limits.linger * 1000

    def settle(self, batch: list[Ready], step: Step) -> None:
        """Strike off what was taken, put aside what is dead, count the attempts of the rest."""
        gone = {batch[index].seq for index in step.acked}
        for dead in step.dead:
            seq = batch[dead.index].seq
            self._mailbox.dead(seq, dead.reason, dead.status, self._attempts.get(seq, 0) + 1)
            gone.add(seq)
        for one in batch:
            if one.seq in gone:
                self._attempts.pop(one.seq, None)
            else:
                self._attempts[one.seq] = self._attempts.get(one.seq, 0) + 1
        # Owed before it is no longer ready: `last` looks in the other order.
        self._owed = [*self._owed, *(batch[index].seq for index in step.acked)]
        self._ready = [one for one in self._ready if one.seq not in gone]
        self.pay()

    def pay(self) -> None:
        """Strike off what is still owed."""
        if self._owed:
            self._mailbox.ack(self._owed)
            self._owed = []


# Seconds. How often a sink that has nothing to send looks up: at its connection, and for letters it
# was not told of.
IDLE = 1.0
# How often the queue is counted for `health`.
_COUNT_EVERY = 1.0
# The wait after a failure of the state or of this program.
_BROKEN_WAIT = 5.0

Say = Callable[[str], None]


class Sender:
    """Drains one mailbox into one sink. `step` does one thing; `run` is the thread."""

    def __init__(
        self,
        settings: SinkSettings,
        sink: Sink,
        open_letter: Opener,
        mailbox: Callable[[], PendingQueue],
        say: Say,
        clock: Clock,
    ) -> None:
        self.name = settings.title
        self.health = SinkHealth(self.name)
        self._sink = sink
        self._open_letter = open_letter
        self._open_mailbox = mailbox
        self._mailbox: PendingQueue | None = None  # opened in the thread that uses it
        self._hand: InFlight | None = None
        self._say = say
        self._clock = clock
        self.queue: int | None = settings.get("queue", None)
        self.when_full: WhenFull = settings.get("when_full", "wait")
        self._reading = threading.Lock()  # held while letters come into the hand
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
        """Files were rotated, certificates or credentials renewed: open anew and try at once."""
        self._reopen = True
        self._wake.set()

    def drain(self) -> None:
        """Come to an end when the queue is empty; a wait that is running ends now."""
        self._draining = self._hurry = True
        self._wake.set()

    def stop(self) -> None:
        """Come to an end now."""
        self._stopping = True
        self._wake.set()

    def trim(self, drop: Callable[[int], int]) -> int:
        """What `drop` gives, called with the number of the last letter in hand (0: none). Letters
        behind it may go: none of them comes into the hand meanwhile.
        """
        with self._reading:
            return drop(0 if self._hand is None else self._hand.last)

    def run(self) -> None:
        """The thread."""
        try:
            while not self._stopping:
                self._wake.clear()
                wait = self._guarded()
                if self._draining and wait > 0 and self._done():
                    break
                if wait > 0 and not self._stopping:
                    self._wake.wait(wait)
            self._done()  # the last figures
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the sink and the mailbox."""
        self._sink.close()
        if self._mailbox is not None:
            self._mailbox.close()

    def _guarded(self) -> float:
        try:
            return self.step()
        except (
            JwtleakError
        ) as error:  # the state cannot be used: a full disk, say; who writes it says so too
            words = str(error)
        except Exception as error:
            words = place_of(error)
            self._say(f"sink {self.name}: {words}")
        self.health = msgspec.structs.replace(self.health, state="failing", reason=words)
        if self._hand is not None:
            self._hand.drop()
        self._not_before = self._clock.monotonic() + _BROKEN_WAIT
        return IDLE

    def _done(self) -> bool:
        """Whether nothing waits any more."""
        if self._hand is None:
            return False
        try:
            self._count(self._clock.monotonic())
        except JwtleakError:
            return False
        return self._hand.empty and self.health.queued == 0

    def step(self) -> float:
        """Send one batch, if it is time. Returns the seconds until the next step."""
        hand = self._in_hand()
        if self._reopen:
            self._reopen = False
            self._sink.reopen()
            self._hurry = True
        if self._hurry:
            self._hurry = False
            self._not_before = float("-inf")
        hand.pay()
        now = self._clock.monotonic()
        if now - self._counted_at >= _COUNT_EVERY:
            self._count(now)
        if self._not_before > now:
            return min(self._not_before - now, IDLE)
        with self._reading:
            more, unreadable = hand.fill()
        if unreadable:
            self.health = msgspec.structs.replace(self.health, dead=self.health.dead + unreadable)
        if hand.lingers(self._clock.wall_ms()) and not self._draining:
            hand.drop()
            more = False
        batch = hand.batch(batch_size(self._state, self._limits.messages))
        if not batch:
            self._sink.idle()
            return 0.0 if more else IDLE
        return self._deliver(hand, batch)

    def _in_hand(self) -> InFlight:
        if self._hand is None:
            self._mailbox = self._open_mailbox()
            self._hand = InFlight(self._mailbox, self._open_letter, self._limits)
        return self._hand

    def _deliver(self, hand: InFlight, batch: list[Ready]) -> float:
        if (
            self._state.blocked
        ):  # a renewed certificate or credential is used only after it is read again
            self._sink.reopen()
        report = self._send(batch)
        step = decide(self._state, report, self._clock.chance())
        self._state = step.state
        self.health = self.health.after(report, step, self._clock.wall_ms())
        wait = max(step.wait, len(batch) / self._rate if self._rate else 0.0)
        self._not_before = self._clock.monotonic() + wait
        if step.news is not None:
            self._say(self.health.words(step.news))
        hand.settle(batch, step)
        if wait > 0:
            hand.drop()  # the queue may have to let go of it before the wait is over
        return min(wait, IDLE)

    def _send(self, batch: list[Ready]) -> Report:
        try:
            return self._sink.send([one.message for one in batch])
        except JwtleakError as error:
            return failed(len(batch), "blocked", str(error))
        except Exception as error:
            return failed(len(batch), "busy", place_of(error))

    def _count(self, now: float) -> None:
        assert self._mailbox is not None
        self._counted_at = now
        queued, oldest = self._mailbox.depth(), self._mailbox.oldest_ms()
        self.health = msgspec.structs.replace(self.health, queued=queued, oldest_ms=oldest)


def limits_of(settings: SinkSettings, limits: BatchLimits) -> BatchLimits:
    """The sink's own limits, or those of the settings. With a rate no more go at once than in a
    second; with a queue no more than half of it, so that the newest have the other half while a
    batch is on its way.
    """
    messages, size = (
        settings.get("batch", limits.messages),
        settings.get("batch_bytes", limits.size),
    )
    rate, queue = settings.get("rate", None), settings.get("queue", None)
    return BatchLimits(
        messages if rate is None else min(messages, max(1, int(rate))),
        size if queue is None else min(size, queue // 2),
        settings.get("linger", limits.linger),
    )
