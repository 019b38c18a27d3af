"""What those who run the daemon see of it: the service manager's words, probes, signals, and the
containers of a node.
"""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon import Daemon, line, lines, token

pytestmark = pytest.mark.slow


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The manager's end of NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind(str(tmp_path / "notify"))
        link.settimeout(30)
        yield link


def next_word(link: socket.socket) -> str:
    """The next word that is no sign of life."""
    while (word := link.recv(4096).decode().split("\n")[0]) == "WATCHDOG=1":
        pass
    return word


def test_the_course_of_a_service(tmp_path: Path, manager: socket.socket) -> None:
    """Ready when it follows, signs of life, a reload, the end; each with what probes are told."""
    file = tmp_path / "app.log"
    file.touch()
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}
    with Daemon(tmp_path / "run", file, env=env) as daemon:
        assert next_word(manager) == "READY=1"
        assert manager.recv(4096) == b"WATCHDOG=1"
        assert daemon.get("/readyz")[0] == 200
        assert json.loads(daemon.get("/healthz")[1]) == {"status": "ok", "phase": "following"}
        daemon.signal(signal.SIGHUP)
        assert next_word(manager) == "RELOADING=1"
        assert next_word(manager) == "READY=1"
        file.write_bytes(lines([1]))
        daemon.wait_for([1])
        assert daemon.stop() == 0
        assert next_word(manager) == "STOPPING=1"


def test_a_log_that_says_nothing_of_tokens(tmp_path: Path) -> None:
    """Structured lines, one JSON object each, although names of files hold tokens."""
    logs = tmp_path / "log"
    (logs / token(1)[:200]).mkdir(parents=True)
    odd = logs / token(1)[:200] / "x.log"
    odd.symlink_to("/nowhere/" + token(2)[:200])
    (logs / "app.log").write_bytes(line(3))
    with Daemon(
        tmp_path / "run", logs, str(logs / token(4)[:200]), options=("--log-format", "json")
    ) as daemon:
        daemon.wait_for([3])
        numbers = daemon.get("/metrics")[1]
        assert daemon.stop() == 0
    written = daemon.said()
    assert all(json.loads(one)["kind"] for one in written.splitlines())
    for number in (1, 2, 3, 4):
        for part in token(number).split(".")[1:]:
            for text in (written, numbers, daemon.out.read_text()):
                assert part[8:24] not in text


def test_a_pod_and_a_container(tmp_path: Path) -> None:
    """The alert of a pod's log names namespace, pod, container and stream; one of Docker the
    container and stream.
    """
    uid, name = "6f1c2b3a-0d4e-4f5a-8b6c-7d8e9f0a1b2c", "0123456789abcdef" * 4
    pod = tmp_path / "pods" / f"shop_web-1_{uid}" / "nginx"
    docker = tmp_path / "containers" / name
    for one in (pod, docker):
        one.mkdir(parents=True)
    (pod / "0.log").write_bytes(b"2026-11-23T10:15:30.123456789Z stderr F " + line(1))
    record = {"log": line(2).decode(), "stream": "stdout", "time": "2026-11-23T10:15:30.123456789Z"}
    (docker / f"{name}-json.log").write_text(json.dumps(record, separators=(",", ":")) + "\n")
    with Daemon(tmp_path / "run", tmp_path / "pods", tmp_path / "containers") as daemon:
        daemon.wait_for([1, 2])
        told = sorted((one["location"]["container"] for one in daemon.alerts()), key=len)
        assert daemon.stop() == 0
    assert told == [
        {"id": name, "stream": "stdout"},
        {"namespace": "shop", "pod": "web-1", "pod_uid": uid, "name": "nginx", "stream": "stderr"},
    ]
