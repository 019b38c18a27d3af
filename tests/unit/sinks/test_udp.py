"""Datagrams."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from jwtleak.sinks.udp import Datagram


def test_udp() -> None:
    """Each message is a datagram of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        mine = Datagram("127.0.0.1", receiver.getsockname()[1])
        report = mine.send([(b"one",), (b"two-a", b"two-b")])
        mine.close()
        assert [receiver.recv(100) for _ in range(3)] == [b"one", b"two-a", b"two-b"]
    assert [one.kind for one in report.outcomes] == ["accepted", "accepted"]


def test_a_message_larger_than_a_datagram_is_refused() -> None:
    """It is never split; the others go."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        mine = Datagram("127.0.0.1", receiver.getsockname()[1])
        report = mine.send([(b"x" * 70_000,), (b"two",)])
        mine.close()
    assert [one.kind for one in report.outcomes] == ["refused", "accepted"]


def test_a_unix_socket(tmp_path: Path) -> None:
    """As /dev/log; while it is not there, or was made again, nothing is lost."""
    path = tmp_path / "log"
    mine = Datagram("", 0, path=str(path))
    report = mine.send([(b"one",)])
    assert (report.problem, report.reason) == ("busy", "no such file or directory")
    for text in (b"one", b"two"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            receiver.bind(str(path))
            while mine.send([(text,)]).problem is not None:
                pass
            assert receiver.recv(100) == text
        path.unlink()
    mine.close()


def test_a_name_is_looked_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every five minutes: a receiver that moved does not say so."""
    now = [0.0]
    asked: list[str] = []
    lookup = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *more, **named: asked.append(host) or lookup(host, *more, **named),
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        mine = Datagram("127.0.0.1", receiver.getsockname()[1], clock=lambda: now[0])
        for when in (0.0, 299.0, 301.0):
            now[0] = when
            mine.send([(b"one",)])
        mine.close()
    assert len(asked) == 2
