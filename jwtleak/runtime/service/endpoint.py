"""The endpoint of metrics and health: `/metrics`, `/healthz`, `/readyz` over HTTP, in a thread of
its own (`--metrics ADDR`).

Promises: GET and HEAD only; a request head has a bounded size and must be complete within a bounded
time; few connections at once, one request each; nothing of a request is logged or echoed. Without a
host the address is loopback; another interface is served only when its address is written out,
never because a name happened to resolve to it. Refuses everything else with a plain status.
"""

from __future__ import annotations

import io
import ipaddress
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import orjson

from jwtleak.errors import UsageError, reason_of
from jwtleak.runtime.service.health import HealthAnswer, ServiceHealth
from jwtleak.runtime.service.metrics import Exposition, Metrics

_FORM = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:]*):)?(?P<port>[0-9]{1,5})")


class ListenAddress(NamedTuple):
    """A host that is an IP address, and a port; 0 for any that is free."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.host).is_loopback


def parse(text: str) -> ListenAddress:
    """`9464`, `:9464`, `localhost:9464`, `127.0.0.1:9464`, `[::1]:9464`, `0.0.0.0:9464`."""
    match = _FORM.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise UsageError(f"metrics: {text}: is not PORT or ADDRESS:PORT")
    host = (match["host"] or "127.0.0.1").strip("[]").replace("localhost", "127.0.0.1")
    try:
        return ListenAddress(str(ipaddress.ip_address(host)), int(match["port"]))
    except ValueError:
        raise UsageError(
            f"metrics: {host}: is not an IP address: "
            "write the address to serve on, 0.0.0.0 or [::] for all"
        ) from None


# Bytes. A scraper's request line and headers have some hundred.
MAX_HEAD = 8 * 1024
# Seconds for a request head to arrive and for an answer to leave.
DEADLINE = 5.0
# One scraper, two probes, a person with curl. Further connections are closed at once.
MAX_CONNECTIONS = 8

_JSON = "application/json"


class EndpointReply(NamedTuple):
    """The answer of a path."""

    status: HTTPStatus
    media_type: str
    body: bytes


def _health_reply(answer: HealthAnswer) -> EndpointReply:
    status = HTTPStatus.OK if answer.good else HTTPStatus.SERVICE_UNAVAILABLE
    return EndpointReply(status, _JSON, orjson.dumps(answer.body) + b"\n")


class Endpoint:
    """Serves `metrics` and `health` at `address` from `start()` to `close()`."""

    def __init__(self, address: ListenAddress, metrics: Metrics, health: ServiceHealth) -> None:
        exposition = Exposition(metrics)
        paths: dict[str, Callable[[], EndpointReply]] = {
            "/metrics": lambda: EndpointReply(
                HTTPStatus.OK, exposition.content_type, exposition.text()
            ),
            "/healthz": lambda: _health_reply(health.alive()),
            "/readyz": lambda: _health_reply(health.ready()),
        }
        try:
            self._server = _server(address, paths)
        except OSError as error:
            where = f"{address.host}:{address.port}"
            raise UsageError(
                f"metrics: cannot serve on {where}: {reason_of(error).lower()}"
            ) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="metrics", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that is served; for port 0 the one that the system chose."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def _server(address: ListenAddress, paths: dict[str, Callable[[], EndpointReply]]) -> _Server:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    return _Server(family, address, type("Handler", (_EndpointHandler,), {"paths": paths}))


class _Server(ThreadingHTTPServer):
    # A connection that hangs must not delay the end of the program.
    daemon_threads = True

    def __init__(
        self, family: socket.AddressFamily, address: ListenAddress, handler: type[_EndpointHandler]
    ) -> None:
        self.address_family = family
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__((address.host, address.port), handler)

    def server_bind(self) -> None:
        # HTTPServer.server_bind asks a name server for the name of this host.
        socketserver.TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        # Not blocking: the accepting thread would stop to answer probes while connections hang.
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that went away; a traceback could show a request."""


class _EndpointHandler(BaseHTTPRequestHandler):
    paths: dict[str, Callable[[], EndpointReply]]
    timeout = DEADLINE
    # Without versions: a client that can reach the port need not know them.
    server_version = "jwtleak"
    sys_version = ""
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(code)d\n"

    def setup(self) -> None:
        """Read the complete head first: a client that sends a byte now and then cannot stay."""
        super().setup()
        # BaseHTTPRequestHandler's timeout is for each read; `_head` has one for all of them.
        self.rfile.close()
        self.rfile = io.BytesIO(_head(self.connection))

    def do_GET(self) -> None:
        """Answer one of the paths."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer without the body."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        answer = self.paths.get(self.path.partition("?")[0])
        if answer is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        reply = answer()
        self.send_response(reply.status)
        for name, value in (
            ("Content-Type", reply.media_type),
            ("Content-Length", str(len(reply.body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(reply.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer with the status alone: the standard text would repeat the request."""
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:  # what http.server calls a method without `do_...`
            status = HTTPStatus.METHOD_NOT_ALLOWED
        super().send_error(status, status.phrase)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by http.server
        """Log nothing: a URL may hold a token."""


def _head(connection: socket.socket) -> bytes:
    """The request line and headers. Empty when they are too long or too late; then http.server
    answers nothing.
    """
    deadline = time.monotonic() + DEADLINE
    head = b""
    while b"\r\n\r\n" not in head:
        # One deadline for all reads: a timeout for each could be stretched byte by byte.
        left = deadline - time.monotonic()
        if left <= 0 or len(head) > MAX_HEAD:
            return b""
        connection.settimeout(left)
        try:
            more = connection.recv(MAX_HEAD)
        except OSError:
            return b""
        if not more:
            return b""
        head += more
    connection.settimeout(DEADLINE)
    return head
