"""What is let go of, and what never is."""

from __future__ import annotations

from stored import cursor, entry, sighting

from jwtleak.store import Commit, Position, Pruned, ScannedFile, maintenance
from jwtleak.store.maintenance import KEEP_STREAMS, Keep

DAY = 24 * 60 * 60 * 1000


def fill(store):
    """A row of each sort at the time 0, and what must not go whatever its age."""
    cursors = [cursor("done", state="finished"), cursor("live"), cursor("rotated", state="rotated")]
    seen = [
        sighting(token="reported", since=0, last_ms=0),
        sighting(token="waits", since=1, last_ms=0),
    ]
    store.commit(
        Commit(cursors=cursors, sightings=seen, alerts=[entry("waits"), entry("dead")], at_ms=0)
    )
    with store.queue("a") as box:
        box._clock = lambda: 0
        box.dead(box.pending(9, 999)[1].seq, "no")
    scans = store.scans("k")
    scans.begin(resume=False)
    scans.finish([ScannedFile(1, 2, 3, 4, b"h" * 32)], 0, 0)
    scans.mark_reported(["f" * 40], 1, 0)


def test_by_age(store):
    """Old rows of each sort go; streams that are followed, repeats and entries that wait stay."""
    fill(store)
    assert store.prune(5 * DAY) == Pruned()
    assert store.prune(1000 * DAY) == Pruned(
        streams=1, sightings=1, dead_letters=1, scanned_files=1
    )
    assert [one.state for one in store.cursors()] == ["followed", "rotated"]
    assert [one.since for one in store.sightings()] == [1]
    assert store.spool_bytes() > 0
    assert store.prune(2000 * DAY) == Pruned()


def test_old_positions_go(store):
    """A source that was not read for a month has to begin again."""
    position = Position(source="stdin", stream="a", position=b"p")
    store.commit(Commit(positions=[position], at_ms=0))
    store.prune(KEEP_STREAMS * 86_400_000)
    assert store.positions("stdin") == [position]
    store.prune(KEEP_STREAMS * 86_400_000 + 1)
    assert store.positions("stdin") == []


def test_ages_can_be_chosen(store):
    """Each sort by its own age."""
    fill(store)
    keep = Keep(streams=10, sightings=10_000, dead_letters=10, scanned_files=10_000)
    assert store.prune(100, keep) == Pruned(streams=1, dead_letters=1)


def test_many_rows(store, monkeypatch):
    """More rows than one transaction takes go all the same."""
    monkeypatch.setattr(maintenance, "_CHUNK", 7)
    cursors = [cursor(str(one), state="finished") for one in range(50)]
    store.commit(Commit(cursors=cursors, at_ms=0))
    assert store.prune(1000 * DAY).streams == 50


def test_sightings_are_bounded(store, monkeypatch):
    """Beyond the bound those go that were not seen for longest; what waits to be summed up
    stays.
    """
    monkeypatch.setattr(maintenance, "MAX_SIGHTINGS", 10)
    monkeypatch.setattr(maintenance, "_CHUNK", 3)
    seen = [sighting(token=str(one), since=int(one < 2), last_ms=one) for one in range(25)]
    store.commit(Commit(sightings=seen, at_ms=0))
    assert store.prune(30).sightings == 15
    assert sorted(one.last_ms for one in store.sightings()) == [0, 1, *range(17, 25)]


def test_room_is_given_back(store, directory):
    """The file shrinks when most of it is gone."""
    store.commit(Commit(alerts=[entry(one, body=b"x" * 100_000) for one in range(50)], at_ms=0))
    store.drop_oldest(0)
    store.prune(0)
    store.close()
    assert (directory / "state.db").stat().st_size < 500_000
