"""Runs the real `jwtleak tail` on real files. Waits are for conditions, with a deadline."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from minting import jws, sha256

# Long for a busy machine; a test that passes waits for none of it.
DEADLINE = 90.0
READY = re.compile(r'jwtleak: ready|"message":"ready"')


def until(condition: Callable[[], Any], what: str = "it") -> Any:
    """What `condition` gives once that is true."""
    end = time.monotonic() + DEADLINE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited too long for {what}"
        time.sleep(0.005)


def leak(number: int) -> str:
    """A line with a token of its own."""
    return f"2026-01-15T12:00:00Z GET /cb?access_token={jws({'n': number})} HTTP/1.1\n"


def name(number: int) -> str:
    """The fingerprint of the token of `leak(number)`."""
    return sha256(jws({"n": number}))


class Tail:
    """One `jwtleak tail`, started as often as a test likes; what it says and tells is collected
    over all starts.
    """

    def __init__(self, root: Path) -> None:
        self.logs = root / "logs"
        self.logs.mkdir()
        self.state = root / "state"
        self._out = root / "alerts.jsonl"
        self._err = root / "words.txt"
        self.process: subprocess.Popen[bytes] | None = None
        self._arguments: tuple[str, ...] = ()
        self._started = 0

    def start(self, *arguments: str, ready: bool = True, before: str = "") -> Tail:
        """Follow `logs`, with more arguments; waits until it is ready. `before`: shell text that
        runs first.
        """
        self._arguments = arguments or self._arguments
        command = [
            sys.executable,
            "-m",
            "jwtleak",
            "tail",
            str(self.logs),
            "--state",
            str(self.state),
            *self._arguments,
        ]
        if before:
            command = ["sh", "-c", f'{before}; exec "$@"', "sh", *command]
        environment = {**os.environ, "XDG_STATE_HOME": str(self.state), "LANG": "C.UTF-8"}
        self._started = len(self.said)
        with self._out.open("ab") as out, self._err.open("ab") as err:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=environment
            )
        if ready:
            until(lambda: READY.search(self.said[self._started :]) or self._dead(), "ready")
        return self

    def _dead(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.said
        return False

    @property
    def said(self) -> str:
        """Everything on standard error."""
        return self._err.read_text("utf-8") if self._err.exists() else ""

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """Every alert so far, in order; one that came again after a crash counts once."""
        data = self._out.read_bytes() if self._out.exists() else b""
        found = [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]
        return list({(one["id"], one["event"]): one for one in found}.values())

    def of(self, number: int) -> list[dict[str, Any]]:
        """The alerts about the token of `leak(number)`."""
        return [one for one in self.alerts if one["token"]["sha256"] == name(number)]

    def reported(self, *numbers: int) -> list[dict[str, Any]]:
        """Waits until each of these tokens had an alert; gives the first of each."""
        until(
            lambda: (
                {name(one) for one in numbers} <= {one["token"]["sha256"] for one in self.alerts}
            ),
            f"{numbers}",
        )
        return [self.of(one)[0] for one in numbers]

    def says(self, text: str) -> None:
        """Waits until `text` stands on standard error."""
        until(lambda: text in self.said, text)

    def write(self, file: str, text: str | bytes, *, mode: str = "ab") -> None:
        """Append to a log."""
        with (self.logs / file).open(mode) as log:
            log.write(text.encode() if isinstance(text, str) else text)

    def kill(self) -> None:
        """As the out-of-memory killer does it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)

    def wait(self) -> int:
        """The exit status of one that ends by itself."""
        assert self.process is not None
        return self.process.wait(DEADLINE)

    def close(self) -> None:
        """Nothing is left running."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def tail(tmp_path: Path) -> Iterator[Tail]:
    """A tail that was not started yet."""
    one = Tail(tmp_path)
    yield one
    one.close()
