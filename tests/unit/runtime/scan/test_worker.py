"""One task, done."""

from __future__ import annotations

import gzip
import json

import msgspec
import pytest
from minting import NOW, jws, sha256
from msgspec.structs import replace

from jwtleak.core.engine import READ_SIZE
from jwtleak.core.regions import LOOKAHEAD, LOOKBACK
from jwtleak.errors import SourceError
from jwtleak.runtime.scan import worker
from jwtleak.runtime.scan.worker import (
    Alerts,
    Counted,
    Done,
    Failed,
    Files,
    Message,
    Range,
    ScanWorker,
    Task,
    describe,
    unreadable,
)
from jwtleak.types import StreamInfo


def run(worker: ScanWorker, task: Task):
    """(The alerts, the done) of a task."""
    *batches, done = worker.run(task)
    assert isinstance(done, Done)
    return [record.alert() for batch in batches for record in batch.alerts], done


def test_files(plan_of_scan, tmp_path):
    """Alerts come in the order of the files; the rest is counted."""
    for name in "ab":
        (tmp_path / name).write_text(f"x={jws({'iss': name})} y\n" * 2)
    alerts, done = run(
        ScanWorker(plan_of_scan), Files(0, (str(tmp_path / "a"), str(tmp_path / "b")), 1)
    )
    assert [alert.token.sha256 for alert in alerts] == [sha256(jws({"iss": name})) for name in "ab"]
    assert [alert.sightings.count for alert in alerts] == [2, 2]
    assert (done.files, done.bytes_read, done.notices, done.stopped) == (2, sum(
        (tmp_path / name).stat().st_size for name in "ab"), (), None)  # fmt: skip


def test_every(plan_of_scan, tmp_path):
    """With `every` each sighting is an alert."""
    (tmp_path / "a").write_text(f"x={jws()} y\n" * 3)
    alerts, _ = run(
        ScanWorker(replace(plan_of_scan, every=True)), Files(0, (str(tmp_path / "a"),), 1)
    )
    assert [alert.location.line for alert in alerts] == [1, 2, 3]


def test_batches(plan_of_scan, tmp_path, monkeypatch):
    """Many alerts leave in batches."""
    monkeypatch.setattr(worker, "_BATCH", 4)
    (tmp_path / "a").write_text("".join(f"x={jws({'iss': str(n)})} y\n" for n in range(10)))
    messages = list(ScanWorker(plan_of_scan).run(Files(0, (str(tmp_path / "a"),), 1)))
    assert [len(one.alerts) for one in messages if isinstance(one, Alerts)] == [4, 4, 2]


def test_notices(plan_of_scan, tmp_path):
    """What is gone or damaged is told, and the next file is scanned."""
    (tmp_path / "b.gz").write_bytes(gzip.compress(bytes(range(256)) * 99)[:-50])
    (tmp_path / "c").write_text(jws())
    alerts, done = run(
        ScanWorker(plan_of_scan),
        Files(0, tuple(str(tmp_path / name) for name in ("a", "b.gz", "c")), 1),
    )
    assert len(alerts) == 1
    assert {(one.kind, one.path) for one in done.notices} == {
        ("unreadable", str(tmp_path / "a")),
        ("truncated", str(tmp_path / "b.gz")),
    }


def test_an_error_while_reading(plan_of_scan, tmp_path, monkeypatch):
    """A file that fails while it is read gives what was found before, and a notice."""

    class Failing:
        info = StreamInfo("file", "f")
        parts = [f"x={jws()} y\n".encode()]  # noqa: RUF012

        def readinto(self, buffer: memoryview) -> int:
            if not self.parts:
                raise SourceError("f", "input/output error")
            buffer[: len(self.parts[0])] = self.parts[0]
            return len(self.parts.pop())

        def close(self) -> None: ...

    monkeypatch.setattr(worker, "open_streams", lambda *_args, **_more: iter([Failing()]))
    alerts, done = run(ScanWorker(plan_of_scan), Files(0, ("f",), 1))
    assert len(alerts) == 1
    assert [(one.kind, one.reason) for one in done.notices] == [
        ("unreadable", "input/output error")
    ]


