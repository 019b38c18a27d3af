"""The journal: what is marked, what is left out, what is given again."""

from __future__ import annotations

import gzip
import os

import pytest
from minting import jws
from msgspec.structs import replace

from jwtleak.alerts.wire import Selection
from jwtleak.errors import StoreFull
from jwtleak.runtime.scan import resume, tasks, worker
from jwtleak.runtime.scan.resume import JournalHooks, ScanJournal
from jwtleak.runtime.scan.scan import Scan, Tally
from jwtleak.sources.local import FileStream
from jwtleak.sources.walk import walk
from jwtleak.store import Store


class Runs:
    """Scans of one directory, one after another, with one state. Knows what was read, given and
    said.
    """

    def __init__(self, plan_of_scan, logs, state):
        self.plan, self.logs, self.state = plan_of_scan, logs, state
        self.read: list[str] = []
        self.events: list[str] = []
        self.said: list[str] = []
        self.passed = 0
        self.tally = Tally()

    def add(self, size):
        """A file was left out."""
        self.passed += size

    def run(self, *, again=True, stop_after=None, own=frozenset(), jobs=1):
        """The ids that a scan gives, in order; broken off after some of them."""
        self.read.clear()
        self.tally = Tally()
        self.passed = 0
        with Store.open(self.state) as store:
            scans = store.scans("k")
            scans.begin(resume=again)
            hooks = JournalHooks(
                own,
                lambda: self.events.append("sync"),
                self.tally.notice,
                self.add,
                self.said.append,
                lambda: 5,
            )
            journal = ScanJournal(scans, hooks)
            scan = Scan(self.plan, Selection(), self.tally)
            ids = []
            for record in scan.files(
                walk([str(self.logs)], notice=self.tally.notice), jobs, lambda _: None, journal
            ):
                ids.append(record.id)
                self.events.append("given")
                if len(ids) == stop_after:
                    scan.stop()
            journal.close()
        return ids


@pytest.fixture
def runs(plan_of_scan, tmp_path, monkeypatch):
    """No file yet; each one is a task of its own, so that breaking off is exact."""
    (tmp_path / "logs").mkdir()
    found = Runs(plan_of_scan, tmp_path / "logs", tmp_path / "state")
    opened = worker.open_streams

    def recorded(path, limits, *, notice):
        found.read.append(os.path.basename(path))
        return opened(path, limits, notice=notice)

    monkeypatch.setattr(worker, "open_streams", recorded)
    monkeypatch.setattr(tasks, "_TOGETHER_FILES", 1)
    return found


def lines(*names):
    """A log with a token for each name."""
    return "".join(f"GET /?token={jws({'iss': name})} x\n" for name in names).encode()


def test_a_finished_file_is_not_read_again(runs):
    """The second scan reads nothing and gives nothing; a new file is read."""
    (runs.logs / "a.log").write_bytes(lines("a", "b"))
    (runs.logs / "b.gz").write_bytes(gzip.compress(lines("c")))
    assert len(runs.run()) == 3
    assert runs.read == ["a.log", "b.gz"]
    assert (runs.run(), runs.read) == ([], [])
    assert runs.passed == sum(path.stat().st_size for path in runs.logs.iterdir())
    (runs.logs / "c.log").write_bytes(lines("d"))
    assert (len(runs.run()), runs.read) == (1, ["c.log"])


def test_without_resuming_everything_is_read(runs):
    """A scan that begins anew gives everything again, and its marks are its own."""
    (runs.logs / "a.log").write_bytes(lines("a"))
    first = runs.run(again=False)
    assert runs.run(again=False) == first
    assert runs.run() == []


def test_a_name_does_not_matter(runs):
    """A file that was rotated meanwhile is known; the new one in its place is read."""
    (runs.logs / "app.log").write_bytes(lines("a"))
    runs.run()
    (runs.logs / "app.log").rename(runs.logs / "app.log.1")
    (runs.logs / "app.log").write_bytes(lines("b"))
    assert (len(runs.run()), runs.read) == (1, ["app.log"])


CHANGES = {
    "grown": lambda path: path.write_bytes(path.read_bytes() + b"more\n"),
    "touched": lambda path: os.utime(path, (1, 1)),
    "rewritten in place": lambda path: rewrite(path),
}


def rewrite(path):
    """Other bytes, the same size and time of change."""
    found = path.stat()
    with path.open("r+b") as file:
        file.write(b"POST")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_is_read_again(runs, change):
    """Size, time and beginning all count."""
    (runs.logs / "a.log").write_bytes(lines("a"))
    runs.run()
    CHANGES[change](runs.logs / "a.log")
    assert (len(runs.run()), runs.read) == (1, ["a.log"])


def test_broken_off(runs):
    """What was finished is not read again; all else is; together the alerts are those of one scan,
    each once.
    """
    for name in "abcdef":
        (runs.logs / f"{name}.log").write_bytes(lines(name, name + "2"))
    whole = runs.run(again=False)
    first = runs.run(again=False, stop_after=5)
    assert 5 <= len(first) < len(whole)
    assert first + runs.run() == whole
    assert "a.log" not in runs.read


