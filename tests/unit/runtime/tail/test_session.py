"""A session over real files."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from tailing import leak, name

from jwtleak.errors import JwtleakError, UsageError
from jwtleak.runtime.clock import Clocks
from jwtleak.runtime.service.health import ServiceHealth
from jwtleak.runtime.service.log import Log
from jwtleak.runtime.service.metrics import Metrics
from jwtleak.runtime.service.notify import Notifier
from jwtleak.runtime.tail.config import TailConfig, compose
from jwtleak.runtime.tail.session import Session, check
from jwtleak.runtime.tail.telemetry import Voices
from jwtleak.sources.stdin_records import StdinRecords
from jwtleak.store import Store

CLOCKS = Clocks(time.time, time.monotonic)


def settings(root: Path, **flags: object) -> TailConfig:
    """Follow `logs`, alerts into a file beside it."""
    (root / "logs").mkdir(exist_ok=True)
    flags = {"paths": [str(root / "logs")], "state": str(root / "state"), "poll": True, **flags}
    return compose(None, flags, (f"file:{root / 'logs' / 'alerts.json'}",))


def voices(words: io.StringIO) -> Voices:
    """Words in memory."""
    steady = time.monotonic
    return Voices(
        Log(time.time, steady, stream=words), Metrics(), ServiceHealth(steady), Notifier({})
    )


def caught_up(root: Path, **flags: object) -> tuple[list[str], str]:
    """The fingerprints in the file after catching up, and what was said."""
    words = io.StringIO()
    with Store.open(root / "state") as store:
        session = Session(settings(root, **flags), store, b"k" * 32, voices(words), CLOCKS)
        session.begin()
        session.loop.catch_up(0.1)
        assert session.close(10) == []
    out = root / "logs" / "alerts.json"
    lines = out.read_bytes().splitlines() if out.exists() else []
    return [json.loads(line)["token"]["sha256"] for line in lines], words.getvalue()


def test_from_files_to_a_file(tmp_path: Path) -> None:
    """What stands in followed files is delivered once, over two sessions; its own file is not
    followed.
    """
    settings(tmp_path)
    (tmp_path / "logs" / "a.log").write_bytes(leak(1))
    assert caught_up(tmp_path) == ([name(1)], "")
    (tmp_path / "logs" / "b.log").write_bytes(leak(2))
    assert caught_up(tmp_path) == ([name(1), name(2)], "")


def test_from_standard_input_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` is read until it ends; over two sessions a file is read once."""
    (tmp_path / "app.log").write_bytes(leak(1) + leak(2))
    settings(tmp_path)
    for found in ([name(1), name(2)], [name(1), name(2)]):
        with (tmp_path / "app.log").open("rb") as file:
            monkeypatch.setattr(
                "jwtleak.sources.stdin_records.open_records",
                partial(opened, fd=file.fileno()),
            )
            assert caught_up(tmp_path, paths=["-"]) == (found, "")


def opened(_: str, positions: Mapping[str, bytes], fd: int) -> StdinRecords:
    """Standard input is this descriptor."""
    return StdinRecords(positions, fd)


def test_standard_input_stands_alone(tmp_path: Path) -> None:
    """Together with files it is refused, before anything is read."""
    with pytest.raises(UsageError, match="together"):
        check(settings(tmp_path, paths=["-", "/var/log"]))


