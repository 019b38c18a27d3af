"""Tasks in processes of their own."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from minting import jws

from jwtleak.errors import WorkerError
from jwtleak.runtime.scan import pool as pools
from jwtleak.runtime.scan import worker
from jwtleak.runtime.scan.pool import Pool
from jwtleak.runtime.scan.worker import Alerts, Done, Files, Range, ScanWorker, run_here


@pytest.fixture
def tasks(tmp_path: Path) -> list[Files | Range]:
    """Twelve tasks of very different sizes."""
    made: list[Files | Range] = []
    for n in range(12):
        path = tmp_path / f"{n}.log"
        count = (1, 300, 20)[n % 3]
        path.write_text("".join(f"x={jws({'iss': f'{n} {m}'})} y\n" for m in range(count)))
        made.append(Files(n, (str(path),), path.stat().st_size))
    return made


def flat(results):
    """(Task number, alert's fingerprint) of everything, in order; the batches may differ."""
    found = []
    for task, message in results:
        if isinstance(message, Alerts):
            found += [(task.index, alert.sha256) for alert in message.alerts]
        else:
            assert isinstance(message, Done)
            found.append((task.index, "done"))
    return found


@pytest.mark.parametrize("early", [24 << 20, 1])
@pytest.mark.parametrize("jobs", [1, 3])
def test_order_is_that_of_one_process(plan_of_scan, tasks, jobs, early, monkeypatch):
    """Messages come in the order of the tasks, whatever the number of workers, and however little
    may wait.
    """
    monkeypatch.setattr(pools, "_EARLY_BYTES", early)
    monkeypatch.setattr(worker, "_BATCH", 16)
    expected = flat(run_here(ScanWorker(plan_of_scan), iter(tasks)))
    with Pool(plan_of_scan, jobs) as pool:
        assert flat(pool.run(iter(tasks))) == expected
        assert (pool._early, pool._early_bytes) == ({}, 0)


def test_early_messages_are_bounded(plan_of_scan, tasks, monkeypatch):
    """While the first task is held up, no more is kept than the bound and a message of each
    worker.
    """
    monkeypatch.setattr(pools, "_EARLY_BYTES", 50_000)
    monkeypatch.setattr(worker, "_BATCH", 8)
    most = 0
    with Pool(plan_of_scan, 3) as pool:
        for _ in pool.run(iter(tasks)):
            most = max(most, pool._early_bytes)
    assert 0 < most < 50_000 + 4 * 8 * 4096


def test_tasks_are_taken_when_needed(plan_of_scan, tasks):
    """No more tasks are taken than the workers can have."""
    taken = []

    def watched():
        for task in tasks:
            taken.append(task.index)
            yield task

    with Pool(plan_of_scan, 2) as pool:
        next(pool.run(watched()))
        assert len(taken) <= 6


def test_no_tasks(plan_of_scan):
    """A pool without tasks ends."""
    with Pool(plan_of_scan, 2) as pool:
        assert list(pool.run(iter(()))) == []


def test_a_dead_worker(plan_of_scan, tasks):
    """A worker that was killed before or during its task is an error that names a task and the
    signal.
    """
    with Pool(plan_of_scan, 2) as pool:
        for hand in pool._processes:
            hand.child.signal(signal.SIGKILL)
            hand.child.join()
        with pytest.raises(
            WorkerError, match=r"a worker process was ended by signal 9 while scanning .*/0\.log"
        ):
            list(pool.run(iter(tasks)))


def test_a_failing_worker(plan_of_scan, tasks, monkeypatch):
    """A failure in a worker is an error that names the place and the task, and not what was
    scanned.
    """

    def fail(*_: object) -> None:
        raise ValueError(jws())

    monkeypatch.setattr(ScanWorker, "_whole", fail)
    with Pool(plan_of_scan, 1) as pool, pytest.raises(WorkerError) as raised:
        list(pool.run(iter(tasks)))
    said = str(raised.value)
    assert said.startswith("internal error: ValueError at jwtleak.runtime.scan.worker:")
    assert said.endswith("/0.log")
    assert "eyJ" not in said


def test_stop(plan_of_scan, tmp_path):
    """Workers that are told to stop finish early, and say what they did not read."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(8 << 30)
    with Pool(plan_of_scan, 1) as pool:
        steps = pool.run(iter([Files(0, (str(path), "next"), 8 << 30)]))
        begun = time.monotonic()
        signal.signal(signal.SIGALRM, lambda *_: pool.stop())
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        ((_, done),) = steps
        assert time.monotonic() - begun < 5
    assert isinstance(done, Done)
    assert (done.stopped, done.bytes_read < 8 << 30) == (str(path), True)


def test_no_process_is_left(plan_of_scan, tasks):
    """Leaving the pool, in whatever way, ends its processes."""
    with Pool(plan_of_scan, 2) as pool:
        next(pool.run(iter(tasks)))
        children = [hand.child for hand in pool._processes]
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child.pid, 0)
