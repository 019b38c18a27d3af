"""Real receivers: where they are, how they are started and ended, and a thousand alerts for
them.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sample_alerts import HOSTILE
from sending import alert

from jwtleak.alerts.alert import Alert, AlertChannel, Location, TokenFacts, to_json
from jwtleak.core.sanitize import clean
from jwtleak.runtime.delivery.delivery import Delivery
from jwtleak.runtime.delivery.sender import SinkHealth
from jwtleak.sinks.settings import SinkSettings, from_url
from jwtleak.store import Commit, OutboxEntry, Store
from jwtleak.types import SEVERITIES

COUNT = 1000
DIRECTORY = Path(os.environ.get("JWTLEAK_RECEIVERS", "/nonexistent"))


def absent(what: str) -> Any:
    """Skips with the reason; where everything must be there, fails."""
    reason = f"{what} is not here: tests/receivers/install.sh DIR, then JWTLEAK_RECEIVERS=DIR"
    return pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


def program(name: str, *, optional: bool = False) -> str:
    """Where a program is: on the path, in the directory of install.sh, or where Debian keeps those
    for root. One that is optional is built where there is a compiler, and may be absent everywhere.
    """
    places = [os.environ.get("PATH", ""), str(DIRECTORY / "bin"), "/usr/sbin", "/usr/local/sbin"]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None and optional:
        pytest.skip(f"{name} is not here: tests/receivers/install.sh builds it where Go is")
    return found or absent(name)


def java(name: str) -> tuple[str, str]:
    """(Java, the class path of `name`), where Maven was there to fetch it."""
    libraries = DIRECTORY / "java" / name
    found = shutil.which("java")
    if found is None or not libraries.is_dir():
        pytest.skip(f"{name} is not here: tests/receivers/install.sh fetches it where Java is")
    return found, f"{libraries}/*"


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that nobody has now."""
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def until(true: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait for another process; gives what `true` gave."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = true()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("did not happen in time")


def listens(port: int) -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0


class Started:
    """Programs of one test, ended with it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = ExitStack()

    def __call__(
        self,
        *command: str,
        port: int | None = None,
        env: dict[str, str] | None = None,
        seconds: float = 60,
    ) -> subprocess.Popen[bytes]:
        """Start a program and wait until it listens. What it says is in `said.txt`."""
        said = self._stack.enter_context((self._directory / "said.txt").open("ab"))
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=self._directory,
            env={**os.environ, **(env or {})},
        )
        self._stack.callback(end, process)
        if port is not None:
            until(lambda: listens(port) or process.poll() is not None, seconds)
            assert process.poll() is None, (self._directory / "said.txt").read_text(
                errors="replace"
            )[-2000:]
        return process

    def close(self) -> None:
        """End all."""
        self._stack.close()


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask, then insist."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def thousand() -> list[Alert]:
    """Alerts of every severity, status and channel, with names that an attacker chose."""
    names = [clean(name) for name in HOSTILE.values()]
    channels = ("url_query", "cookie", "authorization_header", "json_field")
    made = []
    for number in range(COUNT):
        name = names[number % len(names)]
        where = Location(
            source="file",
            path=f"/var/log/{name}"[:256],
            host="web-01",
            offset=number,
            length=240,
            line=number + 1,
            column=3,
        )
        facts = TokenFacts(
            alert(number).token.sha256,
            "jws",
            "live" if number % 3 else "expired",
            "HS256",
            kid=name[:256],
            issuer="https://idp.test/",
            audience=("api", name[:64]),
            redacted="eyJ***.***.***",
            length=240,
        )
        channel = AlertChannel(channels[number % 4], "t")  # type: ignore[arg-type]
        made.append(
            alert(
                number,
                location=where,
                token=facts,
                channel=channel,
                severity=SEVERITIES[number % 5],
            )
        )
    return made


class Sender:
    """Delivers through a real store, as `tail` and `scan` do."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.said: list[str] = []

    def __call__(
        self, url: str | SinkSettings, alerts: list[Alert], seconds: float = 90
    ) -> SinkHealth:
        """Deliver all; the sink's figures at the end."""
        settings = from_url(url) if isinstance(url, str) else url
        with Store.open(self._directory / "state") as store:
            delivery = Delivery(store, [settings], say=self.said.append)
            entries = [
                OutboxEntry(
                    id=one.id,
                    fingerprint=one.token.sha256,
                    severity=one.severity,
                    event="leak",
                    body=to_json(one),
                )
                for one in alerts
            ]
            store.commit(Commit(alerts=entries, at_ms=1))
            delivery.start()
            left = delivery.close(seconds)
            assert left == [], left
            return delivery.health()[0]
