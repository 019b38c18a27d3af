"""A sink's queue."""

from __future__ import annotations

import threading

from stored import alert_id, entry

from jwtleak.store import Commit
from jwtleak.store.outbox import MAX_REASON


def put(store, *names, **fields):
    """Add entries at the time 5."""
    store.commit(Commit(alerts=[entry(name, **fields) for name in names], at_ms=5))


def ids(box, limit=99, most=1 << 20, **more):
    """The ids that wait."""
    return [one.id for one in box.pending(limit, most, **more)]


def test_order_and_limits(store):
    """The oldest come first; no more than asked for by number and bytes; one that is larger than
    the limit still comes.
    """
    put(store, *"abcde", body=b"x" * 100)
    with store.queue("a") as box:
        assert ids(box) == [alert_id(name) for name in "abcde"]
        assert ids(box, limit=2) == [alert_id("a"), alert_id("b")]
        assert ids(box, most=250) == [alert_id("a"), alert_id("b")]
        assert ids(box, most=5) == [alert_id("a")]
        assert ids(box, after=box.pending(3, 999)[-1].seq) == [alert_id("d"), alert_id("e")]


def test_each_sink_has_its_own(store):
    """An entry that one sink has accepted still waits for the other; it goes with the last."""
    put(store, "a")
    with store.queue("a") as one, store.queue("b") as other:
        (got,) = one.pending(9, 999)
        one.ack([got.seq])
        one.ack([got.seq])
        assert (ids(one), ids(other)) == ([], [alert_id("a")])
        assert store.spool_bytes() == len(got.body)
        other.ack([got.seq])
        assert store.spool_bytes() == 0


def test_a_late_acknowledgement_meets_no_newer_entry(store):
    """Numbers are not used twice."""
    with store.queue("a") as one, store.queue("b") as other:
        put(store, "a")
        (got,) = one.pending(9, 999)
        one.ack([got.seq])
        other.ack([got.seq])
        put(store, "b")
        one.ack([got.seq])
        assert ids(one) == [alert_id("b")]


def test_depth_and_age(store):
    """How many wait, and since when."""
    with store.queue("a") as box:
        assert (box.depth(), box.oldest_ms()) == (0, None)
        put(store, *"abc")
        assert (box.depth(), box.oldest_ms()) == (3, 5)


def test_dead(store):
    """A refused entry leaves the queue of its sink alone."""
    put(store, "a")
    with store.queue("a") as one, store.queue("b") as other:
        (got,) = one.pending(9, 999)
        one.dead(got.seq, "no such index", 404, 3)
        one.dead(got.seq, "said twice", 404, 3)
        assert (ids(one), ids(other)) == ([], [alert_id("a")])


def test_a_long_reason_is_cut(store):
    """Whatever a server says fits."""
    put(store, "a")
    with store.queue("a") as box:
        (got,) = box.pending(9, 999)
        box.dead(got.seq, "\x1b[31m" + "x" * 100 * MAX_REASON)
        assert box.depth() == 0


def test_a_queue_in_its_own_thread(store):
    """A sink's thread drains while the store goes on entering, and nothing is missed or seen
    twice.
    """
    seen: list[str] = []

    def drain():
        with store.queue("a") as box:
            while len(seen) < 200:
                got = box.pending(7, 1 << 20)
                seen.extend(one.id for one in got)
                box.ack([one.seq for one in got])

    thread = threading.Thread(target=drain)
    thread.start()
    for number in range(100):
        put(store, f"x{number}", f"y{number}")
    thread.join(60)
    assert seen == [alert_id(f"{kind}{number}") for number in range(100) for kind in "xy"]
