"""The fault matrix: a real store, a real sink over HTTP, a receiver that fails in every way; beside
it a sink that works.

Held for each fault: nothing is lost, what arrives twice has the same id, and the other sink is on
time.
"""

from __future__ import annotations

import socket
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from receiving import Answer, Bulk, Web
from sending import ManualClock, ScriptedSink, alert

from jwtleak.alerts.alert import to_json
from jwtleak.runtime.delivery.messages import rules_of
from jwtleak.runtime.delivery.sender import Sender
from jwtleak.sinks.interface import ACCEPTED, AGAIN, Message, Report, Sink, open_sink
from jwtleak.sinks.settings import SinkSettings, from_url
from jwtleak.store import Commit, OutboxEntry, Store

COUNT = 40
IDS = {alert(number).id for number in range(COUNT)}


def entries(first: int, count: int) -> list[OutboxEntry]:
    """Alerts from `first` on."""
    made = [alert(number) for number in range(first, first + count)]
    return [
        OutboxEntry(
            id=one.id,
            fingerprint=one.token.sha256,
            severity="high",
            event="leak",
            body=to_json(one),
        )
        for one in made
    ]


class Matrix:
    """Two sinks over one store, stepped together by a clock that is turned."""

    def __init__(self, directory: Path, url: str) -> None:
        self.clock = ManualClock()
        self.said: list[str] = []
        self.store = Store.open(directory / "state")
        settings = [from_url(url), from_url(f"file:{directory}/other")]
        self.store.register([one.title for one in settings])
        self.store.commit(Commit(alerts=entries(0, COUNT), at_ms=1))
        self.senders = [self._sender(one, open_sink(one)) for one in settings]
        self.other = directory / "other"

    def _sender(self, settings: SinkSettings, sink: Sink) -> Sender:
        open_queue = lambda: self.store.queue(settings.title)  # noqa: E731
        return Sender(
            settings, sink, rules_of(settings, sink), open_queue, self.said.append, self.clock
        )

    def run(self, done: Callable[[], bool], limit: int = 3000) -> float:
        """Step both, a quarter of a second at a time, until it is done; gives the seconds that
        passed.
        """
        began = self.clock.now
        for _ in range(limit):
            for sender in self.senders:
                sender.step()
            if done():
                return self.clock.now - began
            self.clock.now += 0.25
        raise AssertionError("never done")

    def on_time(self) -> bool:
        """Whether the other sink has everything."""
        return self.other.exists() and self.other.read_bytes().count(b"\n") == COUNT

    def close(self) -> None:
        """Close everything."""
        for sender in self.senders:
            sender.close()
        self.store.close()


FAULTS: dict[str, list[Answer]] = {
    "hanging": [Answer(fault="hang")],
    "acknowledgement lost": [Answer(fault="lost")],
    "killed in the middle of a batch": [Answer(fault="reset")],
    "killed again and again": [Answer(fault="reset"), Answer(fault="lost")] * 4,
    "not _bulk": [Answer(200, b"<html>")],
    "a redirect": [Answer(302, headers={"location": "http://127.0.0.1:1/"})],
    "too large": [Answer(413), Answer(413), Answer(413)],
    "patience": [Answer(429, headers={"retry-after": "30"})],
    **{
        str(status): [Answer(status)] * 2
        for status in (401, 403, 404, 408, 429, 500, 502, 503, 504)
    },
}


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost(fault: str, tmp_path: Path) -> None:
    """Whatever the receiver does first, every alert is there in the end, and none is put aside."""
    bulk = Bulk()
    # What is lost on the way back has arrived: the receiver keeps it before the answer is lost.
    with Web(*FAULTS[fault], otherwise=bulk) as web:
        web.keep = bulk
        matrix = Matrix(tmp_path, f"elastic+http://{web.address}?timeout=0.2")
        try:
            matrix.senders[0].step()
            matrix.senders[1].step()
            assert matrix.on_time()
            matrix.run(lambda: set(bulk.documents) == IDS and matrix.store.spool_bytes() == 0)
            health = matrix.senders[0].health
        finally:
            web.closing.set()
            matrix.close()
    assert (health.sent, health.dead) == (COUNT, 0)


