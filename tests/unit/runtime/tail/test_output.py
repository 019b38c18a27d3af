"""What both loops do with findings."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace
from tailing import Rig, leak

from jwtleak.follow.interface import FollowStats
from jwtleak.runtime.tail.output import TICK, LoopFigures

FIGURES = LoopFigures(0, 1, FollowStats(), 0, 0, 0.0)


def test_seconds(tmp_path: Path) -> None:
    """Figures are asked for once a second, however often a loop goes round; then the heartbeat
    comes too, with the number of streams.
    """
    rig = Rig(tmp_path, heartbeat=3.0)
    output = rig.loop.output
    assert output.every_second(lambda: FIGURES)
    assert not output.every_second(lambda: FIGURES)
    rig.clock.pass_(TICK)
    assert output.every_second(lambda: FIGURES)
    assert rig.watch.ticks == 2
    output.commit_if_due()
    (beat,) = rig.alerts
    assert (beat["event"], beat["excerpt"]) == ("heartbeat", "1 streams are followed")
    rig.close()


def test_alerts_are_committed_at_once(tmp_path: Path) -> None:
    """And the sinks are woken, but only if there is something for them."""
    rig = Rig(tmp_path)
    output = rig.loop.output
    output.commit_if_due()
    assert rig.pokes == 0
    rig.files.open("a", leak(1))
    rig.run()
    assert rig.pokes == 1
    entry = replace(rig.store.alerts[0], event="repeat")
    output.emit([])
    output.emit([entry])
    output.commit_if_due()
    assert (rig.pokes, rig.store.alerts[1:]) == (2, [entry])
    rig.close()


def test_patience(tmp_path: Path) -> None:
    """A loop sleeps until the first of the times that somebody waits for, a second at most."""
    rig = Rig(tmp_path)
    output = rig.loop.output
    output.every_second(lambda: FIGURES)
    now = rig.clock.steady
    assert output.patience(60.0, []) == TICK
    assert output.patience(0.25, [None, now + 0.5]) == 0.25
    assert output.patience(60.0, [None, now + 0.5]) == 0.5
    assert output.patience(60.0, [now - 5]) == 0.0
    rig.close()


def test_a_pause(tmp_path: Path) -> None:
    """Reading pauses under backpressure."""
    rig = Rig(tmp_path)
    assert not rig.loop.output.paused()
    rig.paused = True
    assert rig.loop.output.paused()
    rig.close()
