"""The loop over records, stepped without time or threads over a source that follows a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from json import loads
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from generated_logs import logs
from hypothesis import given, settings
from hypothesis import strategies as st
from minting import jws
from msgspec.structs import replace
from tailing import Clock, Keeper, Watch, leak, name

from jwtleak.alerts.builder import AlertContext
from jwtleak.alerts.wire import Selection
from jwtleak.core.channel import Channels
from jwtleak.core.engine import Engine
from jwtleak.core.regions import LOOKAHEAD, LOOKBACK
from jwtleak.errors import SourceError
from jwtleak.patterns import load_channels
from jwtleak.runtime.clock import Clocks
from jwtleak.runtime.scan.stdin import CONTEXT_WAIT, GROWING_WAIT
from jwtleak.runtime.service.limiter import Limiter
from jwtleak.runtime.tail import records as module
from jwtleak.runtime.tail.alerting import AlertEmitter, Rollup
from jwtleak.runtime.tail.checkpoint import Checkpoint
from jwtleak.runtime.tail.heartbeat import Heartbeat
from jwtleak.runtime.tail.output import TailOutput
from jwtleak.runtime.tail.records import RecordLoop, RecordMarks
from jwtleak.sources.interface import Record
from jwtleak.store import Store
from jwtleak.types import Channel, Context, StreamInfo

CHANNELS = Channels(load_channels())


class Script:
    """A source whose records are the pieces of `data`, cut at `cuts`. A position is an offset."""

    title = "a script"
    warning = None

    def __init__(self, data: bytes, cuts: Sequence[int] = (), *, again: bool = True) -> None:
        self.records: list[Record] = []
        bounds = sorted({0, len(data), *cuts})
        for start, stop in pairwise(bounds):
            position = b"%d" % start if again else b""
            self.records.append(Record("a", position, data[start:stop]))
        self.at = 0
        self.end = True  # it is over behind the last record
        self.broken = False
        self.committed: dict[str, bytes] = {}
        self.wakes = self.polls = 0

    @property
    def ended(self) -> bool:
        """Whether all records were polled."""
        return self.end and self.at == len(self.records)

    def go_to(self, positions: Mapping[str, bytes]) -> None:
        """A new process begins at these."""
        starts = [record.position for record in self.records]
        self.at = starts.index(positions["a"]) if positions else 0

    def info(self, stream: str) -> StreamInfo:
        """What alerts show."""
        return StreamInfo("script", stream)

    def poll(self, seconds: float) -> list[Record]:
        """The next record."""
        self.polls += 1
        if self.broken:
            raise SourceError(self.title, "input/output error")
        found = self.records[self.at : self.at + 1]
        self.at += len(found)
        return found

    def commit(self, positions: Mapping[str, bytes]) -> None:
        """Noted."""
        self.committed.update(positions)

    def wake(self) -> None:
        """Noted."""
        self.wakes += 1

    def close(self) -> None:
        """Nothing is open."""


class Rig:
    """A loop over a script. `start` is a new process with the same state."""

    def __init__(self, directory: Path, source: Script, **more: Any) -> None:
        self.directory, self.source, self.clock = directory, source, Clock()
        self._window, self._rate = more.get("window", 60.0), more.get("rate")
        self.paused = False
        self.slept = 0.0
        self.ids: list[str] = []  # of all alerts that were committed, over all processes
        self.start()

    def start(self) -> None:
        """Open the state, and go on from it."""
        self.store = Keeper(Store.open(self.directory))
        self.store.store.register(["stdout"])
        self.watch = Watch()
        positions = self.store.store.positions("script")
        self.source.go_to({one.stream: one.position for one in positions})
        clock = self.clock
        clocks = Clocks(lambda: clock.wall, lambda: clock.steady)
        rollup = Rollup(self.store, int(self._window * 1000), clocks.even())
        context = AlertContext(0.0, "host", b"k" * 32)
        output = TailOutput(
            emitter=AlertEmitter(
                lambda now: replace(context, now=now),
                Selection(min_confidence="low"),
                rollup,
                clocks.wall,
            ),
            rollup=rollup,
            heartbeat=Heartbeat(None, "host"),
            checkpoint=Checkpoint(
                self.store, RecordMarks(self.source, "script"), rollup, clocks.steady
            ),
            backpressure=self,
            observer=self.watch,
            poke=lambda: None,
            clocks=clocks,
        )
        self.loop = RecordLoop(
            self.source,
            positions,
            output,
            lambda: Engine(CHANNELS, None, None),
            Limiter(self._rate, clocks.steady),
            self._sleep,
        )
        self.loop.begin()

    def active(self) -> bool:
        """Backpressure."""
        return self.paused

    def _sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.clock.pass_(seconds)

    def step(self, seconds: float = 0.0) -> None:
        """One step, after some time."""
        self.clock.pass_(seconds)
        self.loop.step()

    def crash(self) -> None:
        """kill -9, and a new process."""
        self.close()
        self.start()

    def close(self) -> None:
        """The process is gone; what it committed stays."""
        self.ids += [entry.id for entry in self.store.alerts]
        self.store.store.close()

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The alerts of this process."""
        return [loads(entry.body) for entry in self.store.alerts]


