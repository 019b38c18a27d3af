"""TCP and TLS connections to receivers that never answer."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from certificates import Authority
from receiving import Bytes

from jwtleak.sinks.settings import SinkSettings
from jwtleak.sinks.tcp import TcpConnection


def until(true: Callable[[], bool]) -> None:
    """Wait for another thread, at most ten seconds."""
    for _ in range(1000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("did not happen")


def stream(
    server: Bytes, *, secure: bool = False, resend: bool = True, **settings: Any
) -> TcpConnection:
    """A connection to `server`."""
    scheme = "syslog+tls" if secure else "syslog+tcp"
    return TcpConnection(
        SinkSettings(url=f"{scheme}://127.0.0.1:{server.port}", **settings), 0, resend=resend
    )


def test_frames_arrive_in_order_over_one_connection() -> None:
    """What is sent in several batches is one stream of bytes."""
    with Bytes() as server:
        mine = stream(server)
        assert [one.kind for one in mine.send([b"one", b"two"]).outcomes] == [
            "accepted",
            "accepted",
        ]
        mine.send([b"three"])
        mine.close()
        until(lambda: server.received == [bytearray(b"onetwothree")])


def test_a_receiver_that_is_not_there_is_waited_for() -> None:
    """Nothing is accepted; later it is."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    mine = TcpConnection(SinkSettings(url=f"syslog+tcp://127.0.0.1:{port}"), 0, resend=True)
    report = mine.send([b"one"])
    assert (report.problem, report.reason) == ("busy", "connection refused")
    with Bytes(port=port) as server:
        assert mine.send([b"one"]).problem is None
        until(lambda: server.received == [bytearray(b"one")])
        mine.close()


def test_a_connection_that_was_closed_is_noticed_before_a_write() -> None:
    """The first message after a receiver's restart is not lost, and what was sent shortly before is
    sent again.
    """
    with Bytes() as server:
        mine = stream(server)
        mine.send([b"one"])
        until(lambda: server.received == [bytearray(b"one")])
        server.kill()
        until(lambda: not server._open)
        assert mine.send([b"two"]).problem is None
        until(lambda: len(server.received) == 2 and server.received[1] == b"onetwo")
        mine.close()


def test_without_resend_nothing_is_sent_twice() -> None:
    """Who prefers losses to duplicates can have them."""
    with Bytes() as server:
        mine = stream(server, resend=False)
        mine.send([b"one"])
        until(lambda: server.received == [bytearray(b"one")])
        server.kill()
        until(lambda: not server._open)
        mine.send([b"two"])
        until(lambda: len(server.received) == 2 and server.received[1] == b"two")
        mine.close()


def test_a_lost_connection_is_noticed_while_idle() -> None:
    """The look finds it closed; then there is something to send again though nothing new came."""
    with Bytes() as server:
        mine = stream(server)
        mine.idle()
        assert not mine.owes()
        mine.send([b"one"])
        until(lambda: server.received == [bytearray(b"one")])
        mine.idle()
        assert not mine.owes()
        server.kill()
        until(lambda: not server._open)
        mine.idle()
        assert mine.owes()
        mine.send([])
        until(lambda: len(server.received) == 2 and server.received[1] == b"one")
        mine.close()


def test_what_a_standing_connection_delivered_is_forgotten() -> None:
    """Half a minute later it is not sent again; nor after the connection was closed in peace."""
    now = [0.0]
    with Bytes() as server:
        settings = SinkSettings(url=f"syslog+tcp://127.0.0.1:{server.port}")
        mine = TcpConnection(settings, 0, resend=True, clock=lambda: now[0])
        mine.send([b"one"])
        now[0] = 31
        mine.idle()
        assert not mine._unsure
        mine.send([b"two"])
        mine.close()
        assert not mine.owes()
        assert not mine._unsure


def test_what_is_remembered_is_bounded() -> None:
    """As much as a receiver can have unread, whatever is sent."""
    with Bytes() as server:
        mine = stream(server)
        for _ in range(20):
            mine.send([b"x" * (1 << 20)])
        assert mine._unsure_bytes == sum(len(data) for _, data in mine._unsure) <= 8 << 20
        mine.close()


def test_a_receiver_that_hangs_is_given_up() -> None:
    """Without progress for the time of the settings; the batch is sent again later."""
    with Bytes() as server:
        mine = stream(server, timeout=0.2)
        server.hungry.clear()
        reports = [mine.send([b"x" * (4 << 20)]) for _ in range(2)]
        assert "does not read in time" in [one.reason for one in reports]
        server.hungry.set()
        mine.close()


def test_tls(authority: Authority) -> None:
    """Encrypted, the server's certificate checked."""
    with Bytes(authority.server()) as server:
        mine = stream(server, secure=True, ca_file=str(authority.ca))
        assert mine.send([b"one"]).problem is None
        mine.send([b"two"])
        until(lambda: server.received == [bytearray(b"onetwo")])
        mine.close()


def test_mutual_tls(authority: Authority) -> None:
    """A receiver that wants a certificate accepts ours."""
    certificate, key = authority.issue("client-stream")
    with Bytes(authority.server(clients=True)) as server:
        mine = stream(
            server,
            secure=True,
            ca_file=str(authority.ca),
            cert_file=str(certificate),
            key_file=str(key),
        )
        assert mine.send([b"one"]).problem is None
        until(lambda: server.received == [bytearray(b"one")])
        mine.close()


def test_a_missing_client_certificate_loses_nothing(authority: Authority) -> None:
    """In TLS 1.3 connecting and writing succeed before the receiver's refusal arrives: it is waited
    for.
    """
    with Bytes(authority.server(clients=True)) as server:
        mine = stream(server, secure=True, ca_file=str(authority.ca))
        report = mine.send([b"one"])
        assert [one.kind for one in report.outcomes] == ["again"]
        assert report.problem == "blocked"
        assert "certificate required" in report.reason
        assert server.received == []


@pytest.mark.parametrize("kind", ["expired", "stranger"])
def test_a_wrong_certificate_blocks(kind: str, authority: Authority, stranger: Authority) -> None:
    """No byte is sent to a receiver that is not the one."""
    context = authority.server(expired=True) if kind == "expired" else stranger.server()
    with Bytes(context) as server:
        mine = stream(server, secure=True, ca_file=str(authority.ca))
        report = mine.send([b"one"])
        assert report.problem == "blocked"
        assert report.reason.startswith("certificate refused: ")
        assert server.received == []


def test_certificates_that_go_away_block(authority: Authority, tmp_path: Any) -> None:
    """They are read for each connection; the file is named."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.ca.read_bytes())
    with Bytes(authority.server()) as server:
        mine = stream(server, secure=True, ca_file=str(ca))
        ca.unlink()
        report = mine.send([b"one"])
        assert report.problem == "blocked"
        assert "ca.pem" in report.reason


def test_many_open_files_are_no_matter() -> None:
    """A daemon that follows thousands of files has descriptors beyond those that `select` knows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2048:
        pytest.skip("so many descriptors are not allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with Bytes() as server:
            mine = stream(server)
            assert mine.send([b"one"]).problem is None
            assert mine._socket is not None
            assert mine._socket.fileno() > 1024
            mine.idle()
            mine.close()
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
