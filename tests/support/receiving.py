"""Receivers on loopback, in threads of the test: an HTTP server that follows a script, and TCP
listeners.

Each closes all its sockets and joins its threads at the end of its `with`.
"""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple


class Request(NamedTuple):
    """One HTTP request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> bytes:
        """The content, unpacked."""
        return (
            gzip.decompress(self.raw)
            if self.headers.get("content-encoding") == "gzip"
            else self.raw
        )


class Answer(NamedTuple):
    """What the server does. `fault`: `hang` never answers, `lost` reads the request and closes,
    `reset` breaks off halfway through the request.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    fault: str = ""


class Listener:
    """Accepts connections and gives each to `serve` in a thread."""

    def __init__(self, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listening.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self._main = threading.Thread(target=self._accept)

    def __enter__(self) -> Any:
        self._main.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close everything."""
        self.closing.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.kill()
        self._main.join(10)
        self.kill()
        for thread in self._threads:
            thread.join(10)

    def kill(self) -> None:
        """Break off all connections."""
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._handle, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _handle(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
        try:
            if self._context is not None:
                plain, connection = (
                    connection,
                    self._context.wrap_socket(connection, server_side=True),
                )
                with self._lock:
                    self._open.discard(plain)
                    self._open.add(connection)
            self.serve(connection)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def serve(self, connection: socket.socket) -> None:
        """Talk to one client."""
        raise NotImplementedError


class Web(Listener):
    """An HTTP/1.1 server. `script` answers the first requests in turn, `otherwise` the others."""

    def __init__(
        self,
        *script: Answer,
        otherwise: Callable[[Request], Answer] = lambda _: Answer(),
        context: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        super().__init__(context, port)
        self.script = list(script)
        self._otherwise = otherwise
        self.requests: list[Request] = []
        # Sees the requests whose answer is lost, where a test wants them to have arrived.
        self.keep: Callable[[Request], object] | None = None

    def __enter__(self) -> Web:
        super().__enter__()
        return self

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            while (request := self._request(stream)) is not None:
                with self._lock:
                    self.requests.append(request)
                    answer = self.script.pop(0) if self.script else self._otherwise(request)
                if answer.fault == "lost" and self.keep is not None:
                    self.keep(request)
                if answer.fault == "hang":
                    self.closing.wait(60)
                if answer.fault:
                    return
                connection.sendall(_response(answer))

    def _request(self, stream: Any) -> Request | None:
        first = stream.readline().decode().split()
        if len(first) != 3:
            return None
        headers = {}
        for line in iter(stream.readline, b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        if self.script and self.script[0].fault == "reset":
            stream.read(int(headers.get("content-length", "0")) // 2)
            self.script.pop(0)
            return None
        return Request(
            first[0], first[1], headers, stream.read(int(headers.get("content-length", "0")))
        )


def _response(answer: Answer) -> bytes:
    headers = {"content-length": str(len(answer.body)), **answer.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {answer.status} Whatever\r\n{lines}\r\n".encode() + answer.body


class Bulk:
    """`_bulk`, as far as a sink sees it: remembers documents by id, says 409 for one it has. An
    `otherwise` for Web.
    """

    def __init__(self, *, forget: bool = False) -> None:
        self.documents: dict[str, dict[str, object]] = {}
        self.again = 0
        self._forget = forget  # only answer

    def __call__(self, request: Request) -> Answer:
        lines = request.body.splitlines()
        if self._forget:
            return Answer(200, b'{"errors":false,"items":[]}')
        items = []
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            name = json.loads(action)["create"]["_id"]
            there = name in self.documents
            self.again += there
            self.documents.setdefault(name, json.loads(document))
            items.append({"create": {"status": 409 if there else 201}})
        errors = any(one["create"]["status"] == 409 for one in items)
        return Answer(200, json.dumps({"errors": errors, "items": items}).encode())


class Bytes(Listener):
    """Collects what each connection sends. `hungry` stops reading while it is clear."""

    def __init__(self, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        super().__init__(context, port)
        self.received: list[bytearray] = []
        self.hungry = threading.Event()
        self.hungry.set()

    def __enter__(self) -> Bytes:
        super().__enter__()
        return self

    def serve(self, connection: socket.socket) -> None:
        mine = bytearray()
        with self._lock:
            self.received.append(mine)
        while True:
            while not self.hungry.wait(0.05):
                if self.closing.is_set():
                    return
            data = connection.recv(65536)
            if not data:
                return
            mine += data


def octet_counted(data: bytes) -> list[bytes]:
    """The frames in `data` (RFC 6587 section 3.4.1); one that is cut at the end is left out."""
    frames = []
    while data:
        count, blank, rest = data.partition(b" ")
        if not blank or len(rest) < int(count):
            break
        frames.append(rest[: int(count)])
        data = rest[int(count) :]
    return frames


def all_frames(connections: Iterable[bytes | bytearray]) -> list[bytes]:
    """The frames of all connections."""
    return [frame for data in connections for frame in octet_counted(bytes(data))]
