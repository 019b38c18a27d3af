"""One sink's sender, stepped with a manual clock."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sending import ManualClock, MemoryQueue, ScriptedSink, alert

from jwtleak.alerts.alert import to_json
from jwtleak.errors import StoreFull, UsageError
from jwtleak.runtime.delivery.messages import rules_of
from jwtleak.runtime.delivery.sender import IDLE, Sender
from jwtleak.sinks.interface import BatchLimits, Message, Report, failed
from jwtleak.sinks.settings import SinkSettings

Answer = Callable[[Sequence[Message]], Report]


def busy(messages: Sequence[Message]) -> Report:
    """503."""
    return failed(len(messages), "busy", "HTTP 503", 503)


def blocked(messages: Sequence[Message]) -> Report:
    """401."""
    return failed(len(messages), "blocked", "HTTP 401", 401)


class Bench:
    """A sender with everything around it."""

    def __init__(self, *answers: Answer | Exception, count: int = 3, **settings: Any) -> None:
        self.queue = MemoryQueue()
        self.queue.put(to_json(alert(number)) for number in range(count))
        self.sink = ScriptedSink(*answers)
        self.clock = ManualClock()
        self.said: list[str] = []
        configured = SinkSettings(url="stdout", **settings)
        self.sender = Sender(
            configured,
            self.sink,
            rules_of(configured, self.sink),
            lambda: self.queue,
            self.said.append,
            self.clock,
        )

    def steps(self, seconds: float) -> None:
        """Let time pass in quarters of a second."""
        for _ in range(int(seconds * 4)):
            self.sender.step()
            self.clock.now += 0.25


def test_what_waits_is_sent_and_acknowledged() -> None:
    """Afterwards the sender only polls now and then."""
    bench = Bench()
    assert bench.sender.step() == 0
    assert bench.sender.step() == IDLE
    assert (len(bench.sink.sent), bench.queue.alerts, bench.sink.idled) == (1, {}, 1)


def test_trouble_is_waited_out() -> None:
    """Waits double: three failures take seven seconds; nothing is lost, and nothing is sent in
    between.
    """
    bench = Bench(busy, busy, busy)
    bench.steps(6.75)
    assert len(bench.sink.sent) == 3
    bench.steps(0.5)
    assert bench.sink.sent[3] == bench.sink.sent[0]
    assert (bench.queue.alerts, bench.sender.health.sent, bench.sender.health.retried) == ({}, 3, 9)


def test_new_alerts_do_not_shorten_a_wait() -> None:
    """A poke while a receiver is in trouble is no reason to press it."""
    bench = Bench(busy)
    bench.sender.step()
    bench.sender.poke()
    bench.sender.step()
    assert len(bench.sink.sent) == 1


def test_an_open_circuit_sends_one_message_as_a_probe() -> None:
    """After five failures one message at a time goes out. People hear of it once, and again
    when it works.
    """
    bench = Bench(*[busy] * 8)
    bench.steps(400)
    assert [len(one) for one in bench.sink.sent] == [3] * 5 + [1] * 4 + [2]
    assert bench.said == [
        "sink stdout: cannot deliver; alerts are kept and sent later: HTTP 503",
        "sink stdout: delivers again",
    ]


def test_a_block_is_reported_at_once_and_credentials_are_read_again() -> None:
    """One loud warning; credentials and certificates are read again before each attempt."""
    bench = Bench(blocked, blocked)
    bench.steps(5)
    assert bench.said == [
        "sink stdout: takes nothing until this is put right; alerts are kept: HTTP 401"
    ]
    assert bench.sender.health.state == "blocked"
    bench.steps(16)
    assert (bench.sink.reopened, bench.queue.alerts, bench.sender.health.state) == (2, {}, None)


def test_reopen_tries_at_once() -> None:
    """SIGHUP ends a wait: whoever put the trouble right should not wait minutes."""
    bench = Bench(blocked)
    bench.sender.step()
    bench.sender.reopen()
    bench.sender.step()
    bench.sender.step()
    assert bench.queue.alerts == {}


def test_refused_messages_are_put_aside() -> None:
    """Poison is found by halving and put away with the receiver's words; the others arrive."""

    def picky(messages: Sequence[Message]) -> Report:
        bad = any(one.alert.location.offset == 5 for one in messages)
        return (
            failed(len(messages), "poison", "HTTP 400 no", 400)
            if bad
            else Report(ScriptedSink().send(messages).outcomes)
        )

    bench = Bench(*[picky] * 20, count=8)
    for _ in range(20):
        bench.sender.step()
    assert bench.queue.dead_letters == {6: ("HTTP 400 no", 400, 3)}
    assert bench.queue.alerts == {}
    assert bench.sender.health.dead == 1


