"""The store against a model of dictionaries: any sequence of calls, with reopening in between."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from stored import alert_id, cursor, digest, entry, sighting

from jwtleak.errors import StoreError
from jwtleak.store import Commit, Store
from jwtleak.store.maintenance import Keep

SINKS = ("a", "b", "c")
names = st.sampled_from("pqrst")
sinks = st.sampled_from(SINKS)


class Machine(RuleBasedStateMachine):
    """Does the same to a store and to a few dictionaries."""

    def __init__(self):
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="jwtleak-model-"))
        self.store = Store.open(self.directory)
        self.registered: set[str] = set()
        self.cursors: dict[str, tuple[int, str, int]] = {}  # name: offset, state, time
        self.sightings: dict[
            tuple[str, str], tuple[int, int]
        ] = {}  # (stream, token): since, last_ms
        self.outbox: dict[
            tuple[str, str], tuple[bytes, set[str]]
        ] = {}  # (id, event), in order: body, who waits
        self.dead: dict[tuple[str, str, str], bytes] = {}  # (sink, id, event), in order: body
        self.dropped: dict[str, int] = {}
        self.now = 0

    def teardown(self):
        self.store.close()
        shutil.rmtree(self.directory)

    @rule(
        moved=st.dictionaries(
            names, st.tuples(st.integers(0, 99), st.sampled_from(["followed", "finished"]))
        ),
        gone=st.sets(names, max_size=2),
        seen=st.dictionaries(st.tuples(names, names), st.integers(0, 3), max_size=4),
        sent=st.lists(
            st.tuples(names, st.sampled_from(["leak", "repeat"]), st.none() | st.sets(sinks)),
            max_size=4,
        ),
    )
    def commit(self, moved, gone, seen, sent):
        """Everything of a batch at once."""
        self.now += 1
        self.store.commit(
            Commit(
                cursors=[
                    cursor(name, offset=offset, state=state)
                    for name, (offset, state) in moved.items()
                ],
                forget=[cursor(name).stream for name in gone],
                sightings=[
                    sighting(*key, since=since, total=5, last_ms=self.now)
                    for key, since in seen.items()
                ],
                alerts=[
                    entry(
                        name,
                        event=event,
                        body=b"x" * (10 + self.now % 7),
                        sinks=None if to is None else tuple(to),
                    )
                    for name, event, to in sent
                ],
                at_ms=self.now,
            )
        )
        for name in gone:
            self.cursors.pop(name, None)
            self.sightings = {key: value for key, value in self.sightings.items() if key[0] != name}
        self.cursors |= {name: (offset, state, self.now) for name, (offset, state) in moved.items()}
        self.sightings |= {key: (since, self.now) for key, since in seen.items()}
        for name, event, to in sent:
            waiting = self.registered if to is None else self.registered & to
            if waiting:
                self.outbox.setdefault(
                    (alert_id(name), event), (b"x" * (10 + self.now % 7), set(waiting))
                )

    @rule(chosen=st.sets(sinks))
    def register(self, chosen):
        """Those that are left out lose their queues to the dead letters."""
        self.registered = set(chosen)
        expected = {}
        for sink in SINKS:
            if sink not in chosen and (waiting := self.waiting(sink)):
                expected[sink] = len(waiting)
                for key in waiting:
                    self.bury(sink, key)
        assert self.store.register(sorted(chosen)) == expected

    @rule(sink=sinks, limit=st.integers(1, 4), most=st.integers(1, 60))
    def deliver(self, sink, limit, most):
        """Some of the oldest are taken."""
        with self.store.queue(sink) as box:
            got = box.pending(limit, most)
            box.ack([one.seq for one in got])
        keys = self.waiting(sink)[: len(got)]
        assert [(one.id, one.body) for one in got] == [
            (key[0], self.outbox[key][0]) for key in keys
        ]
        total = sum(len(one.body) for one in got)
        assert total <= most or len(got) == 1
        for key in keys:
            self.take(sink, key)

    @rule(sink=sinks)
    def refuse(self, sink):
        """The oldest is refused for good."""
        with self.store.queue(sink) as box:
            got = box.pending(1, 999)
            for one in got:
                box.dead(one.seq, "no", 400, 1)
        for key in self.waiting(sink)[: len(got)]:
            self.bury(sink, key)

    @precondition(lambda self: self.dead)
    @rule(sink=sinks, to=st.none() | sinks)
    def replay(self, sink, to):
        """What died at one sink is sent again; not at all where the target is unknown."""
        chosen = [key for key in self.dead if key[0] == sink]
        if chosen and (to or sink) not in self.registered:
            with pytest.raises(StoreError):
                self.store.replay(sink=sink, to=to)
            return
        assert self.store.replay(sink=sink, to=to) == len(chosen)
        for key in chosen:
            body = self.dead.pop(key)
            self.outbox.setdefault(key[1:], (body, set()))[1].add(to or sink)

    @rule(cap=st.integers(0, 80))
    def drop(self, cap):
        """The oldest go until the rest fits."""
        expected: dict[str, int] = {}
        while sum(len(body) for body, _ in self.outbox.values()) > cap:
            key = next(iter(self.outbox))
            for sink in self.outbox.pop(key)[1]:
                expected[sink] = expected.get(sink, 0) + 1
        assert self.store.drop_oldest(cap) == expected
        self.dropped = {
            sink: self.dropped.get(sink, 0) + expected.get(sink, 0)
            for sink in {*self.dropped, *expected}
        }

    @rule(sink=sinks, cap=st.integers(0, 40), spared=st.integers(0, 2))
    def trim(self, sink, cap, spared):
        """One sink's oldest go, but for the first `spared`, until the rest fits."""
        keys = self.waiting(sink)
        with self.store.queue(sink) as box:
            after = max([0, *(one.seq for one in (box.pending(spared, 999) if spared else []))])
        count = 0
        for key in keys[spared:]:
            if self.queue(sink) <= cap:
                break
            self.take(sink, key)
            count += 1
        assert self.store.trim(sink, cap, after) == count
        if count:
            self.dropped[sink] = self.dropped.get(sink, 0) + count

    @rule(age=st.integers(0, 10))
    def prune(self, age):
        """Finished streams and sightings with nothing to tell go by their age."""
        pruned = self.store.prune(self.now, Keep(age, age, 10**15, age))
        before = len(self.cursors), len(self.sightings)
        edge = self.now - age
        self.cursors = {
            name: row
            for name, row in self.cursors.items()
            if row[1] != "finished" or row[2] >= edge
        }
        self.sightings = {
            key: row for key, row in self.sightings.items() if row[0] or row[1] >= edge
        }
        assert (pruned.streams, pruned.sightings) == (
            before[0] - len(self.cursors),
            before[1] - len(self.sightings),
        )

    @rule()
    def reopen(self):
        """Everything is still there."""
        self.store.close()
        self.store = Store.open(self.directory, corrupt="fail")

    def waiting(self, sink):
        """The keys of what waits for `sink`, the oldest first."""
        return [key for key, (_, who) in self.outbox.items() if sink in who]

    def queue(self, sink):
        """The bytes that wait for `sink`."""
        return sum(len(self.outbox[key][0]) for key in self.waiting(sink))

    def take(self, sink, key):
        """`sink` acknowledges an entry."""
        self.outbox[key][1].discard(sink)
        if not self.outbox[key][1]:
            del self.outbox[key]

    def bury(self, sink, key):
        """`sink` refuses an entry."""
        self.dead.pop((sink, *key), None)
        self.dead[sink, *key] = self.outbox[key][0]
        self.take(sink, key)

    @invariant()
    def agree(self):
        """What the store says is what the model holds."""
        found = {(one.path, one.offset, one.state) for one in self.store.cursors()}
        assert found == {
            (cursor(name).path, offset, state) for name, (offset, state, _) in self.cursors.items()
        }
        seen = {(one.stream, one.sha256, one.since) for one in self.store.sightings()}
        assert seen == {
            (cursor(s).stream, digest(token), since)
            for (s, token), (since, _) in self.sightings.items()
        }
        assert self.store.spool_bytes() == sum(len(body) for body, _ in self.outbox.values())
        assert self.store.queue_bytes() == {
            sink: self.queue(sink) for sink in SINKS if self.waiting(sink)
        }
        assert [(one.sink, one.id, one.event) for one in self.store.dead_letters()] == list(
            self.dead
        )
        assert self.store.dropped() == self.dropped


@pytest.mark.parametrize("examples", [12, pytest.param(500, marks=pytest.mark.slow)])
def test_any_sequence(examples):
    """Commits, deliveries, refusals, replays, drops, prunings and reopenings in any order agree
    with the model.
    """
    quick = settings(
        max_examples=examples,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Machine, settings=quick)
