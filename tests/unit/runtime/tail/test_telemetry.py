"""Words, numbers and health."""

from __future__ import annotations

import io
from pathlib import Path

from msgspec.structs import replace
from tailing import Clock, Rig, cursor, leak

from jwtleak.errors import StoreFull
from jwtleak.follow.interface import Ended, Mode, Opened, Trouble
from jwtleak.runtime.delivery.sender import SinkHealth
from jwtleak.runtime.service import metrics as m
from jwtleak.runtime.service.health import ServiceHealth
from jwtleak.runtime.service.log import Log
from jwtleak.runtime.service.metrics import MAX_SERIES, Metrics
from jwtleak.runtime.service.notify import Notifier
from jwtleak.runtime.tail.backpressure import Backpressure
from jwtleak.runtime.tail.readers import TailStream
from jwtleak.runtime.tail.telemetry import Reporter, Voices
from jwtleak.store import OutboxEntry, Store


class Setup:
    """A reporter, and all that it writes to."""

    def __init__(self, store: Store) -> None:
        self.clock, self.words = Clock(), io.StringIO()
        steady = self.steady
        log = Log(lambda: self.clock.wall, steady, stream=self.words)
        self.voices = Voices(log, Metrics(), ServiceHealth(steady), Notifier({}))
        self.sinks = [SinkHealth("stdout")]
        self.full: str | None = None  # the sink whose queue is
        self.backpressure = Backpressure(
            store, 1 << 20, "wait", steady, lambda _: None, lambda: self.full
        )
        self.reporter = Reporter(
            self.voices, self.backpressure, lambda: self.sinks, lambda: int(self.clock.wall * 1000)
        )

    def steady(self) -> float:
        """Seconds."""
        return self.clock.steady

    def said(self) -> list[str]:
        """The lines since this was asked last."""
        text = self.words.getvalue()
        self.words.seek(0)
        self.words.truncate()
        return text.splitlines()

    def value(self, metric: m.Metric, *labels: str) -> float:
        """A number."""
        return self.voices.metrics.value(metric, *labels)


def test_troubles_are_counted_and_said(tmp_path: Path) -> None:
    """By kind, with the path."""
    with Store.open(tmp_path) as store:
        setup = Setup(store)
        setup.reporter.trouble(Trouble("unreadable", "/logs/a", "permission denied"))
    assert setup.said() == ["jwtleak: warning: /logs/a: permission denied"]
    assert (setup.value(m.ERRORS, "unreadable"), setup.reporter.troubles) == (1, 1)


def test_polling_is_said_and_its_end(tmp_path: Path) -> None:
    """Events are what is expected: they are worth a word only after polling."""
    rig = Rig(tmp_path / "rig")
    with Store.open(tmp_path / "other") as store:
        setup = Setup(store)
        for mode in (
            Mode("/a", "events", "inotify"),
            Mode("/b", "polling", "nfs"),
            Mode("/b", "events", "inotify"),
        ):
            setup.reporter.mode(mode)
    first, second = setup.said()
    assert "/b: no events from here" in first
    assert "events come again" in second
    setup.reporter.tick(rig.loop.figures())
    assert setup.value(m.WATCH_MODE, "/b", "events") == 1
    assert setup.value(m.WATCH_MODE, "/b", "polling") == 0
    rig.close()


def test_modes_of_many_directories(tmp_path: Path) -> None:
    """Directories come and go for ever; those that changed last are remembered."""
    rig = Rig(tmp_path / "rig")
    with Store.open(tmp_path / "other") as store:
        setup = Setup(store)
        for number in range(5000):
            setup.reporter.mode(Mode(f"/{number}", "events", "inotify"))
        setup.reporter.tick(rig.loop.figures())
        assert len(setup.reporter._modes) == MAX_SERIES
        assert setup.value(m.WATCH_MODE, "/4999", "events") == 1
        assert setup.value(m.WATCH_MODE, "/0", "events") == 0
    rig.close()


def test_lost_bytes_are_said(tmp_path: Path) -> None:
    """With the path and the reason."""
    with Store.open(tmp_path) as store:
        setup = Setup(store)
        stream = TailStream(Opened("a", "/logs/a", cursor("a"), 0))
        setup.reporter.ended(stream, Ended("a", "truncated", 0))
        setup.reporter.ended(stream, Ended("a", "truncated", 120))
    assert setup.said() == [
        "jwtleak: warning: /logs/a: 120 bytes were gone before they could be read (truncated)"
    ]


