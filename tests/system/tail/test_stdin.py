"""`jwtleak tail -` over real pipes and files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from .conftest import DEADLINE, leak, name, until

FILLER = "2026-01-15T12:00:01Z nothing of interest in this line of the log\n" * 300


class StdinTail:
    """`jwtleak tail -`, started as often as a test likes over one state."""

    def __init__(self, root: Path) -> None:
        self.root, self.state = root, root / "state"
        self._out, self._err = root / "alerts.jsonl", root / "words.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str, stdin: int | IO[bytes] = subprocess.PIPE) -> StdinTail:
        """Start it; it reads a pipe that `write` fills, unless `stdin` is something else."""
        command = [sys.executable, "-m", "jwtleak", "tail", "-", "--state", str(self.state)]
        environment = {**os.environ, "XDG_STATE_HOME": str(self.state), "LANG": "C.UTF-8"}
        with self._out.open("ab") as out, self._err.open("ab") as err:
            self.process = subprocess.Popen(
                [*command, *arguments], stdin=stdin, stdout=out, stderr=err, env=environment
            )
        return self

    def write(self, text: str) -> None:
        """Write into the pipe, at once."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def finish(self) -> int:
        """The end of input; the exit status."""
        assert self.process is not None
        if self.process.stdin is not None:
            self.process.stdin.close()
        return self.process.wait(DEADLINE)

    def kill(self) -> None:
        """As the out-of-memory killer does it."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()

    @property
    def said(self) -> str:
        """Everything on standard error."""
        return self._err.read_text("utf-8")

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """Every alert so far, in order."""
        data = self._out.read_bytes()
        return [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]


@pytest.fixture
def tail(tmp_path: Path) -> Iterator[StdinTail]:
    """A tail that was not started yet."""
    made = StdinTail(tmp_path)
    yield made
    made.kill()


def scanned(path: Path) -> list[tuple[str, str]]:
    """(Fingerprint, id) of what `scan -` reports of a file, in order."""
    command = [sys.executable, "-m", "jwtleak", "scan", "-"]
    with path.open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, check=False)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [(one["token"]["sha256"], one["id"]) for one in found if one["event"] == "leak"]


def test_a_pipe(tail: StdinTail) -> None:
    """Alerts come while the pipe is open, also of a token that came in two writes; repeats are
    summed up at the end, which gives the status of a run with leaks.
    """
    tail.start()
    tail.write(leak(1)[:80])
    until(lambda: "jwtleak: ready" in tail.said, "ready")
    assert "standard input is a pipe: what is read before a crash cannot be read again" in tail.said
    tail.write(leak(1)[80:] + leak(2))
    until(lambda: len(tail.alerts) == 2, "the alerts")
    tail.write(leak(1) * 5 + leak(3).rstrip("\n"))
    assert tail.finish() == 1
    assert [(one["event"], one["token"]["sha256"]) for one in tail.alerts] == [
        ("leak", name(1)),
        ("leak", name(2)),
        ("leak", name(3)),
        ("repeat", name(1)),
    ]
    assert tail.alerts[3]["sightings"]["count"] == 5
    assert tail.alerts[0]["location"]["source"] == "stdin"
    assert (tail.alerts[2]["location"]["line"], tail.alerts[2]["location"]["column"]) == (8, 43)


def test_a_token_at_the_end_of_what_was_written(tail: StdinTail) -> None:
    """It is reported after a second, although the pipe stays open, as it is in a file."""
    tail.start()
    line = leak(1)
    tail.write(line[: line.index(" HTTP")])
    until(lambda: len(tail.alerts) == 1, "the early alert")
    tail.write(line[line.index(" HTTP") :])
    assert tail.finish() == 1
    assert len({one["id"] for one in tail.alerts}) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tail: StdinTail, number: int) -> None:
    """What was read is reported and delivered before the end, and the status is 0."""
    tail.start()
    tail.write(leak(1).rstrip("\n"))
    until(lambda: "jwtleak: ready" in tail.said, "ready")
    assert tail.process is not None
    tail.process.send_signal(number)
    assert tail.process.wait(DEADLINE) == 0


def test_no_leaks(tail: StdinTail) -> None:
    """The end of clean input is a clean end."""
    tail.start()
    tail.write(FILLER)
    assert tail.finish() == 0
    assert tail.alerts == []


def test_a_file_is_read_once_over_runs_that_are_killed(tail: StdinTail, tmp_path: Path) -> None:
    """After kill -9 reading goes on: over all runs each token has one id, that of `scan -`; a run
    over the whole file again reports nothing, one over more lines only those.
    """
    log = tmp_path / "app.log"
    log.write_text("".join(leak(number) + FILLER for number in range(150)))
    for count in (20, 70):
        with log.open("rb") as file:
            tail.start("--rate", "1500k", stdin=file)
        until(lambda count=count: len(tail.alerts) >= count, f"{count} alerts")  # type: ignore[misc]
        tail.kill()
    assert len({one["id"] for one in tail.alerts}) < 150
    with log.open("rb") as file:
        assert tail.start(stdin=file).finish() == 1
    assert {(one["token"]["sha256"], one["id"]) for one in tail.alerts} == set(scanned(log))
    assert {one["event"] for one in tail.alerts} == {"leak"}
    assert "cannot be read again" not in tail.said
    before = len(tail.alerts)
    with log.open("rb") as file:
        assert tail.start(stdin=file).finish() == 0
    with log.open("a") as file:
        file.write(leak(1000))
    with log.open("rb") as file:
        assert tail.start(stdin=file).finish() == 1
    assert [one["token"]["sha256"] for one in tail.alerts[before:]] == [name(1000)]
    assert tail.alerts[-1]["location"]["line"] == 150 * 301 + 1
    assert (tail.alerts[-1]["token"]["sha256"], tail.alerts[-1]["id"]) == scanned(log)[-1]


def test_alerts_of_a_pipe_are_delivered_after_a_crash(tail: StdinTail, tmp_path: Path) -> None:
    """What was stored before kill -9 is sent by the next run, whatever that reads."""
    missing = tmp_path / "missing"
    sink = ("--sink", f"file:{missing}/alerts.json")
    tail.start(*sink)
    tail.write(leak(1))
    until(lambda: "cannot deliver" in tail.said, "the trouble")
    tail.kill()
    missing.mkdir()
    tail.start(*sink)
    assert tail.finish() == 0
    (line,) = (missing / "alerts.json").read_bytes().splitlines()
    assert json.loads(line)["token"]["sha256"] == name(1)


def test_a_closed_standard_input(tail: StdinTail) -> None:
    """It is refused: its number would belong to whatever the program opens first."""
    command = [sys.executable, "-m", "jwtleak", "tail", "-", "--state", str(tail.state)]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *command], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"jwtleak: error: standard input: is closed" in done.stderr
