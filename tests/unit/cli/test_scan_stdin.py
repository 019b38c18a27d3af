"""`jwtleak scan -`: alerts while the writer is still writing."""

from __future__ import annotations

import gzip
import json
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from minting import NOW, jws, sha256

# Seconds that the slowest machine may take to start the program, or to answer a line.
START = 30.0


class Live:
    """The program with its standard input open."""

    def __init__(self, environment: dict[str, str], *args: str) -> None:
        command = [sys.executable, "-m", "jwtleak", "scan", f"--now={NOW}", *args, "-"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, env=environment
        )

    def write(self, data: bytes) -> None:
        """At once into the pipe."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def ready(self, seconds: float) -> bool:
        """Whether there is output within `seconds`."""
        return bool(select.select([self.process.stdout], [], [], seconds)[0])

    def alert(self) -> dict[str, Any]:
        """The next alert."""
        assert self.process.stdout is not None
        assert self.ready(START)
        return json.loads(self.process.stdout.readline())

    def finish(self) -> tuple[list[dict[str, Any]], str, int]:
        """The end of input: what follows."""
        out, err = self.process.communicate(timeout=START)
        return (
            [json.loads(line) for line in out.splitlines()],
            err.decode(),
            self.process.returncode,
        )


@pytest.fixture
def live(environment) -> Iterator[Live]:
    """The program, started and warm."""
    program = Live(environment)
    program.write(f"token={jws({'iss': 'first'})} and more\n".encode())
    program.alert()
    yield program
    program.process.kill()
    program.process.communicate()


def latency(program: Live, data: bytes) -> float:
    """Seconds from writing `data` to the alert."""
    begun = time.perf_counter()
    program.write(data)
    assert program.ready(START)
    seconds = time.perf_counter() - begun
    program.alert()
    return seconds


def test_a_line_is_answered_within_50_ms(live):
    """The best of five complete lines is answered within 50 ms of its newline."""
    assert (
        min(latency(live, f"GET /?t={jws({'iss': str(n)})} x\n".encode()) for n in range(5)) < 0.05
    )


def test_a_terminator_is_enough(live):
    """The best of five tokens is answered within 50 ms of the byte behind it, though its line goes
    on.
    """
    assert (
        min(latency(live, f"GET /?t={jws({'iss': end})}{end}".encode()) for end in ' ",;)') < 0.05
    )


def test_the_beginning_of_an_escape_is_awaited(live):
    """A byte that may begin an escaped padding (`&#61;`, `%3D`) is no terminator: a second of
    silence is.
    """
    assert 0.9 < latency(live, f"\nGET /?t={jws({'iss': 'last'})}&".encode()) < 3


def test_a_silent_end_is_awaited(live):
    """A token without a byte behind it is given after a second of silence."""
    seconds = latency(live, f"\nGET /?t={jws({'iss': 'last'})}".encode())
    assert 0.9 < seconds < 3


def test_a_token_in_two_writes_is_one(live):
    """A token that comes in two pieces, within a second, is found once and whole."""
    token = jws({"iss": "cut", "exp": NOW + 5})
    live.write(token[:70].encode())
    time.sleep(0.1)
    live.write(token[70:].encode() + b"\n")
    assert live.alert()["token"]["sha256"] == sha256(token)
    assert live.finish()[0] == []


def test_a_burst(live):
    """A thousand tokens in one write come in order, before the end of input."""
    tokens = [jws({"iss": f"burst {n}"}) for n in range(1000)]
    assert live.process.stdin is not None
    writer = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=live.process.stdin)
    for at in range(0, 1000, 50):
        assert writer.stdin is not None
        writer.stdin.write("".join(f"x={token} y\n" for token in tokens[at : at + 50]).encode())
        writer.stdin.flush()
        assert [live.alert()["token"]["sha256"] for _ in range(50)] == [
            sha256(one) for one in tokens[at : at + 50]
        ]
    writer.communicate()


def test_utf_16(environment):
    """UTF-16 through a pipe, with an odd cut, is found."""
    program = Live(environment)
    data = f"token {jws()} is here\r\n".encode("utf-16")
    program.write(data[:101])
    program.write(data[101:])
    alert = program.alert()
    assert (alert["token"]["sha256"], alert["channel"]["encodings"]) == (sha256(jws()), ["utf16"])
    assert program.finish()[2] == 1


def test_gzip(scan):
    """What is piped in packed is unpacked."""
    result = scan(
        "-", stdin=gzip.compress(f"x={jws()} y\n".encode() * 2) + gzip.compress(b"more\n")
    )
    first, again = result.alerts
    assert (first["token"]["sha256"], first["event"]) == (sha256(jws()), "leak")
    assert (again["event"], again["sightings"]["count"]) == ("repeat", 2)
    assert (result.status, result.err) == (1, "")


def test_truncated_gzip(scan):
    """A packed stream that is cut is told, and what came before is shown."""
    whole = gzip.compress((f"x={jws()} y\n" + jws({"iss": "other"}) * 3000).encode())
    result = scan("-", stdin=whole[: len(whole) - 20])
    assert result.alerts[0]["token"]["sha256"] == sha256(jws())
    assert "truncated" in result.err


def test_repeats_are_rolled_up(live):
    """A token that came again is counted in one `repeat` at the end of input."""
    for _ in range(3):
        live.write(f"x={jws()} y\n".encode())
    assert live.alert()["event"] == "leak"
    (repeat,), err, status = live.finish()
    assert (repeat["event"], repeat["sightings"]["count"], err, status) == ("repeat", 3, "", 1)


def test_every(environment):
    """With `--every` each sighting is an alert at once, and nothing is rolled up."""
    program = Live(environment, "--every")
    for _ in range(3):
        program.write(f"x={jws()} y\n".encode())
        assert program.alert()["event"] == "leak"
    assert program.finish() == ([], "", 1)


def test_interrupt(live):
    """Ctrl-C while waiting gives the token that was held back, says how far it came, and ends with
    130.
    """
    live.write(f"x={jws()}".encode())
    time.sleep(0.2)
    live.process.send_signal(signal.SIGINT)
    assert live.process.stdin is not None
    (alert,), err, status = live.finish()
    assert alert["token"]["sha256"] == sha256(jws())
    assert status == 130
    assert err.startswith("jwtleak: warning: interrupted after ")
    assert err.count("\n") == 1