def test_alerts_are_counted_by_severity(tmp_path: Path) -> None:
    """Repeats and heartbeats are no leaks."""
    entry = OutboxEntry(
        id="0" * 40, fingerprint="f" * 64, severity="high", event="leak", body=b"{}"
    )
    with Store.open(tmp_path) as store:
        setup = Setup(store)
        setup.reporter.emitted(
            [entry, replace(entry, event="repeat"), replace(entry, event="heartbeat")]
        )
    assert (setup.reporter.leaks, setup.value(m.ALERTS, "high")) == (1, 1)


def test_a_store_that_is_full(tmp_path: Path) -> None:
    """It is said once, shown in health and metrics, and said again when it is over."""
    rig = Rig(tmp_path / "rig")
    with Store.open(tmp_path / "other") as store:
        setup = Setup(store)
        checkpoint = rig.loop._checkpoint
        checkpoint.trouble = StoreFull("no space left on device")
        for _ in range(3):
            setup.reporter.checkpointed(checkpoint)
        (line,) = setup.said()
        assert "no space left on device" in line
        assert setup.voices.health.alive().body["status"] == "degraded"
        assert setup.value(m.STORE_STATE, "full") == 1
        checkpoint.trouble = None
        setup.reporter.checkpointed(checkpoint)
    assert setup.said() == ["jwtleak: the state can be written again"]
    assert setup.value(m.STORE_STATE, "ok") == 1
    rig.close()


def test_every_second(tmp_path: Path) -> None:
    """Lag, files, repeats, the spool and the queues are shown as they are; counters only grow over
    sessions.
    """
    rig = Rig(tmp_path / "rig")
    rig.files.open("a", leak(1) + leak(1))
    rig.run()
    rig.files.append("a", b"x" * 100)
    rig.loop._on(rig.files.events.pop())
    with Store.open(tmp_path / "other") as store:
        setup = Setup(store)
        setup.sinks[0] = SinkHealth(
            "stdout", "failing", 3, int(setup.clock.wall * 1000) - 5000, 7, reason="broken pipe"
        )
        for _ in range(2):
            setup.reporter.tick(rig.loop.figures())
        again = Reporter(
            setup.voices,
            setup.backpressure,
            lambda: [SinkHealth("stdout", "recovered", sent=7)],
            lambda: 0,
        )
        degraded = setup.voices.health.alive().body
        again.tick(rig.loop.figures())
    assert setup.value(m.FILES_FOLLOWED) == 1
    assert setup.value(m.LAG_BYTES) >= 100
    assert setup.value(m.REPEATS_SUPPRESSED) == 2  # one in each of two sessions
    assert setup.value(m.SINK_SENT, "stdout") == 7
    assert degraded["degraded"] == {"sink:stdout": "broken pipe"}
    assert setup.voices.health.alive().body["status"] == "ok"
    rig.close()


def test_a_full_spool(tmp_path: Path) -> None:
    """It is said, halts readiness, and is said again when there is room."""
    rig = Rig(tmp_path / "rig")
    with Store.open(tmp_path / "other") as store:
        setup = Setup(store)
        setup.voices.health.phase("following")
        setup.backpressure.full = True
        setup.reporter.tick(rig.loop.figures())
        assert not setup.voices.health.ready().good
        setup.backpressure.full = False
        setup.reporter.tick(rig.loop.figures())
        assert setup.voices.health.ready().good
    first, second = setup.said()
    assert "reading waits" in first
    assert "reading goes on" in second
    rig.close()


def test_a_full_queue(tmp_path: Path) -> None:
    """The sink that reading waits for is named."""
    rig = Rig(tmp_path / "rig")
    with Store.open(tmp_path / "other") as store:
        setup = Setup(store)
        setup.voices.health.phase("following")
        setup.full = "siem"
        assert setup.backpressure.active()
        for _ in range(2):
            setup.reporter.tick(rig.loop.figures())
        assert setup.voices.health.ready().body["degraded"] == {
            "queue": "that of sink siem is full: reading waits until it takes alerts"
        }
        assert not setup.voices.health.ready().good
        setup.backpressure.sink = None
        setup.reporter.tick(rig.loop.figures())
        assert setup.voices.health.ready().good
    first, second = setup.said()
    assert "the queue of sink siem is full: reading waits, nothing is dropped" in first
    assert "have room again: reading goes on" in second
    rig.close()
