"""The heartbeat."""

from __future__ import annotations

from pathlib import Path

import msgspec
from tailing import Rig

from jwtleak.alerts.alert import Alert
from jwtleak.runtime.tail.heartbeat import Heartbeat


def test_it_beats_at_its_interval() -> None:
    """One at once, then one each interval, each with a name of its own, and an alert that can be
    read.
    """
    heart = Heartbeat(300.0, "web-01")
    beats = [
        entry
        for second in range(0, 900, 50)
        for entry in heart.beat(100.0 + second, second * 1000, 3)
    ]
    assert len({one.id for one in beats}) == len(beats) == 3
    alert = msgspec.json.decode(beats[0].body, type=Alert)
    assert (alert.event, alert.severity, alert.title) == ("heartbeat", "info", "jwtleak is running")
    assert alert.excerpt == "3 streams are followed"
    assert alert.location.host == "web-01"


def test_without_an_interval_it_is_silent() -> None:
    """Nobody asked for it."""
    assert list(Heartbeat(None, "web-01").beat(1e9, 0, 0)) == []


def test_it_is_stored_like_an_alert(tmp_path: Path) -> None:
    """The loop puts it into the outbox."""
    rig = Rig(tmp_path, heartbeat=60.0)
    rig.run(150)
    assert [one["event"] for one in rig.alerts] == ["heartbeat"] * 3
    rig.close()
