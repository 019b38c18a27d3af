"""The scan as a whole, without the command line."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from minting import NOW, jws, kinds, sd_jwt, sha256, unsecured
from msgspec.structs import replace

import jwtleak
from jwtleak.alerts.alert import Alert
from jwtleak.alerts.wire import Selection
from jwtleak.runtime.scan import pool, worker
from jwtleak.runtime.scan import scan as scans
from jwtleak.runtime.scan import tasks as planning
from jwtleak.runtime.scan.scan import Joiner, Scan, Tally
from jwtleak.runtime.scan.worker import Done, Range
from jwtleak.sources.interface import Entry, Notice
from jwtleak.sources.stdin import StdinStream


def entry(path: Path) -> Entry:
    """A file on disk."""
    return Entry(str(path), path.stat().st_size, 0)


@pytest.fixture
def scan_files(plan_of_scan):
    """`scan_files(paths, jobs=1, every=False)` gives alerts and the tally."""

    def scan_files(paths, jobs=1, every=False, selection=None):
        tally = Tally()
        scan = Scan(
            replace(plan_of_scan, every=every), selection or Selection(min_confidence="low"), tally
        )
        return [
            record.alert() for record in scan.files(map(entry, paths), jobs, lambda _: None)
        ], tally

    return scan_files


@pytest.fixture
def small_parts(monkeypatch):
    """Files are split and pools are used at sizes that tests reach."""
    monkeypatch.setattr(planning, "RANGE", 700)
    monkeypatch.setattr(scans, "_POOL_FROM", 1)


pieces = st.one_of(
    st.sampled_from([*kinds().values(), unsecured(), jws({"iss": "again"})]),
    st.sampled_from(
        ["\n", "\n\n", " x ", "\r\n", "GET /?t=", '", "', "Authorization: Bearer ", "-" * 300]
    ),
)


@given(st.lists(pieces, max_size=25))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_parts_together_are_the_whole(scan_files, tmp_path, monkeypatch, texts):
    """A file in many parts gives the alerts that it gives in one: lines, columns, ids, sightings,
    grouped or not.
    """
    path = tmp_path / "a"
    path.write_text(" | ".join(texts))
    for every in (False, True):
        monkeypatch.setattr(planning, "RANGE", 1 << 30)
        whole, tally = scan_files([path], every=every)
        monkeypatch.setattr(planning, "RANGE", 700)
        monkeypatch.setattr(worker, "_BATCH", 1)  # a part's alerts come in more than one message
        parts, counted = scan_files([path], every=every)
        assert parts == whole
        assert (counted.files, counted.bytes_read) == (tally.files, tally.bytes_read)


def test_a_token_is_not_given_again_as_a_part_of_another():
    """A token at the end of which another reading waits for more bytes is given once."""
    data = f"{sd_jwt()}\n{jws()}{jws()}\n".encode()
    finder = jwtleak.Finder()
    findings = finder.feed(data) + finder.close()
    assert all(one.offset + one.length <= other.offset for one, other in pairwise(findings))


def test_processes_give_the_same(scan_files, small_parts, tmp_path):
    """One process and three give the same alerts in the same order, and count the same."""
    paths = []
    for n in range(6):
        paths.append(tmp_path / str(n))
        lines = (f"x={jws({'iss': str(m % 7)})} y\n" + "z" * (m * 37 % 500) for m in range(n * 5))
        paths[-1].write_text("".join(lines))
    one, tally = scan_files(paths)
    three, other = scan_files(paths, jobs=3)
    assert one == three
    assert len(one) == sum(min(n * 5, 7) for n in range(6))
    assert (tally.files, tally.bytes_read, tally.statuses) == (
        other.files,
        other.bytes_read,
        other.statuses,
    )
    assert tally.files == 6


def test_a_small_scan_starts_no_process(scan_files, tmp_path, monkeypatch):
    """Below what is worth a pool none is made."""
    monkeypatch.setattr(pool, "Pool", None)
    (tmp_path / "a").write_text(jws())
    assert len(scan_files([tmp_path / "a"], jobs=4)[0]) == 1


def test_columns_across_parts(scan_files, small_parts, tmp_path):
    """A line that began parts ago still counts the column from its beginning."""
    (tmp_path / "a").write_text(
        "first\n" + "-" * 3000 + jws() + " " + "-" * 3000 + jws({"iss": "2"}) + "\n" + jws({})
    )
    alerts, _ = scan_files([tmp_path / "a"])
    places = [(alert.location.line, alert.location.column) for alert in alerts]
    assert places == [(2, 3001), (2, 3001 + len(jws()) + 1 + 3000), (3, 1)]


def test_selection_and_counting(scan_files, tmp_path):
    """What is not selected is neither given nor counted."""
    (tmp_path / "a").write_text(f"{jws()} {jws({'exp': 5})}\n")
    alerts, tally = scan_files(
        [tmp_path / "a"], selection=Selection(statuses=frozenset({"expired"}))
    )
    assert [alert.token.status for alert in alerts] == ["expired"]
    assert (tally.alerts, dict(tally.statuses)) == (1, {"expired": 1})


def test_progress(plan_of_scan, tmp_path, small_parts):
    """Progress adds up to the bytes of the files."""
    (tmp_path / "a").write_bytes(b"x" * 5000)
    told: list[int] = []
    list(Scan(plan_of_scan, Selection(), Tally()).files([entry(tmp_path / "a")], 1, told.append))
    assert (len(told), sum(told)) == (8, 5000)


def test_stop_between_parts(plan_of_scan, tmp_path, small_parts):
    """A scan that is told to stop gives what was collected and says where it stopped."""
    (tmp_path / "a").write_text(f"x={jws()} y\n" + "-" * 5000 + f"x={jws({'iss': 'late'})} y\n")
    scan = Scan(plan_of_scan, Selection(), Tally())

    def progress(_: int) -> None:
        scan.stop()

    alerts = list(scan.files([entry(tmp_path / "a")], 1, progress))
    assert [record.sha256 for record in alerts] == [sha256(jws())]
    assert scan.unfinished() == f"{tmp_path / 'a'} (bytes 700 to 1400)"


def test_nothing_unfinished(plan_of_scan, tmp_path):
    """A scan that came to its end left nothing."""
    scan = Scan(plan_of_scan, Selection(), Tally())
    assert (list(scan.files([], 1, lambda _: None)), scan.unfinished(), list(scan.rest())) == (
        [],
        None,
        [],
    )


# --- the joiner by itself


def at(index: int, path: str) -> Range:
    """A third of a file."""
    return Range(index, path, index * 10, index * 10 + 10, 30, None)


def test_the_joiner_forgets_the_file_before(plan_of_scan, tmp_path):
    """Lines of one file do not count in the next."""
    joiner = Joiner(every=True)
    for path in "fg":
        for index in range(3):
            assert (
                list(
                    joiner.done(
                        at(index, path),
                        Done(bytes_read=10, files=0, lines=4, line_start=index * 10 + 5),
                    )
                )
                == []
            )
            assert joiner._lines == 4 * (index + 1)


# --- standard input


@pytest.fixture
def scan_stdin(plan_of_scan):
    """`scan_stdin(data)` gives the alerts and the tally of a pipe."""

    def scan_stdin(data: bytes, every: bool = False) -> tuple[list[Alert], Tally]:
        reader, writer = os.pipe()
        os.write(writer, data)
        os.close(writer)
        tally = Tally()
        scan = Scan(replace(plan_of_scan, every=every), Selection(), tally)
        found = [record.alert() for record in scan.stdin(StdinStream(reader), lambda: NOW + 1.0)]
        os.close(reader)
        return found, tally

    return scan_stdin


def test_first_sight_and_repeat(scan_stdin):
    """The first sight comes at once, later ones in one repeat, which is not counted as another
    token.
    """
    alerts, tally = scan_stdin(f"x={jws()} y\n".encode() * 3)
    assert [(alert.event, alert.sightings.count) for alert in alerts] == [
        ("leak", 1),
        ("repeat", 3),
    ]
    assert (tally.alerts, tally.files, dict(tally.statuses)) == (1, 1, {"live": 1})
    assert alerts[0].detected_at == "2026-01-15T12:00:01.000Z"


def test_every_sighting(scan_stdin):
    """With `every` nothing is rolled up."""
    alerts, _ = scan_stdin(f"x={jws()} y\n".encode() * 3, every=True)
    assert [alert.event for alert in alerts] == ["leak"] * 3


def test_a_descriptor_that_cannot_be_read(plan_of_scan, tmp_path):
    """An error of standard input is told, and ends it."""
    tally = Tally()
    fd = os.open(tmp_path, os.O_RDONLY)  # a directory
    assert list(Scan(plan_of_scan, Selection(), tally).stdin(StdinStream(fd), lambda: 0.0)) == []
    os.close(fd)
    assert [(one.kind, one.reason) for one in tally.notices] == [("unreadable", "is a directory")]
    assert tally.unread == 1


# --- the tally


def test_notices_are_bounded():
    """Beyond a number, notices are only counted; what was skipped is not unread."""
    tally = Tally()
    for _ in range(Tally.MAX_NOTICES + 5):
        tally.notice(Notice("corrupt", "a", None, "why"))
    tally.notice(Notice("skipped", "a", None, "why"))
    assert (len(tally.notices), tally.unread) == (Tally.MAX_NOTICES, Tally.MAX_NOTICES + 5)
