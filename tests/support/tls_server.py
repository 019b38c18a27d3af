"""A small https server on loopback for tests, with a certificate of its own; and one that only
counts connections.
"""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

Answer = Callable[[socket.socket], None]


def certificate(folder: Path) -> Path:
    """A file with a key and a certificate for 127.0.0.1 and localhost, which is its own
    authority.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(1))
        .not_valid_after(now + datetime.timedelta(1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path


def body(data: bytes, status: str = "200 OK", *headers: str) -> Answer:
    """An answer with `data`."""
    head = "\r\n".join(
        [
            f"HTTP/1.1 {status}",
            f"Content-Length: {len(data)}",
            "Connection: close",
            *headers,
            "",
            "",
        ]
    )
    return lambda client: client.sendall(head.encode() + data)


class Server:
    """Where it listens, and how many connections it had."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections = 0
        self.url = f"https://127.0.0.1:{port}/keys"


@contextmanager
def serve(answer: Answer, pem: Path | None) -> Iterator[Server]:
    """Answers each connection in a thread; plain TCP where there is no certificate."""
    context = None
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server, threads = Server(listener.getsockname()[1]), []

        def one(client: socket.socket) -> None:
            with client:
                try:
                    secured = (
                        client if context is None else context.wrap_socket(client, server_side=True)
                    )
                    with secured:
                        secured.recv(65536)
                        answer(secured)
                except OSError:
                    pass  # the client went away

        def run() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                server.connections += 1
                threads.append(threading.Thread(target=one, args=(client,), daemon=True))
                threads[-1].start()

        accepting = threading.Thread(target=run, daemon=True)
        accepting.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(5)
            for thread in threads:
                thread.join(5)
