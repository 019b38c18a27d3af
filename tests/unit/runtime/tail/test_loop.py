"""The loop: look, read, detect, commit."""

from __future__ import annotations

import pytest
from minting import jws
from tailing import Rig, cursor, leak, name

from jwtleak.core.custom_patterns import UserPattern, UserPatterns
from jwtleak.core.regions import LOOKAHEAD, LOOKBACK
from jwtleak.follow.interface import Mode, Moved, Trouble
from jwtleak.runtime.tail.checkpoint import IDLE_SECONDS
from jwtleak.runtime.tail.turns import TURN

LINE = b"2026-01-15T12:00:01Z web-01 GET /healthz 200 12\n"


def test_an_alert_is_stored_with_the_cursor_that_covers_it(rig: Rig) -> None:
    """One transaction holds both, and the follower hears of it afterwards."""
    rig.files.open("a", leak(1) + leak(2))
    rig.run()
    (batch,) = rig.store.commits
    assert [one.offset for one in batch.cursors] == [rig.files.committed_to["a"]]
    assert [one.fingerprint for one in batch.alerts] == [name(1), name(2)] == rig.found()
    assert rig.pokes == 1


def test_bytes_without_alerts_are_committed_every_second(rig: Rig) -> None:
    """Reading on costs a transaction a second, not one a round."""
    rig.files.open("a")
    rig.run()
    for _ in range(10):
        rig.files.append("a", LINE)
        rig.run(0.05)
    assert rig.store.commits == []
    rig.run(IDLE_SECONDS)
    assert len(rig.store.commits) == 1
    assert rig.pokes == 0
    rig.run(10)
    assert len(rig.store.commits) == 1


def test_a_restart_goes_on_at_the_cursor(rig: Rig) -> None:
    """Lines and columns are those of the whole stream, in the line in which reading was broken off
    too.
    """
    begin = LINE * 3 + leak(1) + b"half a line "
    rig.files.open("a", begin)
    rig.run(2)
    rig.crash()
    rig.files.append("a", leak(2) + leak(3))
    rig.run()
    data = rig.files.data["a"]
    places = [(one["location"]["line"], one["location"]["column"]) for one in rig.alerts]
    expected = []
    for number in (2, 3):
        at = data.index(jws({"n": number}).encode())
        expected.append((data.count(b"\n", 0, at) + 1, at - data.rfind(b"\n", 0, at)))
    assert places == expected


def test_a_restart_where_nothing_happened_costs_nothing(rig: Rig) -> None:
    """What stands in the store is not written again, and what is held at an end is not read again
    before it grows.
    """
    line = leak(3)
    stop = line.index(b" HTTP")
    for number in range(30):
        rig.files.open(f"quiet{number}", LINE * 3)
    rig.files.open("leaking", leak(1) + leak(2))
    rig.files.open("growing", line[:stop])
    rig.run(3)
    rig.crash()
    rig.files.reads.clear()
    rig.run(3)
    assert (rig.files.reads, rig.store.commits, rig.alerts) == ([], [], [])
    rig.loop.catch_up(1.0)
    assert (rig.files.reads, rig.alerts) == ([], [])
    for stream, more in (("quiet7", leak(4)), ("growing", line[stop:] + leak(5))):
        rig.files.append(stream, more)
    rig.run(2)
    assert rig.found() == [name(4), name(5)]
    assert {one for one, *_ in rig.files.reads} == {"quiet7", "growing"}


def test_what_was_held_and_not_told_before_a_crash(rig: Rig) -> None:
    """A token at the end that was stored with nothing but an offset is read and reported by the
    next process.
    """
    line = leak(2)
    stop = line.index(b" HTTP") - 20
    rig.files.open("a", leak(1) + line[:stop])
    rig.run(0.1)
    (cursor,) = rig.store.cursors()
    assert (cursor.size, cursor.provisional) == (len(leak(1)) + stop, None)
    rig.crash()
    rig.run(2)
    (short,) = rig.alerts
    rig.crash()
    rig.run(2)
    assert rig.alerts == []
    rig.files.append("a", line[stop:])
    rig.run(2)
    (whole,) = rig.alerts
    assert (whole["token"]["sha256"], whole["supersedes"]) == (name(2), short["id"])


