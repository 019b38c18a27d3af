"""Lines in a file: appended, synced, rotated, repaired."""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sending import message, messages

from jwtleak.sinks.file import FileSink, open_sink
from jwtleak.sinks.settings import from_url


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the sink writes."""
    return tmp_path / "alerts.jsonl"


@pytest.fixture
def sink(path: Path) -> Iterator[FileSink]:
    """The sink, closed at the end."""
    made = open_sink(from_url(f"file:{path}"))
    yield made
    made.close()


def lines(path: Path) -> list[bytes]:
    """The lines; the last one has an end."""
    data = path.read_bytes()
    assert data.endswith(b"\n")
    return data.splitlines()


def test_alerts_are_appended(sink: FileSink, path: Path) -> None:
    """What stands there stays; the file is made for its owner alone."""
    batch = messages(3)
    assert [one.kind for one in sink.send(batch[:2]).outcomes] == ["accepted", "accepted"]
    sink.send(batch[2:])
    assert lines(path) == [one.body for one in batch]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_rotated_file_is_left(sink: FileSink, path: Path) -> None:
    """After a rename or a removal the next batch begins a new file."""
    batch = messages(3)
    sink.send(batch[:1])
    old = path.rename(path.with_suffix(".1"))
    sink.send(batch[1:2])
    path.unlink()
    sink.send(batch[2:])
    assert lines(old) == [batch[0].body]
    assert lines(path) == [batch[2].body]


def test_reopen_lets_go(sink: FileSink, path: Path) -> None:
    """After SIGHUP no descriptor of the old file is held."""
    sink.send(messages(1))
    held = sink._descriptor
    sink.reopen()
    assert held is not None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(held)


@pytest.mark.parametrize("cut", [1, 7, 200])
def test_a_line_that_a_crash_cut_is_completed(sink: FileSink, path: Path, cut: int) -> None:
    """The rest of the line is written, never a byte removed: who follows the file sees whole lines
    only.
    """
    batch = messages(3)
    path.write_bytes(batch[0].body + b"\n" + batch[1].body[:-cut])
    sink.send(batch[1:])
    assert lines(path) == [batch[0].body, batch[1].body, batch[1].body, batch[2].body]


@pytest.mark.parametrize("foreign", [b"something else", b"\0" * 100, b"x" * 100_000])
def test_a_last_line_of_others_is_ended(sink: FileSink, path: Path, foreign: bytes) -> None:
    """What is not ours stays as it is, on a line of its own."""
    path.write_bytes(foreign)
    sink.send(messages(1))
    assert lines(path) == [foreign, message(0).body]


def test_a_full_disk_keeps_the_alerts(sink: FileSink, path: Path) -> None:
    """A write that stops halfway is trouble; later its line is completed and nothing is missing."""
    batch = messages(3)
    sink.send(batch[:1])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    room = path.stat().st_size + len(batch[1].body) // 2
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        report = sink.send(batch[1:])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (report.problem, report.reason) == ("busy", "cannot write: file too large")
    assert path.stat().st_size == room
    assert sink.send(batch[1:]).problem is None
    assert lines(path) == [batch[0].body, batch[1].body, batch[1].body, batch[2].body]


def test_a_directory_that_is_missing_is_waited_for(tmp_path: Path) -> None:
    """The sink says why, and writes once the directory is there."""
    sink = FileSink(str(tmp_path / "later" / "alerts"))
    assert sink.send(messages(1)).reason == "cannot write: no such file or directory"
    (tmp_path / "later").mkdir()
    assert sink.send(messages(1)).problem is None
    sink.close()


def test_what_is_no_regular_file_is_written_to() -> None:
    """A device accepts lines and needs no sync."""
    sink = FileSink(os.devnull)
    assert sink.send(messages(1)).problem is None
    sink.idle()
    sink.close()
