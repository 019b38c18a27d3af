"""Standard input as records."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from jwtleak.errors import SourceError
from jwtleak.sources.interface import open_records
from jwtleak.sources.stdin_records import StdinRecords
from jwtleak.types import StreamInfo


def everything(source: StdinRecords) -> bytes:
    """All bytes up to the end."""
    data = b""
    while not source.ended:
        data += b"".join(record.data for record in source.poll(0.0))
    return data


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        with suppress(OSError):  # the test closed it
            os.close(fd)


def test_a_pipe_comes_as_it_is_written(pipe: tuple[int, int]) -> None:
    """Nothing is held back, nothing has a position, and people are warned."""
    source = StdinRecords({}, pipe[0])
    assert source.warning == (
        "standard input is a pipe: what is read before a crash cannot be read again"
    )
    assert source.poll(0.01) == []
    os.write(pipe[1], b"one")
    (record,) = source.poll(10.0)
    assert (record.data, record.position, record.stream) == (b"one", b"", source.stream)
    assert not source.ended
    os.close(pipe[1])
    assert source.poll(10.0) == []
    assert source.ended
    assert source.poll(10.0) == []
    assert source.info(source.stream) == StreamInfo("stdin")
    source.commit({})
    source.close()
    source.close()


def test_a_wait_is_ended(pipe: tuple[int, int]) -> None:
    """From another thread, and also when it came before the wait."""
    source = StdinRecords({}, pipe[0])
    for _ in range(100_000):
        source.wake()
    assert source.poll(60.0) == []
    timer = threading.Timer(0.05, source.wake)
    timer.start()
    while source.poll(60.0):
        pass
    timer.join()
    source.close()


@pytest.mark.parametrize("size", [10, 1500, 600_000])
def test_a_file_is_read_on_from_a_position(tmp_path: Path, size: int) -> None:
    """Each record's position repeats it and everything behind it, also after the file grew."""
    path, data = tmp_path / "app.log", bytes(number % 251 for number in range(size))
    path.write_bytes(data)
    with path.open("rb") as file:
        first = StdinRecords({}, file.fileno())
        records = []
        while not first.ended:
            records += first.poll(0.0)
    assert first.warning is None
    assert b"".join(record.data for record in records) == data
    path.write_bytes(data + b"more")
    for number, record in enumerate(records):
        with path.open("rb") as file:
            source = StdinRecords({"x": b"junk", first.stream: record.position}, file.fileno())
            assert source.stream == first.stream
            rest = b"".join(one.data for one in records[number:]) + b"more"
            assert everything(source) == rest
            source.close()
    first.close()


def test_another_file_begins_at_its_start(tmp_path: Path) -> None:
    """A file of another inode, one that was written anew, and one that is shorter."""
    path, data = tmp_path / "app.log", b"a" * 300_000 + b"b" * 300_000
    path.write_bytes(data)
    with path.open("rb") as file:
        first = StdinRecords({}, file.fileno())
        position = [*first.poll(0.0), *first.poll(0.0), *first.poll(0.0)][2].position
    first.close()
    (tmp_path / "other.log").write_bytes(data)
    for name, content in (
        ("other.log", data),
        ("app.log", b"c" + data[1:]),
        ("app.log", data[:520_000] + b"c" * 10_000),
        ("app.log", data[:1000]),
    ):
        (tmp_path / name).write_bytes(content)
        with (tmp_path / name).open("rb") as file:
            source = StdinRecords({first.stream: position}, file.fileno())
            assert source.stream != first.stream
            assert everything(source) == content
            source.close()


def test_what_a_shell_has_read_is_not_read(tmp_path: Path) -> None:
    """Reading begins where the descriptor is, and a position is one from there."""
    path = tmp_path / "app.log"
    path.write_bytes(b"head\n" + b"x" * 300_000)
    with path.open("rb", buffering=0) as file:
        file.read(5)
        first = StdinRecords({}, file.fileno())
        records = [*first.poll(0.0), *first.poll(0.0)]
    assert sum(len(record.data) for record in records) == 300_000
    for skip, resumed in ((5, True), (0, False)):
        with path.open("rb", buffering=0) as file:
            file.read(skip)
            source = StdinRecords({first.stream: records[1].position}, file.fileno())
            assert (source.stream == first.stream) is resumed
            source.close()
    first.close()


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """A directory, and a descriptor that is not open."""
    fd = os.open(tmp_path, os.O_RDONLY)
    source = StdinRecords({}, fd)
    assert source.warning is not None
    with pytest.raises(SourceError, match="standard input: is a directory"):
        source.poll(0.0)
    os.close(fd)
    source.close()
    with pytest.raises(SourceError, match="bad file descriptor"):
        StdinRecords({}, fd)


def test_what_was_read_before_an_error_is_not_lost(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is returned first; the error comes with the next poll."""
    source = StdinRecords({}, pipe[0])
    monkeypatch.setattr(source, "_wait", lambda _: True)
    reads = iter([b"bytes"])

    def read() -> bytes:
        for data in reads:
            return data
        raise SourceError("standard input", "input/output error")

    monkeypatch.setattr(source, "_read", read)
    assert [record.data for record in source.poll(0.0)] == [b"bytes"]
    with pytest.raises(SourceError):
        source.poll(0.0)
    source.close()


def test_a_descriptor_that_does_not_block(pipe: tuple[int, int]) -> None:
    """Another process may read what was there before: nothing is read, and nothing breaks."""
    os.set_blocking(pipe[0], False)
    source = StdinRecords({}, pipe[0])
    source._wait = lambda _: True  # type: ignore[method-assign]
    assert source.poll(0.0) == []
    assert not source.ended
    source.close()


def test_it_is_found_by_its_scheme(tmp_path: Path) -> None:
    """`open_records` opens it over descriptor 0."""
    source = open_records("stdin:", {})
    assert source.title == "standard input"
    source.close()