def expected(data: bytes) -> list[str]:
    """The ids that `scan --every` gives."""
    engine = Engine(CHANNELS, None, None)
    found = engine.feed(data) + engine.close()
    return [engine.occurrence(finding) for finding in found]


@settings(max_examples=40, deadline=None)
@given(logs(), st.lists(st.integers(0, 1 << 30), max_size=8), st.sets(st.integers(0, 8)))
def test_crashes_anywhere_lose_and_repeat_no_alert(
    data: bytes, cuts: list[int], crashes: set[int]
) -> None:
    """However the records are cut, and after whichever a process dies, each occurrence has its
    alert once, with the id that `scan` gives it.
    """
    source = Script(data, [cut % (len(data) + 1) for cut in cuts])
    with TemporaryDirectory() as directory:
        rig = Rig(Path(directory), source, window=0.0)
        for number in range(len(source.records)):
            rig.step()
            if number in crashes:
                rig.crash()
                while source.at <= min(number, len(source.records) - 1):
                    rig.step()
        while not rig.loop.ended:
            rig.step()
        rig.loop.run()
        rig.close()
    assert sorted(rig.ids) == sorted(expected(data))


def test_only_a_little_is_repeated(tmp_path: Path) -> None:
    """After a crash far into a stream, records are repeated from as far back as a token could
    reach; lines, columns and ids are those of the whole stream.
    """
    filler = b"2026-01-15T12:00:00Z nothing of interest in this line of the log\n" * 8000
    data = leak(0) + filler + leak(1) + leak(2)
    source = Script(data, range(0, len(data) - 1000, 10_000))
    rig = Rig(tmp_path, source)
    while source.at < len(source.records) - 1:
        rig.step()
    rig.clock.pass_(2.0)
    rig.loop.output.commit_if_due()
    (position,) = rig.store.store.positions("script")
    assert 0 < position.offset - LOOKBACK - LOOKAHEAD - position.start < 10_000 + module._MARK_BYTES
    assert (position.lines, len(position.identity)) == (
        data.count(b"\n", 0, position.offset),
        32,
    )
    assert source.committed == {"a": position.position}
    rig.crash()
    assert source.at == position.start // 10_000
    while not rig.loop.ended:
        rig.step()
    rig.loop.run()
    found = rig.alerts
    rig.close()
    assert sorted(rig.ids) == sorted(expected(data))
    assert [(one["location"]["line"], one["location"]["column"]) for one in found] == [
        (8002, 43),
        (8003, 43),
    ]


def test_a_token_that_is_split_and_waits(tmp_path: Path) -> None:
    """A token at the end of what is there is reported after a second; when more comes, the longer
    one names the alert that it replaces.
    """
    line = leak(1)
    stop = line.index(b" HTTP")
    source = Script(line, [stop - 20, stop])
    source.end = False
    rig = Rig(tmp_path, source)
    rig.step()
    assert rig.alerts == []
    source.at = 99  # the writer pauses
    rig.step(GROWING_WAIT)
    (early,) = rig.alerts
    source.at = 1
    rig.step()
    rig.step()
    rig.step(CONTEXT_WAIT)
    assert [one.get("supersedes") for one in rig.alerts] == [None, early["id"]]
    assert rig.alerts[1]["token"]["sha256"] == name(1)
    assert rig.alerts[1]["location"]["source"] == "script"
    rig.close()


def test_an_early_alert_is_known_after_a_crash(tmp_path: Path) -> None:
    """The new process replaces what the old one sent before the token had ended."""
    line = leak(1)
    source = Script(line, [line.index(b" HTTP") - 20])
    source.end = False
    rig = Rig(tmp_path, source)
    rig.step()
    source.at = 99  # the writer pauses
    rig.step(GROWING_WAIT)
    (early,) = rig.alerts
    rig.crash()
    rig.step()
    rig.step()
    rig.step(CONTEXT_WAIT)
    assert [one["supersedes"] for one in rig.alerts] == [early["id"]]
    rig.close()