def test_places_far_into_a_stream(rig: Rig) -> None:
    """The same behind megabytes, and in a line that is longer than everything that is read
    again.
    """
    long = b"x" * (LOOKBACK + LOOKAHEAD + 5000) + b" "
    rig.files.open("a", LINE * 20_000 + long)
    rig.run(2)
    rig.crash()
    rig.files.append("a", leak(1) + LINE + leak(2))
    rig.run()
    data = rig.files.data["a"]
    at = data.index(jws({"n": 1}).encode())
    first, second = (one["location"] for one in rig.alerts)
    assert (first["line"], first["column"]) == (20_001, at - data.rfind(b"\n", 0, at))
    assert (second["line"], second["column"]) == (20_003, 43)


def test_a_stream_that_begins_at_its_end(rig: Rig) -> None:
    """What stands before the cursor of a new stream is not reported."""
    data = leak(1) + leak(2)
    rig.files.open("a", data, at=cursor("a", offset=len(data)))
    rig.files.append("a", leak(3))
    rig.run()
    assert rig.found() == [name(3)]


def test_a_serialisation_that_is_announced_late(rig: Rig) -> None:
    """A JSON serialisation whose beginning was judged before a crash is found whole after it."""
    head, payload, signature = jws().split(".")
    text = f'{{"payload":"{payload}", "x":"{"word " * 400}", "signatures":[{{"protected":"{head}","signature":"{signature}"}}]}}\n'  # noqa: E501
    cut = text.index('"signatures"')
    rig.files.open("a", text[:cut].encode())
    rig.run(2)
    rig.crash()
    rig.files.append("a", text[cut:].encode())
    rig.run()
    assert [(one["location"]["offset"], one["location"]["line"]) for one in rig.alerts] == [(0, 1)]


def test_the_rest_of_a_line_is_waited_for(rig: Rig) -> None:
    """A token that has ended is reported after 20 ms, also when its line is not whole."""
    rig.files.open("a", leak(1)[:-5])
    rig.run()
    assert rig.found() == []
    rig.run(0.03)
    assert rig.found() == [name(1)]


def test_a_growing_token_is_told_and_replaced(rig: Rig) -> None:
    """After a second of silence it is reported; the longer alert names it, over a crash too;
    nothing is reported twice.
    """
    line = leak(1)
    stop = line.index(b" HTTP") - 20
    rig.files.open("a", line[:stop])
    rig.run(0.5)
    assert rig.alerts == []
    rig.run(2)
    (short,) = rig.alerts
    assert rig.store.cursors()[0].provisional == short["id"]
    rig.crash()
    rig.run(3)
    assert rig.alerts == []
    rig.files.append("a", line[stop:])
    rig.run(3)
    (whole,) = rig.alerts
    assert (whole["token"]["sha256"], whole["supersedes"]) == (name(1), short["id"])
    assert rig.store.cursors()[0].provisional is None


def test_a_token_that_does_not_grow_is_told_once(rig: Rig) -> None:
    """A token that was whole when it was reported early is not reported again with the byte that
    ends it.
    """
    line = leak(1)
    stop = line.index(b" HTTP")
    rig.files.open("a", line[:stop])
    rig.run(2)
    rig.files.append("a", line[stop:])
    rig.run(2)
    assert rig.found() == [name(1)]
    assert rig.store.store.sightings()[0].total == 1


def test_what_never_falls_silent_is_told_after_five_seconds(rig: Rig) -> None:
    """A split record whose rest does not come delays nothing for longer, though its stream goes
    on.
    """
    stamp = b"2026-01-15T12:00:00.123456789Z "
    rig.files.open(
        "a", stamp + b"stdout P t=" + leak(1)[42:100] + b"\n" + stamp + b"stderr F " + leak(2)
    )
    for _ in range(20):
        rig.run(0.3)
        rig.files.append("a", stamp + b"stderr F more\n")
    assert name(2) in rig.found()
    assert rig.clock.steady < 107


def test_a_stream_that_ends_gives_what_is_held(rig: Rig) -> None:
    """At the end nothing is waited for, and the cursor is forgotten."""
    rig.files.open("a", leak(1)[: leak(1).index(b" HTTP")])
    rig.run()
    rig.files.end("a")
    rig.run()
    assert rig.found() == [name(1)]
    rig.run(2)
    assert rig.store.cursors() == []
    assert [one.reason for one in rig.watch.ends] == ["rotated"]


