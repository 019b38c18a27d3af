"""Drives the real daemon: a process of its own, real files, real signals; alerts are read from what
its sink wrote.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from minting import NOW, jws, sha256

# The full length of the stress tests takes half an hour; without it they run for some seconds each.
FULL = bool(os.environ.get("JWTLEAK_FULL"))
# A machine that does much else is slow; waiting for what comes costs nothing.
PATIENCE = 240.0
# In either form of the log.
_READY = re.compile(rb'^jwtleak: ready$|"message":"ready"', re.MULTILINE)


def token(number: int, writer: str = "w") -> str:
    """The token that `writer` writes in its line `number`."""
    return jws({"iss": "https://idp.test/", "jti": f"{writer}-{number}", "exp": NOW + 10**9})


def line(number: int, writer: str = "w") -> bytes:
    """A line of an access log with `token(number)`."""
    return (
        f'192.0.2.7 - - [15/Jan/2026:12:00:01 +0000] "GET /cb?n={writer}-{number}&access_token={token(number, writer)} '  # noqa: E501
        f'HTTP/1.1" 200 {number}\n'
    ).encode()


def lines(numbers: Iterable[int], writer: str = "w") -> bytes:
    """Several lines."""
    return b"".join(line(number, writer) for number in numbers)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        return int(link.getsockname()[1])


class Daemon:
    """`jwtleak tail` on `paths`, with its state and its alerts in `place`.

    `wrap` is a command in front of it (unshare, setpriv); `options` go behind it.
    """

    def __init__(
        self,
        place: Path,
        *paths: Path | str,
        options: Sequence[str] = (),
        wrap: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        place.mkdir(exist_ok=True)
        self.place, self.paths, self.options, self.wrap = place, paths, options, wrap
        self.env = {**os.environ, **(env or {})}
        self.state, self.out, self.log = place / "state", place / "alerts.jsonl", place / "log"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0  # bytes of `out` that were parsed
        self._alerts: list[dict[str, Any]] = []

    @property
    def command(self) -> list[str]:
        """The whole command line."""
        return [
            *self.wrap,
            sys.executable,
            "-m",
            "jwtleak",
            "tail",
            *map(str, self.paths),
            "--state",
            str(self.state),
            "--sink",
            f"file:{self.out}",
            "--metrics",
            f"127.0.0.1:{self.port}",
            *self.options,
        ]

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Daemon:
        try:
            return self.start()
        except BaseException:
            self.kill()
            raise

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> Daemon:
        """Start, and wait until it follows."""
        self.launch()
        self.wait(lambda: _READY.search(self._said()) is not None, "ready")
        return self

    def launch(self) -> None:
        """Start without waiting."""
        self._from = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _said(self) -> bytes:
        """What it wrote to its log since it was started."""
        return self.log.read_bytes()[self._from :]

    def said(self) -> str:
        """What it wrote to its log, as text."""
        return self._said().decode("utf-8", "replace")

    def signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(PATIENCE)
        self._process = None
        return status

    def wait(
        self, come: Callable[[], bool], what: str, seconds: float = PATIENCE, pause: float = 0.02
    ) -> None:
        """Until `come()`; fails after `seconds`, or when the process ends. Asking costs the daemon
        time too.
        """
        end = time.monotonic() + seconds
        while not come():
            if self._process is not None and self._process.poll() is not None:
                self._fail(f"ended with {self._process.returncode}, waiting for {what}")
            if time.monotonic() > end:
                self._fail(f"waited {seconds:.0f} s for {what}")
            time.sleep(pause)

    def _fail(self, text: str) -> NoReturn:
        raise AssertionError(f"{text}; the log ends:\n{self.said()[-2000:]}")

    def alerts(self) -> list[dict[str, Any]]:
        """Every alert in the sink's file, repeats left out; a last line without an end is not there
        yet.
        """
        if self.out.exists():
            with self.out.open("rb") as file:
                file.seek(self._read)
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read += len(whole)
            self._alerts += [
                one for one in map(json.loads, whole.splitlines()) if one["event"] == "leak"
            ]
        return self._alerts

    def ids(self) -> dict[str, set[str]]:
        """The ids of the alerts of each token, by its fingerprint."""
        found: dict[str, set[str]] = defaultdict(set)
        for one in self.alerts():
            found[one["token"]["sha256"]].add(one["id"])
        return found

    def wait_for(
        self, numbers: Iterable[int], writer: str = "w", seconds: float = PATIENCE
    ) -> None:
        """Until there is an alert for each of these tokens of `writer`."""
        wanted = {sha256(token(number, writer)): number for number in numbers}
        try:
            self.wait(lambda: wanted.keys() <= self.ids().keys(), "alerts", seconds)
        except AssertionError as error:
            absent = sorted(wanted[one] for one in wanted.keys() - self.ids().keys())
            raise AssertionError(
                f"{len(absent)} of {len(wanted)} tokens missing: {absent[:20]} ...; {error}"
            ) from None

    def check_ids(self) -> None:
        """No token, standing at one place, has alerts with different ids."""
        twice = {one: names for one, names in self.ids().items() if len(names) > 1}
        assert not twice, f"{len(twice)} of {len(self.ids())} tokens have more than one id"

    def get(self, path: str) -> tuple[int, str]:
        """(Status, body) of its endpoint."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}{path}", timeout=10
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metric(self, name: str) -> float:
        """The sum of all series of a metric."""
        rows = (row for row in self.get("/metrics")[1].splitlines() if not row.startswith("#"))
        return sum(
            float(row.rpartition(" ")[2]) for row in rows if row.split("{")[0].split(" ")[0] == name
        )
