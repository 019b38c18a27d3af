"""The endpoint, asked over loopback."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest
from minting import jws

from jwtleak.errors import UsageError
from jwtleak.runtime.service import endpoint as module
from jwtleak.runtime.service import metrics as m
from jwtleak.runtime.service.endpoint import Endpoint, ListenAddress
from jwtleak.runtime.service.health import ServiceHealth
from jwtleak.runtime.service.metrics import Metrics


class Served:
    """A running endpoint and what it tells of."""

    def __init__(self) -> None:
        self.metrics, self.health = Metrics(), ServiceHealth(lambda: 0.0)
        self.endpoint = Endpoint(ListenAddress("127.0.0.1", 0), self.metrics, self.health)
        self.endpoint.start()

    def connect(self) -> socket.socket:
        """A connection to it."""
        return socket.create_connection(("127.0.0.1", self.endpoint.port), timeout=10)

    def ask(self, request: bytes) -> bytes:
        """The whole answer to a whole request."""
        with self.connect() as link:
            link.sendall(request)
            return read(link)

    def get(self, path: str, method: str = "GET") -> tuple[int, bytes, bytes]:
        """(Status, headers, body)."""
        head, _, body = self.ask(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).partition(
            b"\r\n\r\n"
        )
        return int(head.split()[1]), head, body


def read(link: socket.socket) -> bytes:
    """Everything up to the end of the connection, however it ends."""
    data = b""
    try:
        while more := link.recv(65536):
            data += more
    except ConnectionResetError:
        pass
    return data


@pytest.fixture
def served() -> Iterator[Served]:
    """A running endpoint."""
    one = Served()
    yield one
    one.endpoint.close()


def test_metrics(served: Served) -> None:
    """`/metrics` holds the numbers in the format that Prometheus asks for."""
    served.metrics.add(m.BYTES_READ, 42)
    status, head, body = served.get("/metrics?x=1")
    assert status == 200
    assert b"Content-Type: text/plain; version=0.0.4" in head
    assert b"\njwtleak_bytes_read_total 42.0\n" in body


def test_health(served: Served) -> None:
    """`/readyz` is 503 before files are followed and 200 then; the body is JSON and names what is
    degraded.
    """
    assert served.get("/readyz")[0] == 503
    assert served.get("/healthz")[0] == 200
    served.health.phase("following")
    served.health.degrade("store", "disk full")
    status, head, body = served.get("/readyz")
    assert status == 200
    assert b"application/json" in head
    assert json.loads(body) == {
        "status": "degraded",
        "phase": "following",
        "degraded": {"store": "disk full"},
    }


def test_head_has_no_body(served: Served) -> None:
    """HEAD gives the headers of GET alone."""
    status, head, body = served.get("/healthz", "HEAD")
    assert (status, body) == (200, b"")
    assert b"Content-Length: " in head


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_other_methods(served: Served, method: str) -> None:
    """Everything but GET and HEAD is refused."""
    assert served.get("/metrics", method)[0] == 405


def test_nothing_of_a_request_comes_back(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    """A token in a path, a method or a version is neither answered back nor logged."""
    for line in (
        f"GET /{jws()} HTTP/1.1",
        f"{jws()} / HTTP/1.1",
        f"GET / {jws()}",
        jws(),
        "GET / HTTP/9." + jws(),
    ):
        answer = served.ask(line.encode() + b"\r\n\r\n")
        assert jws()[10:20].encode() not in answer
    assert capfd.readouterr() == ("", "")


def test_a_head_that_does_not_end(served: Served) -> None:
    """A head beyond the bound ends the connection without an answer."""
    with served.connect() as link:
        try:
            link.sendall(b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 10_000)
        except (ConnectionResetError, BrokenPipeError):
            return
        assert read(link) == b""


def test_a_client_that_is_slow(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A head that drips in is refused after the time for all of it, not for each byte."""
    monkeypatch.setattr(module, "DEADLINE", 0.2)
    with served.connect() as link:
        began = time.monotonic()
        try:
            while time.monotonic() - began < 5:
                link.sendall(b"G")
                time.sleep(0.02)
        except (ConnectionResetError, BrokenPipeError):
            pass
        assert time.monotonic() - began < 4


def test_connections_are_bounded(served: Served) -> None:
    """One connection too many is turned away at once; when one ends there is room again."""
    links = [served.connect() for _ in range(module.MAX_CONNECTIONS)]
    try:
        with served.connect() as one_more:
            assert read(one_more) == b""
    finally:
        for link in links:
            link.close()
    for _ in range(500):
        if served.ask(b"GET /healthz HTTP/1.0\r\n\r\n"):
            return
        time.sleep(0.01)
    pytest.fail("no room again")


def test_a_port_that_is_taken(served: Served) -> None:
    """The error names the address and the reason."""
    with pytest.raises(
        UsageError, match=rf"metrics: cannot serve on 127.0.0.1:{served.endpoint.port}: .* in use"
    ):
        Endpoint(
            ListenAddress("127.0.0.1", served.endpoint.port), Metrics(), ServiceHealth(lambda: 0.0)
        )


def test_closing_without_a_start() -> None:
    """An endpoint that never served gives its port back."""
    Endpoint(ListenAddress("127.0.0.1", 0), Metrics(), ServiceHealth(lambda: 0.0)).close()
