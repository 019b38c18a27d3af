"""One sink's thread: takes letters from its mailbox, sends them, does what `decide` says.

Promises: it ends only when told to, and never raises; a sink in trouble delays nobody else; memory holds one batch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec

from jwtleak.errors import JwtleakError
from jwtleak.runtime.clock import Clock
from jwtleak.runtime.delivery.hand import Hand, Ready
from jwtleak.runtime.delivery.health import Health
from jwtleak.runtime.delivery.messages import Mailbox, Opener
from jwtleak.runtime.delivery.retry import State, batch_size, decide
from jwtleak.runtime.failure import place_of
from jwtleak.sinks.interface import Limits, Report, Sink, failed
from jwtleak.sinks.settings import SinkSettings
from jwtleak.types import WhenFull

# Seconds. How often a sink that has nothing to send looks up: at its connection, and for letters it was not told of.
IDLE = 1.0
# How often the queue is counted for `health`.
_COUNT_EVERY = 1.0
# The wait after a failure of the state or of this program.
_BROKEN_WAIT = 5.0

Say = Callable[[str], None]


class Worker:
    """Drains one mailbox into one sink. `step` does one thing; `run` is the thread."""

    def __init__(
        self, settings: SinkSettings, sink: Sink, open_letter: Opener, mailbox: Callable[[], Mailbox], say: Say, clock: Clock
    ) -> None:
        self.name = settings.title
        self.health = Health(self.name)
        self._sink = sink
        self._open_letter = open_letter
        self._open_mailbox = mailbox
        self._mailbox: Mailbox | None = None  # opened in the thread that uses it
        self._hand: Hand | None = None
        self._say = say
        self._clock = clock
        self.queue: int | None = settings.get("queue", None)
        self.when_full: WhenFull = settings.get("when_full", "wait")
        self._reading = threading.Lock()  # held while letters come into the hand
        self._rate: float | None = settings.get("rate", None)
        self._limits = limits_of(settings, sink.limits)
        self._state = State()
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
        """What `drop` gives, called with the number of the last letter in hand (0: none). Letters behind it may go: none of
        them comes into the hand meanwhile."""
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
        except JwtleakError as error:  # the state cannot be used: a full disk, say; who writes it says so too
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

    def _in_hand(self) -> Hand:
        if self._hand is None:
            self._mailbox = self._open_mailbox()
            self._hand = Hand(self._mailbox, self._open_letter, self._limits)
        return self._hand

    def _deliver(self, hand: Hand, batch: list[Ready]) -> float:
        if self._state.blocked:  # a renewed certificate or credential is used only after it is read again
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


def limits_of(settings: SinkSettings, limits: Limits) -> Limits:
    """The sink's own limits, or those of the settings. With a rate no more go at once than in a second; with a queue no more
    than half of it, so that the newest have the other half while a batch is on its way."""
    messages, size = settings.get("batch", limits.messages), settings.get("batch_bytes", limits.size)
    rate, queue = settings.get("rate", None), settings.get("queue", None)
    return Limits(
        messages if rate is None else min(messages, max(1, int(rate))),
        size if queue is None else min(size, queue // 2),
        settings.get("linger", limits.linger),
    )
