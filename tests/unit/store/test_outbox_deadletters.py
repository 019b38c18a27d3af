"""Alerts that a sink refused for good."""

from __future__ import annotations

import pytest
from forbidden import Checker
from minting import jws
from stored import alert_id, entry

from jwtleak.errors import StoreError
from jwtleak.store import Commit, outbox


def bury(store, *names, sink="a", reason="refused", **fields):
    """Add entries, and have `sink` refuse them."""
    store.commit(Commit(alerts=[entry(name, **fields) for name in names], at_ms=5))
    with store.queue(sink) as box:
        for one in box.pending(99, 1 << 20):
            box.dead(one.seq, reason, 400, 3)


def waiting(store, sink):
    """The ids that wait for `sink`."""
    with store.queue(sink) as box:
        return [one.id for one in box.pending(99, 1 << 20)]


def test_what_is_kept(store):
    """A dead letter has the alert whole, and what the receiver said."""
    bury(store, "x")
    (dead,) = store.dead_letters()
    assert (dead.sink, dead.id, dead.event, dead.severity, dead.body) == (
        "a",
        alert_id("x"),
        "leak",
        "high",
        entry("x").body,
    )
    assert (dead.status, dead.reason, dead.attempts) == (400, "refused", 3)
    assert dead.at_ms > 10**12


def test_by_sink_and_page(store):
    """They can be asked for by sink, and a few at a time."""
    bury(store, "x", "y")
    bury(store, "x", "y", sink="b")
    assert [one.sink for one in store.dead_letters()] == ["a", "a", "b", "b"]
    assert len(store.dead_letters("b")) == 2
    (first,) = store.dead_letters(limit=1)
    assert len(store.dead_letters(after=first.seq)) == 3


def test_a_reason_is_cleaned(store):
    """A server that echoes the request puts no token and no control character into the state."""
    checker = Checker()
    token = checker.forbid(jws())
    bury(store, "x", reason=f"bad \x1b[2J value: {token} at 1:2" + "x" * 9999)
    (dead,) = store.dead_letters()
    checker.check(dead.reason.encode())
    assert len(dead.reason) <= outbox.MAX_REASON
    assert dead.reason.isprintable()


def test_dying_twice(store):
    """An entry that is replayed and dies again is there once, with the newer reason, and counted
    once.
    """
    bury(store, "x", reason="first")
    assert store.replay() == 1
    bury(store, reason="second")
    assert [one.reason for one in store.dead_letters()] == ["second"]
    assert store.replay() == 1
    assert store.dead_letters() == []


def test_replay_some(store):
    """By sink, by number, and to another sink than the one that refused."""
    bury(store, "x", "y")
    assert store.replay(sink="b") == 0
    first, second = store.dead_letters()
    assert store.replay(seqs=[second.seq]) == 1
    assert waiting(store, "a") == [alert_id("y")]
    store.register(["b", "c"])
    with pytest.raises(StoreError, match="no sink a: known are b, c"):
        store.replay(seqs=[first.seq])
    assert store.replay(seqs=[first.seq], to="c") == 1
    assert waiting(store, "c") == [alert_id("x")]
    with pytest.raises(StoreError, match="no dead letter 99"):
        store.replay(seqs=[99])


def test_a_replayed_letter_joins_its_other_queues(store):
    """Where another sink still waits for the entry, it is not there twice."""
    bury(store, "x")
    before = store.spool_bytes()
    assert store.replay() == 1
    assert store.spool_bytes() == before
    assert waiting(store, "a") == waiting(store, "b") == [alert_id("x")]


def test_replay_is_all_or_nothing(store):
    """One that cannot go holds all."""
    bury(store, "x")
    bury(store, "x", sink="b")
    store.register(["a"])
    with pytest.raises(StoreError, match="no sink b"):
        store.replay()
    assert len(store.dead_letters()) == 2
    assert waiting(store, "a") == []


def test_they_are_bounded(store, monkeypatch):
    """Beyond the bound the oldest go, and count as dropped."""
    monkeypatch.setattr(outbox, "MAX_BYTES", 250)
    bury(store, *"pqrst", body=b"x" * 100)
    assert [one.id for one in store.dead_letters()] == [alert_id("s"), alert_id("t")]
    assert store.dropped() == {"a": 3}


def test_abandoned(store):
    """What waited for a sink that was taken out of the configuration is kept, and says so."""
    store.commit(Commit(alerts=[entry("x"), entry("y")], at_ms=5))
    store.register(["b"])
    assert [(one.sink, one.reason, one.status) for one in store.dead_letters()] == [
        ("a", outbox.ABANDONED, None)
    ] * 2
    store.register(["a", "b"])
    assert store.replay(sink="a") == 2
    assert waiting(store, "a") == [alert_id("x"), alert_id("y")]
