"""Words to the service manager, heard on a socket like systemd's."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from minting import jws

from jwtleak.runtime.service.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """(What NOTIFY_SOCKET says, the manager's end)."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@jwtleak-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind(name.replace("@", "\0"))
        link.settimeout(5)
        yield name, link


def words(link: socket.socket) -> list[str]:
    """The lines of the next message."""
    return link.recv(4096).decode().split("\n")


def test_the_course_of_a_service(heard: tuple[str, socket.socket]) -> None:
    """Ready, reloading with the monotonic time, ready again, stopping."""
    name, link = heard
    notifier = Notifier({"NOTIFY_SOCKET": name}, lambda: 12.5)
    notifier.ready("3 files")
    assert words(link) == ["READY=1", "STATUS=3 files"]
    notifier.reloading()
    assert words(link) == ["RELOADING=1", "MONOTONIC_USEC=12500000"]
    notifier.status("catching up")
    assert words(link) == ["STATUS=catching up"]
    notifier.stopping()
    assert words(link) == ["STOPPING=1"]


def test_the_watchdog(heard: tuple[str, socket.socket]) -> None:
    """A sign of life goes out when half of the allowed time has passed, not at every call."""
    name, link = heard
    now = [0.0]
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "10000000"}, lambda: now[0])
    for at in (0.0, 1.0, 4.9, 5.0, 5.1):
        now[0] = at
        notifier.alive()
    link.settimeout(0.01)
    assert [words(link), words(link)] == [["WATCHDOG=1"]] * 2
    with pytest.raises(TimeoutError):
        words(link)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"},
    ],
)
def test_nobody_watches(environ: dict[str, str], heard: tuple[str, socket.socket]) -> None:
    """Without a time, with a senseless one or another process's there is no watchdog."""
    name, link = heard
    Notifier({"NOTIFY_SOCKET": name, **environ}).alive()
    link.settimeout(0.01)
    with pytest.raises(TimeoutError):
        words(link)


@pytest.mark.parametrize(
    "name", ["", "@", "vsock:2:3", "relative", "/nowhere/notify", "/" + "x" * 300]
)
def test_nobody_listens(name: str) -> None:
    """A missing, foreign or impossible socket is no error."""
    Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1"}).ready("x")


def test_a_manager_that_does_not_read_holds_nothing_up(heard: tuple[str, socket.socket]) -> None:
    """When the queue is full, further words are dropped at once."""
    notifier = Notifier({"NOTIFY_SOCKET": heard[0]})
    for _ in range(2000):
        notifier.status("x")
    assert words(heard[1]) == ["STATUS=x"]


def test_a_status_is_one_line_without_a_token(heard: tuple[str, socket.socket]) -> None:
    """A name in a status can neither add words of its own nor show a token."""
    name, link = heard
    Notifier({"NOTIFY_SOCKET": name}).status(f"/a\nSTOPPING=1 {jws()}")
    (line,) = words(link)
    assert line.startswith("STATUS=/a\ufffdSTOPPING=1 [JWT ")