def test_what_a_sink_does_not_want_takes_no_room(tmp_path: Path) -> None:
    """It does not come into its queue."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_bytes(leak(1))
    flags = {"paths": [str(tmp_path / "logs")], "state": str(tmp_path / "state"), "poll": True}
    config = compose(
        None, flags, ("file:/gone/a?when=severity=='low'&name=a", "file:/gone/b?name=b")
    )
    with Store.open(config.state) as store:
        session = Session(config, store, b"k" * 32, voices(io.StringIO()), CLOCKS)
        session.loop.begin()
        session.loop.catch_up(0.1)
        assert list(store.queue_bytes()) == ["b"]
        session.close(0)


@pytest.mark.parametrize("more", ["", "&when_full=drop-oldest"])
def test_a_sink_with_a_queue_of_its_own(tmp_path: Path, more: str) -> None:
    """It is down. Reading waits for it when its queue is full, and nothing is lost; or it loses its
    oldest alerts, and nothing waits. The other sink gets everything in both cases.
    """
    logs, down = tmp_path / "logs", tmp_path / "down"
    logs.mkdir()
    for number in range(20):
        (logs / f"{number}.log").write_bytes(b"".join(leak(15 * number + one) for one in range(15)))
    flags = {"paths": [str(logs)], "state": str(tmp_path / "state"), "poll": True}
    config = compose(
        None, flags, (f"file:{down}/out?name=down&queue=65536{more}", f"file:{tmp_path}/other")
    )
    # each look at the clock takes 10 ms: a round is one turn, and the backpressure is asked often
    ticks = count()
    clocks = Clocks(time.time, lambda: next(ticks) / 100)
    with Store.open(config.state) as store:
        session = Session(config, store, b"k" * 32, voices(io.StringIO()), clocks)
        session.begin()
        for _ in range(200):
            session.loop.step()
        read = session.reporter.leaks
        down.mkdir()
        session.reopen()
        session.loop.catch_up(0.1)
        assert session.close(10) == []
        lost = store.dropped().get("down", 0)
    assert (read < 100, lost == 0) == ((True, True) if not more else (False, False))
    reported, other = (
        [json.loads(line)["id"] for line in path.read_bytes().splitlines()]
        for path in (down / "out", tmp_path / "other")
    )
    assert len(set(other)) == len(other) == 300
    assert reported == other[lost:]


def test_the_name_of_the_machine(tmp_path: Path) -> None:
    """A configured name is in alerts in place of the machine's own, which in a container
    says nothing.
    """
    settings(tmp_path)
    (tmp_path / "logs" / "a.log").write_bytes(leak(1))
    assert caught_up(tmp_path, host="node-7") == ([name(1)], "")
    (alert,) = (tmp_path / "logs" / "alerts.json").read_bytes().splitlines()
    assert json.loads(alert)["location"]["host"] == "node-7"


def test_user_patterns(tmp_path: Path) -> None:
    """Patterns of one's own are looked for too."""
    patterns = tmp_path / "patterns"
    patterns.mkdir()
    example = Path(__file__).parents[4] / "docs/examples/patterns/example.toml"
    (patterns / "one.toml").write_bytes(example.read_bytes())
    settings(tmp_path)
    (tmp_path / "logs" / "a.log").write_bytes(leak(1))
    assert caught_up(tmp_path, patterns=[str(patterns)]) == ([name(1)], "")


def test_a_baseline_keeps_back(tmp_path: Path) -> None:
    """What a scan knew before is not reported."""
    known = f"{name(1)} {tmp_path / 'logs' / 'a.log'}"
    baseline = tmp_path / "baseline.json"
    baseline.write_text(json.dumps({"version": 1, "findings": [known]}))
    settings(tmp_path)
    (tmp_path / "logs" / "a.log").write_bytes(leak(1) + leak(2))
    assert caught_up(tmp_path, baseline=str(baseline)) == ([name(2)], "")


@pytest.mark.parametrize(
    ("flags", "sinks"),
    [
        ({}, ("nowhere://x",)),
        ({"metrics": "web:1"}, ("stdout",)),
        ({"baseline": "/nowhere/baseline.json"}, ("stdout",)),
        ({"patterns": ["/nowhere/patterns"]}, ("stdout",)),
    ],
)
def test_settings_that_cannot_work(
    tmp_path: Path, flags: dict[str, object], sinks: tuple[str, ...]
) -> None:
    """Everything is checked before anything begins."""
    with pytest.raises(JwtleakError):
        check(compose(None, {"paths": [str(tmp_path)], **flags}, sinks))
