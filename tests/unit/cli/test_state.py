"""`jwtleak state` as it is used."""

from __future__ import annotations

import json
import os

import pytest
from stored import alert_id, cursor, entry, sighting

from jwtleak.store import Commit, Store


@pytest.fixture
def place(tmp_path, environment):
    """The default state directory of the program."""
    return tmp_path / ".state" / "jwtleak"


@pytest.fixture
def filled(place):
    """A state with a bit of everything."""
    with Store.open(place) as store:
        store.register(["file:a", "hec"])
        cursors = [cursor("x", offset=10, size=30), cursor("old", state="finished")]
        store.commit(
            Commit(
                cursors=cursors,
                sightings=[sighting()],
                alerts=[entry("p"), entry("q")],
                at_ms=1000,
            )
        )
        with store.queue("hec") as box:
            box.dead(box.pending(1, 999)[0].seq, "index is closed", 404, 2)
    return place


def test_show(run, filled):
    """JSON into a pipe: the numbers, where, and whether somebody uses it; a table when asked
    for.
    """
    (shown,) = run("state", "show").alerts
    assert shown["directory"] == str(filled)
    assert "process" not in shown
    assert (shown["streams"], shown["unread_bytes"], shown["sightings"]) == (
        {"followed": 1, "finished": 1},
        20,
        1,
    )
    sinks = {one["name"]: (one["waiting"], one["dead_letters"]) for one in shown["sinks"]}
    assert sinks == {"file:a": (2, 0), "hec": (1, 1)}
    table = run("state", "show", "--format=table").out.decode()
    assert "in use by             nobody\n" in table
    assert "files                 1 finished, 1 followed\n" in table
    assert "sink hec              1 waiting, the oldest for " in table
    assert ", 1 dead letters\n" in table


def test_show_streams(run, filled):
    """One line for each file."""
    lines = {
        one["path"]: (one["state"], one["read"], one["size"])
        for one in run("state", "show", "--streams").alerts
    }
    assert lines == {"/var/log/x.log": ("followed", 10, 30), "/var/log/old.log": ("finished", 0, 0)}
    table = run("state", "show", "--streams", "-f", "table").out.decode().splitlines()
    assert len(table) == 3
    assert table[2].split() == ["followed", "10", "30", "/var/log/x.log"]


def test_beside_a_running_process(run, filled):
    """Looking works, and names the process; taking away is refused with its name, and changes
    nothing.
    """
    with Store.open(filled) as store:
        (shown,) = run("state", "show").alerts
        assert shown["process"] == os.getpid()
        assert len(run("state", "dead-letters", "show").alerts) == 1
        for command in (
            ["prune"],
            ["reset", "--yes"],
            ["reset", "/var/log/x.log"],
            ["dead-letters", "replay"],
        ):
            result = run("state", *command)
            assert (result.status, result.out) == (2, b"")
            assert (
                result.err
                == f"jwtleak: error: the state in {filled} is in use by process {os.getpid()}\n"
            )
        assert len(store.cursors()) == 2


def test_no_state(run, place, tmp_path):
    """Nothing is made by looking or pruning; the directory is named."""
    for command in (["show"], ["prune"], ["dead-letters", "show"], ["dead-letters", "replay"]):
        assert run("state", *command).err == f"jwtleak: error: there is no state in {place}\n"
    assert run("state", "show", "--state", str(tmp_path)).err.endswith(f"no state in {tmp_path}\n")
    assert run("state", "reset", "--yes").status == 0
    assert not place.exists()


def test_reset(run, filled):
    """Without a terminal it must be meant; what would be lost is said; afterwards nothing is
    there.
    """
    refused = run("state", "reset")
    assert refused.status == 2
    assert (
        f"would forget everything in {filled} and 2 alerts that no sink has taken yet: add --yes"
        in refused.err
    )
    done = run("state", "reset", "--yes")
    assert (done.status, done.err) == (0, "jwtleak: everything is forgotten\n")
    assert run("state", "show").status == 2


def test_reset_of_some_files(run, filled):
    """Only what is named is forgotten; a name that is not known is an error."""
    result = run("state", "reset", "/var/log/x.log", "/var/log/unknown")
    assert (result.status, result.err) == (
        2,
        "jwtleak: error: /var/log/unknown: nothing is remembered of it\n",
    )
    assert [one["path"] for one in run("state", "show", "--streams").alerts] == ["/var/log/old.log"]


def test_reset_of_a_damaged_state(run, filled):
    """What cannot be read can be forgotten; looking says that it is damaged."""
    (filled / "state.db").write_bytes(b"x" * 9999)
    result = run("state", "show")
    assert (result.status, "is damaged" in result.err) == (2, True)
    assert run("state", "prune").status == 2
    assert run("state", "reset", "--yes").status == 0
    assert not (filled / "state.db").exists()


def test_prune(run, filled):
    """What is older than its age goes, or than the age that is reported; the numbers are said."""
    said = run("state", "prune").err
    assert (
        said
        == "jwtleak: gone are 1 finished files, 0 tokens seen, 0 dead letters, 0 marks of scans\n"
    )
    said = run("state", "prune", "--older-than=0s").err
    assert (
        said
        == "jwtleak: gone are 0 finished files, 0 tokens seen, 1 dead letters, 0 marks of scans\n"
    )
    assert run("state", "prune", "--older-than=often").status == 2


def test_dead_letters(run, filled):
    """They are shown with the reason and the alert, and go back into the queue."""
    (dead,) = run("state", "dead-letters", "show").alerts
    assert (dead["sink"], dead["status"], dead["reason"], dead["attempts"]) == (
        "hec",
        404,
        "index is closed",
        2,
    )
    assert dead["alert"] == json.loads(entry("p").body)
    assert run("state", "dead-letters", "show", "--sink=file:a").out == b""
    table = run("state", "dead-letters", "show", "--format=table").out.decode().splitlines()
    assert table[1].split() == ["1", "hec", "404", "high", alert_id("p"), "index", "is", "closed"]
    refused = run("state", "dead-letters", "replay", "--to=nowhere")
    assert refused.err == "jwtleak: error: there is no sink nowhere: known are file:a, hec\n"
    assert run("state", "dead-letters", "replay", "--sink=hec", "1").status == 2
    assert (
        run("state", "dead-letters", "replay", "1").err
        == "jwtleak: 1 dead letters wait to be sent again\n"
    )
    with Store.open(filled) as store, store.queue("hec") as box:
        assert [one.id for one in box.pending(9, 999)] == [alert_id("p"), alert_id("q")]
