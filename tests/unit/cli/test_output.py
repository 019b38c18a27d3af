"""Where alerts go."""

from __future__ import annotations

import io
import json
import os

import msgspec
import pytest
from minting import NOW, jws

import jwtleak
from jwtleak.alerts.wire import to_wire
from jwtleak.cli.output import Events, Lines, Output, Whole, open_output
from jwtleak.errors import UsageError
from jwtleak.formats.interface import DOCUMENTS, NAMES, FormatOptions, by_name, document
from jwtleak.runtime.scan.scan import Tally


@pytest.fixture
def record():
    """One alert."""
    (finding,) = jwtleak.scan(jws().encode())
    return to_wire(jwtleak.alert(finding, now=NOW, key=b"k"))


class Watched(io.BytesIO):
    """Counts flushes."""

    flushes = 0

    def flush(self) -> None:
        """One more."""
        self.flushes += 1


def test_lines_into_a_pipe(record):
    """Into a pipe each alert is a line that leaves at once; the pipe stays open."""
    file = Watched()
    lines = Lines(file, flush=True)
    seen = []
    for _ in range(2):
        lines.alert(record)
        seen.append(file.flushes)
    lines.close(Tally(), 1.0)
    assert (seen, file.flushes, file.closed) == ([1, 2], 3, False)
    assert [json.loads(line)["event"] for line in file.getvalue().splitlines()] == ["leak", "leak"]


def test_lines_into_a_file(record):
    """A file's own buffer gathers the lines; they are all out at the end."""
    file = Watched()
    lines = Lines(file, flush=False)
    lines.alert(record)
    assert (file.flushes, file.getvalue().count(b"\n")) == (0, 1)
    lines.close(Tally(), 1.0)
    assert file.flushes == 1


def test_the_bar_is_told(record):
    """Total, progress and end reach the bar; without one nothing happens."""

    class Bar:
        told: list[object] = []  # noqa: RUF012

        def start(self, total: int | None) -> None:
            self.told.append(total)

        def advance(self, count: int) -> None:
            self.told.append(count)

        def stop(self) -> None:
            self.told.append("end")

    for bar in (Bar(), None):
        output = Output(Lines(io.BytesIO(), flush=False), bar, Tally())
        output.start(100)
        output.progress(5)
        output.alert(record)
        output.close(1.0)
        assert output.wants_total == (bar is not None)
    assert Bar.told == [100, 5, "end"]


@pytest.mark.parametrize("form", ["json", "table", None])
def test_a_file(tmp_path, record, form):
    """`--output` makes a file that only its owner may read; JSON unless a table is asked for."""
    old = os.umask(0)
    try:
        output = open_output(str(tmp_path / "o"), form, Tally(), progress=True)
    finally:
        os.umask(old)
    output.alert(record)
    output.close(1.0)
    assert (tmp_path / "o").stat().st_mode & 0o777 == 0o600
    text = (tmp_path / "o").read_text()
    assert text.startswith("{") == (form != "table")
    assert "live" in text


def test_a_file_that_cannot_be_written(tmp_path):
    """A path that cannot be written is wrong usage."""
    with pytest.raises(UsageError, match=r"cannot write .*: is a directory"):
        open_output(str(tmp_path), None, Tally(), progress=False)


OURS = b'{"schema":"jwtleak/1","id":"x"}\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b""),
        (OURS, OURS),
        (OURS * 2 + OURS[:25], OURS * 2),
        (OURS + OURS[:3], OURS),
        (OURS[:-1], b""),
        (b"notes of mine", b"notes of mine\n"),
        (OURS + b"x" * 200_000, OURS + b"x" * 200_000 + b"\n"),
        (OURS + OURS[:-4] + b"y" * 200_000, OURS),
    ],
)
def test_going_on_with_a_file(tmp_path, record, before, after):
    """Alerts are appended; a line of ours that a crash left unfinished goes first, what is not ours
    stays.
    """
    (tmp_path / "o").write_bytes(before)
    output = open_output(str(tmp_path / "o"), None, Tally(), progress=False, append=True)
    output.alert(record)
    output.close(1.0)
    assert (tmp_path / "o").read_bytes() == after + record.json() + b"\n"


def test_going_on_with_what_is_no_file():
    """A device takes alerts as ever."""
    output = open_output("/dev/null", None, Tally(), progress=False, append=True)
    assert output.place() is None
    output.sync()
    output.close(1.0)


def test_sync(tmp_path, record, monkeypatch):
    """Into a file, what was given is on the disk, which is asked for only when there is something
    new.
    """
    synced = []
    sync = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda fd: (synced.append((tmp_path / "o").read_bytes()), sync(fd))
    )
    output = open_output(str(tmp_path / "o"), None, Tally(), progress=False)
    for _ in range(2):
        output.sync()
    output.alert(record)
    for _ in range(2):
        output.sync()
    assert synced == [record.json() + b"\n"]
    found = (tmp_path / "o").stat()
    assert output.place() == (found.st_dev, found.st_ino)
    output.close(1.0)
    table = open_output(str(tmp_path / "t"), "table", Tally(), progress=False)
    table.sync()
    assert table.place() is None
    table.close(1.0)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in DOCUMENTS])
def test_events_are_lines(record, name):
    """Every event format is one line for each alert; into a pipe each leaves at once."""
    for flush in (True, False):
        file = Watched()
        events = Events(file, by_name(name), flush=flush)
        for _ in range(2):
            events.alert(record)
        assert file.flushes == (2 if flush else 0)
        events.close(Tally(), 1.0)
        first, second = file.getvalue().splitlines()
        assert first == second == by_name(name).encode(record.alert())


@pytest.mark.parametrize(("name", "repeats"), [("sarif", 1), ("gitlab", 1), ("csv", 2)])
def test_a_document_is_whole(record, name, repeats):
    """A document begins before the first alert and ends with the scan; repeats stand only where
    they have a place.
    """
    file = Watched()
    whole = Whole(file, document(name))
    assert file.getvalue() == document(name).begin()
    whole.alert(record)
    whole.alert(to_wire(msgspec.structs.replace(record.alert(), event="repeat")))
    assert file.flushes == 0
    whole.close(Tally(), 1.0, complete=False)
    text = file.getvalue().decode()
    assert text.count(record.alert().id) == repeats
    if name == "sarif":
        (run,) = json.loads(text)["runs"]
        assert run["invocations"][0]["executionSuccessful"] is False
    if name == "gitlab":
        assert json.loads(text)["scan"]["status"] == "failure"


@pytest.mark.parametrize("form", NAMES)
def test_every_format_can_be_written_to_a_file(tmp_path, record, form):
    """`--output` takes each format; the options reach it."""
    options = FormatOptions(timestamp="event")
    output = open_output(str(tmp_path / "o"), form, Tally(), progress=False, options=options)
    output.alert(record)
    output.close(1.0)
    assert by_name(form, options).encode(record.alert()) in (tmp_path / "o").read_bytes()