def test_broken_off_inside_of_a_file(runs, monkeypatch):
    """Alerts that were given of a file that is not finished are not given again, though the file is
    read again.
    """
    monkeypatch.setattr(worker, "_BATCH", 5)
    monkeypatch.setattr(resume, "_BATCH", 3)
    parts = [lines(*(f"{part}.{one}" for one in range(20))) + bytes(2 << 20) for part in range(8)]
    (runs.logs / "a.gz").write_bytes(gzip.compress(b"".join(parts)))
    runs.plan = replace(runs.plan, every=True)
    whole = runs.run(again=False)
    assert len(whole) == 160
    ids = []
    for _ in range(3):
        ids += runs.run(again=bool(ids), stop_after=1)
    assert len(ids) < 160
    ids += runs.run()
    assert ids == whole
    assert (runs.run(), runs.read) == ([], [])


def test_a_large_file_in_parts(runs, monkeypatch):
    """It is marked with its last part, and only if all of its parts were read."""
    monkeypatch.setattr(tasks, "RANGE", 1 << 20)
    (runs.logs / "a.log").write_bytes(
        b"".join(lines(f"x{one}") + bytes(1 << 20) for one in range(6))
    )
    whole = runs.run(again=False)
    assert len(whole) == 6
    assert (runs.run(), runs.passed) == ([], (runs.logs / "a.log").stat().st_size)
    (runs.logs / "0.log").write_bytes(lines("y"))
    (more,) = first = runs.run(again=False, stop_after=1)
    assert first == [more]
    assert sorted(first + runs.run()) == sorted([*whole, more])


def test_what_is_broken_is_told_again(runs):
    """A damaged archive is finished, but that it is damaged is said each time; what the system
    refused is tried again.
    """
    data = gzip.compress(lines("a") + bytes(100_000))
    (runs.logs / "bad.gz").write_bytes(data[:-20])
    assert len(runs.run()) == 1
    told = list(runs.tally.notices)
    assert told
    assert (runs.run(), runs.read, runs.tally.notices) == ([], [], told)
    (runs.logs / "bad.gz").rename(runs.logs / "renamed.gz")
    runs.run()
    assert runs.tally.notices[0].path.endswith("/renamed.gz")


def test_what_the_system_refused_is_tried_again(runs, monkeypatch):
    """A file that could not be read is not finished."""
    (runs.logs / "a.log").write_bytes(lines("a"))
    read = FileStream.readinto
    failing = worker.SourceError("a.log", "input/output error")

    def fail(*_):
        raise failing

    monkeypatch.setattr("jwtleak.sources.local.FileStream.readinto", fail)
    assert runs.run() == []
    monkeypatch.setattr("jwtleak.sources.local.FileStream.readinto", read)
    assert (len(runs.run()), runs.read) == (1, ["a.log"])


def test_replaced_while_it_waits(runs, monkeypatch):
    """A file that another took the name of, between planning and reading, is not marked: it was not
    read.
    """
    (runs.logs / "a.log").write_bytes(lines("a"))
    identify = resume.identify

    def rotated(path, count):
        found = identify(path, count)
        if not (runs.logs / "old").exists():
            (runs.logs / "a.log").rename(runs.logs / "old")
            (runs.logs / "a.log").write_bytes(lines("b"))
        return found

    monkeypatch.setattr(resume, "identify", rotated)
    first = runs.run()
    assert len(first + runs.run()) == 2
    assert set(runs.read) == {"a.log", "old"}


def test_growing_while_it_waits(runs, monkeypatch):
    """A file that grew after it was listed is not marked."""
    (runs.logs / "a.log").write_bytes(lines("a"))
    identify = resume.identify

    def grown(path, count):
        with open(path, "ab") as file:
            file.write(b"x\n")
        return identify(path, count)

    monkeypatch.setattr(resume, "identify", grown)
    runs.run()
    monkeypatch.setattr(resume, "identify", identify)
    runs.run()
    assert runs.read == ["a.log"]


def test_own_files_are_left_out(runs, monkeypatch):
    """The output and the state are not scanned, and not even opened, which would break SQLite's
    locks.
    """
    monkeypatch.setattr(resume, "identify", lambda path, count: pytest.fail("was opened"))
    (runs.logs / "out.jsonl").write_bytes(lines("a"))
    found = (runs.logs / "out.jsonl").stat()
    assert runs.run(own=frozenset({(found.st_dev, found.st_ino)})) == []
    assert runs.read == []


def test_alerts_are_out_before_the_mark(runs, monkeypatch):
    """What was given is synced, then the file is marked."""
    (runs.logs / "a.log").write_bytes(lines("a"))
    finish = resume.Scans.finish

    def told(*args):
        runs.events.append("marked")
        return finish(*args)

    monkeypatch.setattr(resume.Scans, "finish", told)
    runs.run()
    assert runs.events == ["given", "sync", "marked"]


def test_a_state_that_cannot_be_written(runs, monkeypatch):
    """The scan goes on; it is said once; everything is read again."""
    for name in "ab":
        (runs.logs / f"{name}.log").write_bytes(lines(name))

    def full(*_):
        raise StoreFull("the state cannot be written")

    monkeypatch.setattr(resume.Scans, "finish", full)
    assert len(runs.run()) == 2
    assert runs.said == ["the state cannot be written"]
    monkeypatch.undo()
    assert len(runs.run()) == 2


def test_two_processes(runs, monkeypatch):
    """With workers the same is marked and given."""
    monkeypatch.setattr("jwtleak.runtime.scan.scan._POOL_FROM", 1)
    for name in "abcdef":
        (runs.logs / f"{name}.log").write_bytes(lines(name, name + "2"))
    whole = runs.run(again=False, jobs=2)
    assert len(whole) == 12
    assert runs.run(jobs=2) == []
