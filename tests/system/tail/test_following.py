"""From appended bytes to alerts, over restarts and crashes."""

from __future__ import annotations

import random

import pytest

from .conftest import Tail, leak, name, until


def test_what_is_there_and_what_is_appended(tail: Tail) -> None:
    """A token that stands in a file at the start and one that is appended have an alert each, with
    place and line.
    """
    tail.write("a.log", "first\n" + leak(1))
    tail.start()
    tail.write("a.log", "third\n" + leak(2))
    first, second = tail.reported(1, 2)
    assert (first["location"]["line"], first["location"]["column"]) == (2, 43)
    assert (second["location"]["line"], second["location"]["column"]) == (4, 43)
    assert second["location"]["path"] == str(tail.logs / "a.log")
    assert tail.end() == 0


def test_a_restart_goes_on_where_the_last_run_was(tail: Tail) -> None:
    """What was reported is not reported again; what was written meanwhile is; lines count on."""
    tail.write("a.log", leak(1))
    tail.start().reported(1)
    assert tail.end() == 0
    tail.write("a.log", leak(2))
    tail.start()
    tail.write("a.log", leak(3))
    tail.reported(2, 3)
    assert [(one["token"]["sha256"], one["location"]["line"]) for one in tail.alerts] == [
        (name(number), number) for number in (1, 2, 3)
    ]


@pytest.mark.slow
def test_a_crash_gives_no_second_name(tail: Tail) -> None:
    """After kill -9 nothing is lost, and what is reported twice has the same id."""
    tail.start()
    chance = random.Random(1)
    for number in range(1, 13, 3):
        tail.write("a.log", leak(number))
        if chance.random() < 0.5:
            tail.reported(number)
        tail.write("a.log", leak(number + 1)[:90])
        tail.kill()
        tail.write("a.log", leak(number + 1)[90:] + leak(number + 2))
        tail.start()
    tail.reported(*range(1, 13))
    by_token: dict[str, set[str]] = {}
    for one in tail.alerts:
        by_token.setdefault(one["token"]["sha256"], set()).add(one["id"])
    assert set(by_token) == {name(number) for number in range(1, 13)}
    assert all(len(ids) == 1 for ids in by_token.values())


def test_from_the_end(tail: Tail) -> None:
    """With `--from end` old files begin at their end, new ones at their beginning."""
    tail.write("a.log", leak(1))
    tail.start("--from", "end")
    tail.write("a.log", leak(2))
    tail.write("b.log", leak(3))
    tail.reported(2, 3)
    assert tail.of(1) == []


def test_several_files_at_once(tail: Tail) -> None:
    """Lines that are written in turn to twenty files, more than there are engines, are all found,
    with their lines.
    """
    tail.start()
    for number in range(60):
        tail.write(f"{number % 20}.log", leak(number))
    found = tail.reported(*range(60))
    assert [one["location"]["line"] for one in found] == [number // 20 + 1 for number in range(60)]


def test_a_token_that_grows(tail: Tail) -> None:
    """A token at the end of the data is reported after a second; when it grows, the longer alert
    names the one it replaces.
    """
    line = leak(1)
    stop = line.index(" HTTP") - 20
    tail.start()
    tail.write("a.log", line[:stop])
    (short,) = until(lambda: tail.alerts, "the short one")
    assert short["token"]["status"] == "incomplete"
    tail.write("a.log", line[stop:])
    (whole,) = tail.reported(1)
    assert whole["supersedes"] == short["id"]
    assert len(tail.alerts) == 2


def test_a_token_that_grows_over_a_crash(tail: Tail) -> None:
    """The longer alert names the shorter one also when the program was killed between them."""
    line = leak(1)
    stop = line.index(" HTTP") - 20
    tail.start()
    tail.write("a.log", line[:stop])
    (short,) = until(lambda: tail.alerts, "the short one")
    tail.kill()
    tail.write("a.log", line[stop:])
    (whole,) = tail.start().reported(1)
    assert whole["supersedes"] == short["id"]
    assert len(tail.alerts) == 2


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_wide_text_in_odd_pieces(tail: Tail, encoding: str) -> None:
    """UTF-16 that is appended in pieces of an odd number of bytes is read."""
    tail.start()
    data = (leak(1) + "next line\n").encode(encoding)
    for at in range(0, len(data), 101):
        tail.write("a.log", data[at : at + 101])
    (found,) = tail.reported(1)
    assert found["channel"]["encodings"] == ["utf16"]


def test_nothing_of_its_own_is_read(tail: Tail) -> None:
    """State and alerts that stand in a followed directory are left alone."""
    tail.state = tail.logs / "state"
    alerts = tail.logs / "alerts.json"
    tail.write("a.log", leak(1))
    tail.start("--sink", f"file:{alerts}", "--metrics", "0")
    until(lambda: alerts.exists() and alerts.read_bytes().count(b"\n") == 1, "the alert")
    tail.write("a.log", leak(2))
    until(lambda: alerts.read_bytes().count(b"\n") == 2, "the second alert")
    assert tail.end() == 0
    assert alerts.read_bytes().count(b"\n") == 2
