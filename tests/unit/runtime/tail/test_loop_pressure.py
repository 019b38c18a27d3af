"""The loop under pressure: many streams, full disks, full spools, limits."""

from __future__ import annotations

import pytest
from tailing import Rig, leak, name

from jwtleak.core.engine import READ_SIZE
from jwtleak.core.regions import LOOKAHEAD, LOOKBACK
from jwtleak.follow.interface import Event, Trouble
from jwtleak.runtime.tail import alerting, checkpoint, output
from jwtleak.runtime.tail.readers import READERS
from jwtleak.runtime.tail.turns import TURN

LINE = b"2026-01-15T12:00:01Z web-01 GET /healthz 200 12\n"


def test_one_firehose_and_a_hundred_quiet_files(rig: Rig) -> None:
    """A fresh line waits for one turn of a backlog at most, however long that is."""
    rig.files.open("firehose", LINE * (3 * TURN // len(LINE)))
    rig.loop.step()
    for number in range(100):
        rig.files.open(f"quiet{number}", leak(number))
    rig.loop.step()
    assert sorted(rig.found()) == sorted(name(number) for number in range(100))
    assert len(rig.loop.turns) == 1
    rig.run()
    assert (
        0 <= rig.watch.bytes - sum(len(data) for data in rig.files.data.values()) < 1000
    )  # what was held, again


def test_the_engine_stays_with_a_busy_stream(rig: Rig) -> None:
    """A stream that is read turn after turn is read once; with more streams than readers a little
    is read again.
    """
    rig.files.open("a", LINE * (3 * READ_SIZE // len(LINE)))
    rig.run()
    assert sum(count for _, _, count in rig.files.reads) == len(rig.files.data["a"])
    for number in range(READERS):
        rig.files.open(f"b{number}", LINE)
    rig.run()
    rig.files.reads.clear()
    rig.files.append("a", leak(1))
    rig.run()
    assert (
        LOOKBACK + LOOKAHEAD
        < sum(count for _, _, count in rig.files.reads)
        < LOOKBACK + LOOKAHEAD + 2048
    )
    assert rig.found() == [name(1)]


def test_a_stream_that_cannot_be_read_is_tried_again(rig: Rig) -> None:
    """The others go on; it is read when it can be."""
    rig.files.broken.add("a")
    rig.files.open("a", leak(1))
    rig.files.open("b", leak(2))
    rig.run()
    assert rig.found() == [name(2)]
    assert rig.watch.troubles == [Trouble("unreadable", "/logs/a", "input/output error")]
    rig.files.broken.clear()
    rig.run(3)
    assert rig.found() == [name(2), name(1)]


def test_a_full_disk_holds_everything(rig: Rig) -> None:
    """Detection goes on, cursors stay, the follower hears nothing; when there is room all is
    stored.
    """
    rig.store.full = True
    rig.files.open("a", leak(1))
    rig.run()
    rig.files.append("a", leak(2))
    rig.run(5)
    assert rig.watch.store_trouble is not None
    assert (rig.alerts, rig.files.committed_to, rig.pokes) == ([], {}, 0)
    rig.store.full = False
    rig.run(2)
    assert rig.found() == [name(1), name(2)]
    assert rig.watch.store_trouble is None
    assert rig.store.cursors()[0].offset == rig.files.committed_to["a"] > 0


def test_a_full_disk_bounds_memory(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """When too much waits for the disk, reading waits too; nothing is lost."""
    monkeypatch.setattr(checkpoint, "HELD_BYTES", 100_000)
    rig.store.full = True
    count = 100
    rig.files.open("a", b"".join(leak(number) for number in range(count)))
    rig.run(2)
    read = rig.watch.bytes
    rig.files.append("a", leak(count))
    rig.run(2)
    assert rig.watch.bytes == read
    rig.store.full = False
    rig.run(3)
    assert len(rig.alerts) == count + 1


def test_a_full_spool_stops_reading(rig: Rig) -> None:
    """While the backpressure is shut nothing is read, and what waits is read when it opens."""
    rig.paused = True
    rig.files.open("a", leak(1))
    rig.run(3)
    assert (rig.watch.bytes, rig.alerts) == (0, [])
    rig.paused = False
    rig.run(1)
    assert rig.found() == [name(1)]


def test_a_rate_delays_and_drops_nothing(rig: Rig) -> None:
    """With a limit everything is read, later."""
    rig.close()
    limited = Rig(rig.directory, rate=READ_SIZE)
    limited.files.open("a", LINE * (4 * READ_SIZE // len(LINE)) + leak(1))
    limited.run(0.9)
    assert limited.watch.bytes <= 3 * READ_SIZE
    limited.run(20)
    assert limited.found() == [name(1)]
    assert 1.0 < limited.loop.throttled < 4.0
    rig.store = limited.store


def test_many_repeats_at_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """More windows than are looked through in one round end one after the other, without waiting
    for a second each.
    """
    monkeypatch.setattr(alerting, "AT_ONCE", 2)
    monkeypatch.setattr(output, "AT_ONCE", 2)
    rig.files.open("a", b"".join(leak(number) for number in range(9)) * 2)
    rig.run(59)
    assert len(rig.alerts) == 9
    rig.run(2.5)
    assert [one["event"] for one in rig.alerts[9:]] == ["repeat"] * 9


def test_reading_has_as_much_time_as_looking(rig: Rig) -> None:
    """When a look takes a second because there are very many files, a round reads for a second
    too.
    """
    look = rig.files.poll

    def slowly() -> list[Event]:
        rig.clock.pass_(1.0)
        return look()

    def read(stream: str, offset: int, buffer: memoryview) -> int:
        rig.clock.pass_(0.02)
        return reading(stream, offset, buffer)

    reading = rig.files.read
    rig.files.poll, rig.files.read = slowly, read  # type: ignore[method-assign]
    for number in range(20):
        rig.files.open(f"{number}", b"x\n")
    rig.loop.step()
    assert len(rig.loop.turns) == 0
