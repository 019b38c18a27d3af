"""From paths to tasks."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from jwtleak.runtime.scan import tasks as planning
from jwtleak.runtime.scan.tasks import plan
from jwtleak.runtime.scan.worker import Files, Range
from jwtleak.sources.interface import Entry


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that small files reach."""
    monkeypatch.setattr(planning, "RANGE", 1000)
    monkeypatch.setattr(planning, "_TOGETHER_BYTES", 500)
    monkeypatch.setattr(planning, "_TOGETHER_FILES", 4)


def entry(path: Path, data: bytes) -> Entry:
    """A file with `data`."""
    path.write_bytes(data)
    return Entry(str(path), len(data), 7)


def test_nothing():
    """No files, no tasks."""
    assert list(plan([])) == []


def test_small_files_go_together():
    """Small files share a task, up to a number of files and of bytes."""
    entries = [Entry(str(n), size, 0) for n, size in enumerate([10] * 5 + [400] * 3)]
    groups = [task.paths for task in plan(entries) if isinstance(task, Files)]
    assert groups == [("0", "1", "2", "3"), ("4", "5"), ("6",), ("7",)]


def test_a_large_plain_file_is_split(tmp_path):
    """A large file is split into ranges that cover it, with its size and time."""
    (first, *rest) = plan([entry(tmp_path / "a", b"x" * 2500)])
    path = str(tmp_path / "a")
    assert first == Range(0, path, 0, 1000, 2500, 7)
    assert [(one.start, one.stop) for one in rest if isinstance(one, Range)] == [
        (1000, 2000),
        (2000, 2500),
    ]


def test_an_archive_stays_whole(tmp_path):
    """A large archive is one task, alone or with others."""
    (task,) = plan([entry(tmp_path / "a", gzip.compress(bytes(range(256)) * 8, 0))])
    assert isinstance(task, Files)


def test_a_file_that_is_gone_goes_to_a_worker(tmp_path):
    """A large file that cannot be opened is left to a worker, which says why."""
    (task,) = plan([Entry(str(tmp_path / "gone"), 5000, 0)])
    assert isinstance(task, Files)


def test_order_and_numbers(tmp_path):
    """Tasks are numbered from 0 and keep the order of the files."""
    entries = [Entry("a", 1, 0), entry(tmp_path / "b", b"x" * 1500), Entry("c", 1, 0)]
    tasks = list(plan(entries))
    assert [task.index for task in tasks] == [0, 1, 2, 3]
    assert [task.paths if isinstance(task, Files) else task.start for task in tasks] == [
        ("a",),
        0,
        1000,
        ("c",),
    ]


def test_tasks_come_lazily():
    """Planning reads no further ahead than a task."""

    def entries():
        yield from (Entry(str(n), 10, 0) for n in range(5))
        raise AssertionError

    assert next(plan(entries())).index == 0
