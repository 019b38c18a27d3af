"""What the next transaction holds."""

from __future__ import annotations

import pytest
from tailing import Clock, Files, cursor

from jwtleak.errors import StoreFull
from jwtleak.follow.interface import Ended, Opened
from jwtleak.runtime.tail import checkpoint as module
from jwtleak.runtime.tail.alerting import Rollup
from jwtleak.runtime.tail.checkpoint import (
    IDLE_SECONDS,
    PRUNE_SECONDS,
    RETRY_SECONDS,
    Checkpoint,
    FileMarks,
)
from jwtleak.runtime.tail.readers import TailStream
from jwtleak.store import Commit, OutboxEntry, Sighting

ENTRY = OutboxEntry(
    id="0" * 40, fingerprint="f" * 64, severity="low", event="leak", body=b"{}" * 100
)


class Disk:
    """A store that can be full, and remembers nothing of sightings."""

    def __init__(self) -> None:
        self.full = False
        self.pruned: list[int] = []
        self.commits: list[Commit] = []

    def commit(self, batch: Commit) -> None:
        """Written, or not."""
        if self.full:
            raise StoreFull("no space left on device")
        self.commits.append(batch)

    def prune(self, now_ms: int) -> None:
        """Noted; fails when full."""
        self.pruned.append(now_ms)
        if self.full:
            raise StoreFull("no space left on device")

    def sighting(self, stream: str, sha256: str) -> Sighting | None:
        """Nothing."""

    def sightings(self, stream: str | None = None) -> list[Sighting]:
        """Nothing."""
        return []

    def due(self, now_ms: int, limit: int = 1000) -> list[Sighting]:
        """Nothing."""
        return []


class Setup:
    """A checkpoint over a disk."""

    def __init__(self) -> None:
        self.clock, self.disk, self.files = Clock(), Disk(), Files()
        self.checkpoint = Checkpoint(
            self.disk,
            FileMarks(self.files),
            Rollup(self.disk, 1000, lambda: 0),
            lambda: self.clock.steady,
        )

    def stream(self, name: str, offset: int = 5) -> TailStream:
        """A stream that was judged up to `offset`."""
        self.files.data[name] = b"x" * 10
        stream = TailStream(Opened(name, f"/logs/{name}", cursor(name), 10))
        stream.offset = offset
        return stream


def test_when_to_write() -> None:
    """Never for nothing, at once for alerts, within a second for cursors."""
    setup = Setup()
    assert setup.checkpoint.due is None
    setup.checkpoint.judged(setup.stream("a"))
    assert setup.checkpoint.due == setup.clock.steady + IDLE_SECONDS
    assert setup.checkpoint.add([ENTRY]) == 1
    assert setup.checkpoint.due == 0.0
    assert setup.checkpoint.commit(1) == 1
    assert setup.checkpoint.due is None


def test_cursors_are_those_of_the_moment() -> None:
    """A stream that is judged on before the transaction is stored as it is then, and the
    follower hears of it once.
    """
    setup = Setup()
    stream = setup.stream("a")
    setup.checkpoint.judged(stream)
    stream.offset, stream.lines, stream.line_start = 8, 2, 6
    stream.early = {9: "b" * 40, 8: "a" * 40}
    setup.checkpoint.commit(1)
    (batch,) = setup.disk.commits
    (stored,) = batch.cursors
    assert (stored.offset, stored.lines, stored.line_start, stored.provisional) == (
        8,
        2,
        6,
        "a" * 40,
    )
    assert setup.files.committed_to == {"a": 8}
    assert stream.cursor is stored


def test_a_full_disk_keeps_the_batch() -> None:
    """The follower hears nothing; it is tried again after a second, with what came meanwhile."""
    setup = Setup()
    setup.disk.full = True
    setup.checkpoint.judged(setup.stream("a"))
    setup.checkpoint.add([ENTRY])
    assert setup.checkpoint.commit(1) is None
    assert setup.checkpoint.trouble is not None
    assert setup.checkpoint.due == setup.clock.steady + RETRY_SECONDS
    assert setup.files.committed_to == {}
    setup.checkpoint.add([ENTRY])
    setup.disk.full = False
    assert setup.checkpoint.commit(2) == 2
    assert setup.checkpoint.trouble is None
    assert setup.files.committed_to == {"a": 5}


def test_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alerts that wait in memory are bounded."""
    monkeypatch.setattr(module, "HELD_BYTES", 300)
    setup = Setup()
    setup.checkpoint.add([ENTRY])
    assert not setup.checkpoint.full
    setup.checkpoint.add([ENTRY])
    assert setup.checkpoint.full
    setup.checkpoint.commit(1)
    assert not setup.checkpoint.full


def test_streams_that_are_over() -> None:
    """One is forgotten, one that was unpacked is remembered as finished; neither is asked for a
    cursor.
    """
    setup = Setup()
    for name, reason in (("a", "rotated"), ("b", "finished")):
        stream = setup.stream(name)
        setup.checkpoint.judged(stream)
        del setup.files.data[name]
        setup.checkpoint.ended(stream, Ended(name, reason))  # type: ignore[arg-type]
    setup.checkpoint.commit(1)
    (batch,) = setup.disk.commits
    assert list(batch.forget) == ["a"]
    assert [(one.stream, one.state) for one in batch.cursors] == [("b", "finished")]


def test_a_stream_that_left() -> None:
    """A stream whose end is still to come is not asked for a cursor any more."""
    setup = Setup()
    stream = setup.stream("a")
    setup.checkpoint.judged(stream)
    setup.checkpoint.left(stream)
    del setup.files.data["a"]
    setup.checkpoint.commit(1)
    assert list(setup.disk.commits[0].cursors) == []


def test_the_store_is_pruned_every_hour() -> None:
    """At the first commit, and an hour later; a disk that fills up meanwhile is no trouble of the
    batch.
    """
    setup = Setup()
    for now, seconds in ((1, 10.0), (2, PRUNE_SECONDS), (3, 1.0), (4, 1.0)):
        setup.checkpoint.commit(now)
        setup.clock.pass_(seconds)
    assert setup.disk.pruned == [1, 3]
