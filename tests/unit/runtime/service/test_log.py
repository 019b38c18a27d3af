"""The daemon's log."""

from __future__ import annotations

import io
import json

from minting import jws

from jwtleak.runtime.service import log as module
from jwtleak.runtime.service.log import Log


class Clock:
    """A clock that stands where it is put."""

    now = 1_700_000_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def start(form: module.Format = "text") -> tuple[Log, io.StringIO, Clock]:
    """A log, what it writes, and its clock."""
    stream, clock = io.StringIO(), Clock()
    return Log(clock, clock, form, stream), stream, clock


def test_text() -> None:
    """Lines are in the program's voice; information is plain."""
    log, stream, _ = start()
    log.say("ready", "ready")
    log.warning("watch", "polling: no watches left", "/var/log")
    log.error("store", "disk full")
    assert stream.getvalue().splitlines() == [
        "jwtleak: ready",
        "jwtleak: warning: /var/log: polling: no watches left",
        "jwtleak: error: disk full",
    ]


def test_json() -> None:
    """One object a line, with time, level, kind, message and path."""
    log, stream, _ = start("json")
    log.warning("watch", "polling", "/var/log")
    assert json.loads(stream.getvalue()) == {
        "time": "2023-11-14T22:13:20.000Z",
        "level": "warning",
        "kind": "watch",
        "message": "polling",
        "path": "/var/log",
    }


def test_no_token_and_no_control() -> None:
    """A token, a line end and an escape sequence in a path or a message do not come out, in either
    form.
    """
    for form in ("text", "json"):
        log, stream, _ = start(form)
        log.error("open", f"cannot be read: {jws()}\x1b[2J", f"/var/{jws()}\nx\udcff")
        (line,) = stream.getvalue().splitlines()
        assert "\x1b" not in line
        assert line.count("[JWT ") == 2
        for part in jws().split("."):
            assert part[8:24] not in line


def test_lengths() -> None:
    """A path and a message end somewhere."""
    log, stream, _ = start()
    log.error("open", "x" * 100_000, "/" + "y" * 100_000)
    assert len(stream.getvalue()) < 2000


def test_the_same_trouble_is_said_once_a_minute() -> None:
    """A repeat is suppressed; after a minute it is written with the number of those in between."""
    log, stream, clock = start()
    for _ in range(5):
        log.warning("open", "permission denied", "/a")
    clock.now += 61
    log.warning("open", "permission denied", "/a")
    assert stream.getvalue().splitlines() == [
        "jwtleak: warning: /a: permission denied",
        "jwtleak: warning: /a: permission denied (4 times more since it was last said)",
    ]
    assert log.suppressed == 4


def test_kinds_and_paths_are_troubles_of_their_own() -> None:
    """Another path, and another kind of trouble of the same path, are said at once."""
    log, stream, _ = start()
    log.warning("open", "x", "/a")
    log.warning("open", "x", "/b")
    log.warning("read", "x", "/a")
    assert len(stream.getvalue().splitlines()) == 3


def test_a_storm_of_paths_cannot_fill_the_journal() -> None:
    """Of a million different troubles in a minute a hundred are said, and that the rest is counted;
    then it starts again.
    """
    log, stream, clock = start()
    for number in range(5000):
        log.error("open", "gone", f"/{number}")
    lines = stream.getvalue().splitlines()
    assert len(lines) == module.MAX_TROUBLES + 1
    assert lines[-1].startswith("jwtleak: warning: more than 100 troubles")
    assert log.suppressed == 5000 - module.MAX_TROUBLES
    clock.now += 61
    log.error("open", "gone", "/x")
    assert stream.getvalue().splitlines()[-1] == "jwtleak: error: /x: gone"


def test_memory_is_bounded() -> None:
    """Troubles that were said long ago are forgotten."""
    log, _, clock = start()
    for number in range(3000):
        clock.now += 61
        log.error("open", "gone", f"/{number}")
    assert len(log._seen) == module._REMEMBERED


def test_what_is_said_by_itself_is_never_held_back() -> None:
    """Two reloads in a second are two lines, also in a storm."""
    log, stream, _ = start()
    for number in range(500):
        log.error("open", "gone", f"/{number}")
    log.say("reload", "reloaded")
    log.say("reload", "reloaded")
    assert stream.getvalue().splitlines()[-2:] == ["jwtleak: reloaded"] * 2


def test_a_log_that_cannot_be_written() -> None:
    """A closed or narrow stream ends nothing; the lines are counted."""
    clock = Clock()
    closed = io.StringIO()
    closed.close()
    narrow = io.TextIOWrapper(io.BytesIO(), "ascii")
    for stream in (closed, narrow):
        log = Log(clock, clock, "text", stream)
        log.say("ready", "ready \u4f60")
        assert log.failed == 1