def test_a_rate_is_kept() -> None:
    """At two a second, ten alerts take five seconds, two at a time."""
    bench = Bench(count=10, rate=2.0)
    bench.steps(4.25)
    assert [len(one) for one in bench.sink.sent] == [2] * 5
    assert bench.queue.alerts == {}


def test_a_batch_may_linger_for_more() -> None:
    """With `linger` a small batch waits for others, and goes when it is old enough."""
    bench = Bench(count=0, linger=3.0)
    bench.queue._clock = bench.clock.wall_ms
    bench.queue.put([to_json(alert(1))])
    bench.steps(2)
    bench.queue.put([to_json(alert(2))])
    bench.steps(1)
    assert bench.sink.sent == []
    bench.steps(0.5)
    assert [len(one) for one in bench.sink.sent] == [2]


@pytest.mark.parametrize(
    "error", [ValueError("a value"), UsageError("credential gone"), OSError(5, "io")]
)
def test_a_sink_that_raises_loses_nothing(error: Exception) -> None:
    """The alerts stay and are sent again; what a bug's exception holds is not shown."""
    bench = Bench(error)
    bench.sender.step()
    reason = bench.sender.health.reason
    assert reason == "credential gone" or re.fullmatch(
        r"internal error: \w+ at jwtleak\.runtime\.delivery\.sender:\d+", reason
    )
    bench.steps(10)
    assert bench.queue.alerts == {}


def test_a_broken_state_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the queue cannot be read or written the thread lives on and says so in its figures."""
    bench = Bench()
    with monkeypatch.context() as broken:
        broken.setattr(bench.queue, "depth", lambda: (_ for _ in ()).throw(StoreFull("disk full")))
        assert bench.sender._guarded_step() == IDLE
        assert (bench.sender.health.state, bench.sender.health.reason) == ("failing", "disk full")
    bench.clock.now += 6
    bench.sender._guarded_step()
    assert bench.queue.alerts == {}
    assert bench.sender.health.state is None


def test_memory_holds_one_batch() -> None:
    """Of a long queue no more than a batch is read at a time."""
    bench = Bench(busy, count=500)
    asked: list[int] = []
    pending = bench.queue.pending
    bench.queue.pending = lambda limit, size: asked.append(limit) or pending(limit, size)  # type: ignore[func-returns-value,method-assign]
    for _ in range(8):
        bench.sender.step()
        bench.clock.now += 2
    assert set(asked) == {100}
    assert [len(one) for one in bench.sink.sent][:3] == [100] * 3


def test_the_thread_drains_and_ends() -> None:
    """Asked to drain, it sends what is left, at once even in a wait, and closes sink and queue."""
    bench = Bench(busy, count=5)
    bench.sink.limits = BatchLimits(2, 1 << 20)
    thread = threading.Thread(target=bench.sender.run)
    thread.start()
    bench.sender.drain()
    thread.join(10)
    assert not thread.is_alive()
    assert (bench.queue.alerts, bench.sink.closed, bench.queue.closed) == ({}, True, True)


def test_the_thread_stops_when_asked() -> None:
    """What could not be sent stays in the queue."""
    bench = Bench(*[blocked] * 100)
    thread = threading.Thread(target=bench.sender.run)
    thread.start()
    bench.sender.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert len(bench.queue.alerts) == 3
    assert bench.sink.closed