def test_a_part_is_read_little_further_than_it_goes(plan_of_scan, tmp_path, monkeypatch):
    """What is read before and behind a part is what a token at its edge could need, and not what
    fits into the buffer.
    """
    read = []

    class Watched(Counted):
        def readinto(self, buffer: memoryview) -> int:
            read.append(super().readinto(buffer))
            return read[-1]

    monkeypatch.setattr(worker, "Counted", Watched)
    size = 4 << 20
    (tmp_path / "a").write_bytes(b"a line of a log\n" * (size // 16))
    run(ScanWorker(plan_of_scan), Range(0, str(tmp_path / "a"), 1 << 20, 2 << 20, size, None))
    assert sum(read) <= (1 << 20) + LOOKAHEAD + 2 * LOOKBACK + 8192


@pytest.mark.parametrize("cut", range(80, 330, 10))
def test_ranges_share_what_stands_at_their_edge(plan_of_scan, tmp_path, cut):
    """A token at the edge of two ranges is found once, by the range in which it begins."""
    data = f"{'-' * 50}\n{'-' * 50}{jws()} and\n{jws({'iss': 'b'})}\n".encode()
    (tmp_path / "a").write_bytes(data)
    worker = ScanWorker(plan_of_scan)
    found = []
    for index, (start, stop) in enumerate([(0, cut), (cut, len(data))]):
        alerts, done = run(worker, Range(index, str(tmp_path / "a"), start, stop, len(data), None))
        assert all(start <= alert.location.offset < stop for alert in alerts)
        assert done.lines == data.count(b"\n", start, stop)
        last = data.rfind(b"\n", start, stop)
        assert done.line_start == (last + 1 if last >= 0 else None)
        found += [alert.token.sha256 for alert in alerts]
    assert found == [sha256(jws()), sha256(jws({"iss": "b"}))]


@pytest.mark.parametrize("into", [1, 5, 11])
def test_a_range_reads_on_for_what_is_announced_late(plan_of_scan, tmp_path, into):
    """A JSON serialisation that begins in a part is found though its header stands behind the part
    and the read.
    """
    head, payload, signature = jws().split(".")
    text = json.dumps({"payload": payload, "signature": signature, "protected": head}).encode()
    data = b"x " * ((READ_SIZE - 100) // 2) + text + b"\n" + b"y\n" * 1000
    (tmp_path / "a").write_bytes(data)
    stop = data.index(b"{") + into
    parts = [
        Range(0, str(tmp_path / "a"), 0, stop, len(data), None),
        Range(1, str(tmp_path / "a"), stop, len(data), len(data), None),
    ]
    found = [
        [alert.token.sha256 for alert in run(ScanWorker(plan_of_scan), part)[0]] for part in parts
    ]
    assert found == [[sha256(jws())], []]


def test_a_range_of_a_file_that_is_gone(plan_of_scan, tmp_path):
    """A range that cannot be opened is told."""
    alerts, done = run(ScanWorker(plan_of_scan), Range(0, str(tmp_path / "gone"), 0, 10, 10, None))
    assert (alerts, [one.kind for one in done.notices]) == ([], ["unreadable"])


def test_stopping(plan_of_scan, tmp_path):
    """A worker that is told to stop gives what it has, and names the file it did not finish."""
    for name in "abc":
        (tmp_path / name).write_text(jws({"iss": name}))
    worker = ScanWorker(plan_of_scan)
    worker.stopping = True
    alerts, done = run(worker, Files(0, tuple(str(tmp_path / name) for name in "abc"), 1))
    assert (alerts, done.files, done.stopped) == ([], 0, str(tmp_path / "a"))


def test_stopping_in_the_middle(plan_of_scan, tmp_path, monkeypatch):
    """What stands in the bytes that were read is found though the file goes on."""
    (tmp_path / "a").write_bytes(f"x={jws()} y\n".encode() + bytes(3 << 20))
    worker = ScanWorker(plan_of_scan)
    readinto = Counted.readinto

    def stop(self: Counted, buffer: memoryview) -> int:
        worker.stopping = True
        return readinto(self, buffer)

    monkeypatch.setattr(Counted, "readinto", stop)
    alerts, done = run(worker, Files(0, (str(tmp_path / "a"), "b"), 1))
    assert (len(alerts), done.files, done.stopped) == (1, 1, str(tmp_path / "a"))
    assert done.bytes_read < 3 << 20


def test_counted():
    """Bytes are counted; an error ends the stream and is kept."""

    class Stream:
        info = StreamInfo("stdin")
        left = 2

        def readinto(self, buffer: memoryview) -> int:
            self.left -= 1
            if self.left < 0:
                raise SourceError("x", "why")
            return len(buffer)

        def close(self) -> None: ...

    counted = Counted(Stream())
    assert [counted.readinto(memoryview(bytearray(5))) for _ in range(3)] == [5, 5, 0]
    assert (counted.count, str(counted.error)) == (10, "x: why")
    assert unreadable(counted.info, counted.error, 10).path == "-"


def test_messages_survive_the_way(plan_of_scan, tmp_path):
    """Every message is the same after the pipe."""
    (tmp_path / "a").write_text(jws({"sub": "x", "scope": "a b", "exp": NOW}))
    messages = list(ScanWorker(plan_of_scan).run(Files(0, (str(tmp_path / "a"), "gone"), 1)))
    for message in [*messages, Failed("why")]:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=Message) == message


def test_describe():
    """A task is named by its files or its part of one; a token in a name is replaced."""
    assert describe(Files(0, ("a",), 1)) == "a"
    assert describe(Files(0, ("a", "b", "c"), 1)) == "a and 2 more"
    assert describe(Range(0, "a", 5, 9, 10, None)) == "a (bytes 5 to 9)"
    assert describe(Files(0, (jws(),), 1)).startswith("[JWT ")