def test_a_finished_stream_is_remembered(rig: Rig) -> None:
    """The cursor of what was unpacked stays, so that it is not unpacked again."""
    rig.files.open("a", leak(1))
    rig.run(2)
    rig.files.end("a", "finished")
    rig.run(2)
    assert [one.state for one in rig.store.cursors()] == ["finished"]


def test_moved(rig: Rig) -> None:
    """Alerts name the path that a stream has now."""
    rig.files.open("a", leak(1))
    rig.files.events.append(Moved("a", "/logs/a.1"))
    rig.run()
    assert rig.alerts[0]["location"]["path"] == "/logs/a.1"


def test_holes_are_stepped_over(rig: Rig) -> None:
    """A hole of gigabytes is not read; places behind it are right, and a token that it ends is
    reported.
    """
    size = 64 << 20
    first = leak(1)[: leak(1).index(b" HTTP")]
    data = LINE + first + bytes(size) + leak(2)
    rig.files.holes["a"] = len(LINE + first), len(LINE + first) + size
    rig.files.open("a", data)
    # A read stops at the hole, as the file system gives it by blocks.
    whole, rig.files.data["a"] = rig.files.data["a"], data[: len(LINE + first)]
    rig.run()
    rig.files.data["a"] = whole
    rig.files.append("a", b"")
    rig.run()
    assert rig.found() == [name(1), name(2)]
    assert rig.watch.bytes < size
    assert rig.alerts[1]["location"]["line"] == 2


def test_user_patterns_are_told_once(rig: Rig) -> None:
    """A hit is reported after a silence, and not again when its block is whole, nor after a crash;
    a token beside it neither.
    """
    rig.close()
    pattern = UserPattern(id="test.key", title="Key", regex=r"key_[0-9a-f]{8}", keywords=("key_",))
    rig.start(UserPatterns([pattern]))
    rig.files.open("a", b"key_0123abcd\n" + leak(1))
    rig.run(3)
    assert len(rig.alerts) == 2
    rig.files.append("a", LINE * 3000)
    rig.run(3)
    assert len(rig.alerts) == 2


def test_what_the_follower_says_is_passed_on(rig: Rig) -> None:
    """Troubles and modes reach the observer, and time its tick."""
    mode = Mode("/logs", "polling", "no inotify")
    rig.files.events += [mode, Trouble("directory", "/logs", "permission denied")]
    rig.run(3)
    assert rig.watch.modes == [mode]
    assert len(rig.watch.troubles) == 1
    assert rig.watch.ticks >= 3


def test_catching_up(rig: Rig) -> None:
    """Everything that is there is read, what is held is reported, and a later run replaces it if it
    grew.
    """
    line = leak(2)
    stop = line.index(b" HTTP") - 10
    rig.files.open("a", LINE * (2 * TURN // len(LINE)) + leak(1) + line[:stop])
    rig.loop.begin()
    rig.loop.catch_up(1.0)
    assert len(rig.alerts) == 2
    short = rig.alerts[1]["id"]
    rig.crash()
    rig.files.append("a", line[stop:])
    rig.loop.begin()
    rig.loop.catch_up(1.0)
    assert [(one["token"]["sha256"], one["supersedes"]) for one in rig.alerts] == [(name(2), short)]


def test_stopping(rig: Rig) -> None:
    """`run` ends after the round in which it is asked to, and what was judged is stored."""
    rig.files.open("a", LINE)
    rig.loop.step()
    rig.loop.stop()
    rig.loop.run()
    assert [one.offset for one in rig.store.cursors()] == [rig.files.committed_to["a"]]


def test_going_on_after_a_stop(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that was stopped goes round again when it is asked to, and not before."""
    rounds: list[int] = []

    def step() -> float:
        rounds.append(1)
        rig.loop.stop()
        return 0.0

    monkeypatch.setattr(rig.loop, "step", step)
    rig.loop.stop()
    rig.loop.run()
    assert rounds == []
    rig.loop.go_on()
    rig.loop.run()
    assert rounds == [1]