def test_down_at_start_and_for_a_minute(tmp_path: Path) -> None:
    """A receiver that is not there is asked less and less often; soon after it came back everything
    is there.
    """
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    matrix = Matrix(tmp_path, f"elastic+http://127.0.0.1:{port}")
    bulk = Bulk()
    try:
        matrix.run(lambda: matrix.clock.now >= 1060)
        assert matrix.on_time()
        assert matrix.senders[0].health.state == "failing"
        assert matrix.senders[0].health.retried < COUNT * 8
        with Web(otherwise=bulk, port=port):
            seconds = matrix.run(lambda: set(bulk.documents) == IDS)
    finally:
        matrix.close()
    assert seconds <= 60
    assert bulk.again == 0
    assert [one.partition(": ")[2].partition(";")[0] for one in matrix.said] == [
        "cannot deliver",
        "delivers again",
    ]


def test_a_restart_loses_nothing_and_keeps_ids(tmp_path: Path) -> None:
    """The program dies after the receiver accepted a batch and before it knew: the same ids arrive
    again.
    """
    bulk = Bulk()
    with Web(Answer(fault="lost"), otherwise=bulk) as web:
        web.keep = bulk
        for _ in range(2):
            matrix = Matrix(tmp_path, f"elastic+http://{web.address}")
            try:
                for sender in matrix.senders:
                    sender.step()
            finally:
                matrix.close()
    assert set(bulk.documents) == IDS
    assert bulk.again == COUNT


def test_an_event_that_is_too_large_is_put_aside_alone(tmp_path: Path) -> None:
    """The receiver accepts at most 30 kB at once; one alert alone is larger."""
    bulk = Bulk()

    def narrow(request: object) -> Answer:
        return Answer(413) if len(request.raw) > 30_000 else bulk(request)  # type: ignore[attr-defined,arg-type]

    with Web(otherwise=narrow) as web:
        matrix = Matrix(tmp_path, f"elastic+http://{web.address}?compress=false&format=json")
        huge = to_json(alert(77, advice=("x" * 40_000,)))
        big = OutboxEntry(
            id=alert(77).id, fingerprint="0" * 64, severity="high", event="leak", body=huge
        )
        matrix.store.commit(Commit(alerts=[big], at_ms=1))
        try:
            matrix.run(lambda: set(bulk.documents) == IDS and matrix.store.spool_bytes() == 0)
            health = matrix.senders[0].health
        finally:
            matrix.close()
    assert (health.sent, health.dead) == (COUNT, 1)


@pytest.mark.slow
def test_memory_stays_flat_while_a_hundred_thousand_wait(tmp_path: Path) -> None:
    """A receiver accepts one alert a second: what waits is on disk, and a batch of it in memory."""

    def one(messages: Sequence[Message]) -> Report:
        return Report((ACCEPTED, *(AGAIN,) * (len(messages) - 1)), "busy", "slow", 429, 1.0)

    sink = ScriptedSink(*[one] * 60)
    settings = from_url("stdout")
    with Store.open(tmp_path / "state") as store:
        store.register(["stdout"])
        for first in range(0, 100_000, 10_000):
            store.commit(Commit(alerts=entries(first, 10_000), at_ms=1))
        clock = ManualClock()
        sender = Sender(
            settings,
            sink,
            rules_of(settings, sink),
            lambda: store.queue("stdout"),
            lambda _: None,
            clock,
        )
        try:
            sender.step()
            tracemalloc.start()
            for _ in range(240):
                sender.step()
                clock.now += 0.25
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            sender.close()
    assert sender.health.sent >= 50
    assert sender.health.queued > 99_000
    assert peak < 2 << 20
