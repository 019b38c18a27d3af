"""kill -9 at random moments: what belongs together is there together."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys

import pytest
import stored
from stored import alert_id, digest

from jwtleak.store import Store

# Commits round after round; round n moves the cursor to n and enters the entries of round n, with
# their sightings. Every tenth is large, and one without entries comes after each, so that both ways
# of syncing are hit.
WRITER = """
import pathlib, sys
from stored import cursor, entry, sighting
from jwtleak.store import Commit, Store
store = Store.open(pathlib.Path(sys.argv[1]))
store.register(["a"])
box = store.queue("a")
done = max((one.offset for one in store.cursors()), default=0)
print("ready", flush=True)
while True:
    done += 1
    count = 200 if done % 10 == 0 else 3
    entries = [entry(f"{done}.{one}", body=b"x" * 700) for one in range(count)] if done % 2 else []
    seen = [sighting(token=f"{done}.{one}") for one in range(count)] if done % 2 else []
    store.commit(Commit(cursors=[cursor(offset=done)], sightings=seen, alerts=entries, at_ms=done))
    if done % 7 == 0:
        box.ack([one.seq for one in box.pending(2, 1 << 20)])
"""


def kill_writer(directory, seconds):
    """Run the writer, and kill it so long after it is ready."""
    root = os.path.dirname(stored.__file__)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory)], stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()


def judge(store, done, taken):
    """Every entry and sighting of the rounds up to `done` is there or was delivered, and none of a
    later round.
    """
    wanted = [
        f"{n}.{one}"
        for n in range(1, done + 1)
        if n % 2
        for one in range(200 if n % 10 == 0 else 3)
    ]
    assert len(store.sightings()) == len(wanted)
    assert {one.sha256 for one in store.sightings()} == {digest(name) for name in wanted}
    with store.queue("a") as box:
        waiting = [one.id for one in box.pending(10**6, 1 << 30)]
    assert waiting == [alert_id(name) for name in wanted][len(wanted) - len(waiting) :]
    assert len(waiting) <= len(wanted) - taken
    assert store.spool_bytes() == 700 * len(waiting)
    return len(wanted) - len(waiting)


@pytest.mark.parametrize("rounds", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_cursors_and_alerts_move_together(directory, rounds):
    """After each of many kills the state is sound, the cursor and the entries agree, and nothing
    that was there is gone.
    """
    chance = random.Random(7)
    before = taken = 0
    for _ in range(rounds):
        kill_writer(directory, chance.uniform(0, 0.15))
        with Store.open(directory, corrupt="fail") as store:
            done = max((one.offset for one in store.cursors()), default=0)
            assert done >= before
            taken = judge(store, done, taken)
            before = done
    assert before > rounds
