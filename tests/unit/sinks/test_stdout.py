"""Lines on standard output."""

from __future__ import annotations

import os

from sending import messages

from jwtleak.sinks.settings import from_url
from jwtleak.sinks.stdout import StdoutSink, open_sink


def test_lines_leave_at_once() -> None:
    """Each alert is a line, and is there when `send` returns."""
    reader, writer = os.pipe()
    batch = messages(3)
    report = StdoutSink(writer).send(batch)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b"".join(one.body + b"\n" for one in batch)
    assert [one.kind for one in report.outcomes] == ["accepted"] * 3


def test_a_reader_that_went_away_keeps_the_alerts() -> None:
    """A closed pipe is trouble, not success."""
    reader, writer = os.pipe()
    os.close(reader)
    report = StdoutSink(writer).send(messages(2))
    os.close(writer)
    assert report.problem == "busy"
    assert report.reason == "cannot write: broken pipe"


def test_it_is_found_by_its_url() -> None:
    """`stdout` is the whole address; file descriptor 1 is left open at the end."""
    sink = open_sink(from_url("stdout"))
    sink.idle()
    sink.reopen()
    sink.close()
    os.fstat(1)