def test_the_end_of_what_can_be_repeated(tmp_path: Path) -> None:
    """Repeats are summed up, and the position stays: another run reports only what is new."""
    source = Script(leak(1) + leak(1) + leak(2), [10])
    rig = Rig(tmp_path, source)
    rig.loop.run()
    assert [one["event"] for one in rig.alerts] == ["leak", "leak", "repeat"]
    rig.crash()
    rig.loop.run()
    assert rig.alerts == []
    assert len(rig.store.store.sightings()) == 2
    rig.close()


def test_the_end_of_what_cannot_be_repeated(tmp_path: Path) -> None:
    """Everything is reported, and nothing is remembered: the next input is another one."""
    source = Script(leak(1) + leak(1) + leak(2)[:-12], [10], again=False)
    rig = Rig(tmp_path, source)
    rig.loop.catch_up(0.0)
    assert [one["event"] for one in rig.alerts] == ["leak", "leak", "repeat"]
    assert rig.store.store.positions("script") == []
    assert rig.store.store.sightings() == []
    rig.close()


def test_a_stop(tmp_path: Path) -> None:
    """The source is woken. Records that cannot be repeated are reported before the program ends,
    others are left to the next start.
    """
    for again, count in ((False, 1), (True, 0)):
        source = Script(leak(1)[:-12], again=again)
        source.end = False
        rig = Rig(tmp_path / str(again), source)
        rig.step()
        rig.loop.stop()
        rig.loop.run()
        rig.loop.finish()
        assert (source.wakes, len(rig.alerts)) == (1, count)
        rig.loop.go_on()
        source.end = True
        rig.loop.run()
        rig.loop.finish()
        assert len(rig.alerts) == 1
        rig.close()


def test_pressure_and_a_rate_stop_the_polling(tmp_path: Path) -> None:
    """While alerts cannot be delivered, and under a limit of bytes a second, nothing is polled."""
    source = Script(leak(1) * 3, [len(leak(1)), 2 * len(leak(1))])
    rig = Rig(tmp_path, source, rate=10.0)
    rig.paused = True
    rig.step()
    assert source.polls == 0
    rig.paused = False
    rig.step()
    rig.step()
    assert source.polls == 1
    assert 0 < rig.loop.figures().throttled < rig.slept
    rig.close()


def test_a_source_that_breaks(tmp_path: Path) -> None:
    """The trouble is reported, so is what was read, and the loop ends."""
    source = Script(leak(1)[:-12])
    source.end = False
    rig = Rig(tmp_path, source)
    rig.step()
    source.broken = True
    rig.loop.run()
    assert rig.loop.ended
    assert [trouble.reason for trouble in rig.watch.troubles] == ["input/output error"]
    assert len(rig.alerts) == 1
    rig.close()


def test_what_the_source_knows(tmp_path: Path) -> None:
    """The time of a record is that of the findings that begin in it, and its context is what the
    stream is shown with.
    """
    token = jws({"n": 1}).encode()
    known = Context(channel=Channel("header", "x-token"), host="web-07")
    source = Script(b"")
    source.records = [
        Record("a", b"0", b"nothing\n"),
        Record("a", b"1", b"t=" + token + b"\n", 1_768_478_400_123, known),
        Record("a", b"2", b"u=" + jws({"n": 2}).encode() + b"\n"),
    ]
    rig = Rig(tmp_path, source)
    rig.loop.run()
    first, second = rig.alerts
    assert first["logged_at"] == "2026-01-15T12:00:00.123Z"
    assert "logged_at" not in second
    assert rig.loop.streams["a"].known_at(10) == (None, None)
    rig.close()


def test_engines_are_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are at most STREAMS of them; a stream that had none for a while has its lines, offsets
    and ids all the same.
    """
    monkeypatch.setattr(module, "STREAMS", 2)
    source = Script(b"")
    source.records = [
        Record(stream, b"%d" % number, leak(number))
        for number, stream in enumerate("abcabc", start=1)
    ]
    rig = Rig(tmp_path, source)
    rig.loop.run()
    assert len(rig.loop._readers) == 2
    by_stream = {one["token"]["sha256"]: one for one in rig.alerts}
    assert len(by_stream) == 6
    assert by_stream[name(4)]["location"]["line"] == 2
    assert by_stream[name(4)]["id"] in expected(leak(1) + leak(4))
    rig.close()
