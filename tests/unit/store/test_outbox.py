"""Entries of the outbox, queues, and their bounds."""

from __future__ import annotations

import pytest
from stored import alert_id, entry

from jwtleak.store import Commit, outbox


def put(store, *entries):
    """Add entries."""
    store.commit(Commit(alerts=entries, at_ms=5))


def ids(store, sink):
    """The ids that wait for `sink`."""
    with store.queue(sink) as box:
        return [one.id for one in box.pending(999, 1 << 30)]


def test_an_entry_enters_once(store):
    """The same id and event is one entry while it waits; another event is another entry."""
    put(store, entry("x"), entry("x"), entry("x", event="repeat"))
    put(store, entry("x"))
    assert ids(store, "a") == [alert_id("x")] * 2
    assert store.spool_bytes() == 2 * len(entry("x").body)


def test_an_entry_that_one_sink_has_does_not_come_to_it_again(store):
    """Offered again while the other sink still waits for it, it stays where it is."""
    put(store, entry("x"))
    with store.queue("a") as box:
        box.ack([one.seq for one in box.pending(9, 999)])
    put(store, entry("x"))
    assert (ids(store, "a"), ids(store, "b")) == ([], [alert_id("x")])


def test_named_sinks(store):
    """An entry for some goes to those that are registered; one for nobody is not kept."""
    put(
        store,
        entry("x", sinks=("b", "nobody")),
        entry("y", sinks=()),
        entry("z", sinks=("nobody",)),
    )
    assert (ids(store, "a"), ids(store, "b")) == ([], [alert_id("x")])
    assert store.spool_bytes() == len(entry("x").body)


def test_room(store):
    """Bytes of bodies count once, however many sinks wait for them."""
    put(store, entry("x", body=b"x" * 100), entry("y", body=b"y" * 50))
    assert store.spool_bytes() == 150
    assert (store.room(200), store.room(100)) == (50, 0)
    for sink in "ab":
        with store.queue(sink) as box:
            box.ack([one.seq for one in box.pending(1, 999)])
    assert store.spool_bytes() == 50


@pytest.mark.parametrize("chunk", [1, 2, 1000])
def test_drop_oldest(store, monkeypatch, chunk):
    """The oldest go until the rest fits, counted for each sink that still waited for them."""
    monkeypatch.setattr(outbox, "_CHUNK", chunk)
    put(store, *(entry(name, body=b"x" * 100) for name in "pqrst"))
    with store.queue("a") as box:
        box.ack([box.pending(1, 999)[0].seq])
    assert store.drop_oldest(1000) == {}
    assert store.drop_oldest(250) == {"a": 2, "b": 3}
    assert ids(store, "a") == ids(store, "b") == [alert_id("s"), alert_id("t")]
    assert store.drop_oldest(0) == {"a": 2, "b": 2}
    assert store.dropped() == {"a": 4, "b": 5}
    assert store.spool_bytes() == 0


def test_bytes_of_each_queue(store):
    """An entry counts for each sink that waits for it, until it is delivered, dies or is dropped; a
    replayed one counts again.
    """
    put(
        store,
        entry("x", body=b"x" * 100),
        entry("y", body=b"y" * 50),
        entry("z", body=b"z" * 7, sinks=("b",)),
    )
    assert store.queue_bytes() == {"a": 150, "b": 157}
    with store.queue("a") as box:
        first, second = box.pending(9, 999)
        box.ack([first.seq])
        box.ack([first.seq])
        box.dead(second.seq, "no")
    assert store.queue_bytes() == {"b": 157}
    store.replay()
    assert store.queue_bytes() == {"a": 50, "b": 157}
    store.drop_oldest(57)
    assert store.queue_bytes() == {"a": 50, "b": 57}
    store.register(["b"])
    assert store.queue_bytes() == {"b": 57}


@pytest.mark.parametrize("chunk", [1, 2, 1000])
def test_trim(store, monkeypatch, chunk):
    """One sink's oldest go until the rest fits, counted for it alone; the other sink still gets
    them.
    """
    monkeypatch.setattr(outbox, "_CHUNK", chunk)
    put(store, *(entry(name, body=b"x" * 100) for name in "pqrst"))
    assert store.trim("a", 500) == store.trim("nobody", 0) == 0
    assert store.trim("a", 250) == 3
    assert ids(store, "a") == [alert_id("s"), alert_id("t")]
    assert ids(store, "b") == [alert_id(name) for name in "pqrst"]
    assert (store.dropped(), store.spool_bytes()) == ({"a": 3}, 500)
    assert store.trim("b", 0) == 5
    assert (store.dropped(), store.spool_bytes()) == ({"a": 3, "b": 5}, 200)


def test_trim_spares_what_is_on_its_way(store):
    """Entries up to a number stay, though they are the oldest, and though the rest is still too
    much.
    """
    put(store, *(entry(name, body=b"x" * 100) for name in "pqrst"))
    with store.queue("a") as box:
        second = box.pending(2, 999)[1].seq
    assert store.trim("a", 350, second) == 2
    assert ids(store, "a") == [alert_id(name) for name in "pqt"]
    assert store.trim("a", 0, second) == 1
    assert ids(store, "a") == [alert_id(name) for name in "pq"]


def test_an_abandoned_sink(store):
    """Entries for a sink that is no longer configured are put away as dead, and are not waited
    for.
    """
    put(store, entry("x"), entry("y"))
    assert store.register(["b", "c"]) == {"a": 2}
    assert (ids(store, "a"), ids(store, "b"), ids(store, "c")) == (
        [],
        [alert_id("x"), alert_id("y")],
        [],
    )
    put(store, entry("z"))
    assert (ids(store, "a"), ids(store, "c")) == ([], [alert_id("z")])
    assert store.register(["b", "c"]) == {}
