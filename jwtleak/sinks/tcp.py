"""A TCP or TLS connection to a receiver that never answers (syslog, GELF).

Such a receiver gives no acknowledgement: bytes in the kernel may be lost when the receiver goes
away. Promises: the connection is checked before and after each batch and while idle; frames that
were sent shortly before it was found closed are sent again on the next one. That makes duplicates
with the same id instead of losses.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from msgspec import UNSET

from jwtleak.errors import UsageError
from jwtleak.sinks import tls
from jwtleak.sinks.interface import Report, all_accepted, failed
from jwtleak.sinks.settings import SinkSettings

# Seconds without progress after which a receiver hangs; a slow reader makes progress.
TIMEOUT = 60.0
_CONNECT_TIMEOUT = 10.0
# Seconds at the end, for bytes that are still in the kernel.
_LINGER = 5
# Seconds. In TLS 1.3 a server refuses a client's certificate after the handshake: a message that is
# written before its alert arrives is lost. A round trip around the world takes 0.3 s.
_SETTLE = 0.5
# Seconds. A connection that is still open this long after a batch has delivered it: receivers read
# within milliseconds.
_SURE_AFTER = 30.0
# Bytes that a receiver's buffer may hold unread: Linux grows it to 6 MiB (net.ipv4.tcp_rmem).
_UNSURE_BYTES = 8 << 20


class ClosedError(OSError):
    """The receiver closed the connection."""


class TcpConnection:
    """Sends frames. A batch is accepted when the kernel has it and the connection is open."""

    def __init__(
        self,
        settings: SinkSettings,
        port: int,
        *,
        resend: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        address = settings.address
        self._settings = settings
        self._secure = address.secure
        self._place = (address.host, address.port or port)
        self._timeout = float(settings.get("timeout", TIMEOUT))
        self._resend = resend
        self._clock = clock
        self._socket: socket.socket | None = None
        # When a batch was sent, and its frames.
        self._unsure: deque[tuple[float, bytes]] = deque()
        self._unsure_bytes = 0
        if self._secure:
            tls.context(settings)  # for its errors: they belong to the start

    def send(self, frames: Sequence[bytes]) -> Report:
        """Send frames, behind those that the last connection may have lost."""
        try:
            connection = self._checked()
            data = b"".join(frames)
            _write(connection, data)
            # Before the check: a connection that is found closed may have lost this batch too.
            self._remember(data)
            self._check(connection)
        except OSError as error:
            return self._failed(len(frames), error)
        except UsageError as error:
            return failed(len(frames), "blocked", str(error))
        return all_accepted(len(frames), "written; this protocol has no acknowledgement")

    def _failed(self, count: int, error: OSError) -> Report:
        connected = self._socket is not None
        self._drop()
        if isinstance(error, TimeoutError):
            return failed(
                count, "busy", "does not read in time" if connected else "no connection in time"
            )
        words = str(error) if isinstance(error, ClosedError) else tls.words(error)
        return failed(count, "blocked" if tls.is_final(error) else "busy", words)

    def idle(self) -> None:
        """Check the connection, and forget the batches that it has delivered."""
        if self._socket is None:
            return
        try:
            self._check(self._socket)
        except OSError:
            self._drop()
            return
        while self._unsure and self._clock() - self._unsure[0][0] > _SURE_AFTER:
            self._unsure_bytes -= len(self._unsure.popleft()[1])

    def owes(self) -> bool:
        """Whether frames must be sent again, even when nothing new is to be sent."""
        return self._socket is None and bool(self._unsure)

    def _remember(self, data: bytes) -> None:
        if not self._resend:
            return
        # Without acknowledgements time is the only sign of delivery: see `_SURE_AFTER`.
        self._unsure.append((self._clock(), data))
        self._unsure_bytes += len(data)
        while self._unsure_bytes > _UNSURE_BYTES and len(self._unsure) > 1:
            self._unsure_bytes -= len(self._unsure.popleft()[1])

    def _checked(self) -> socket.socket:
        """The connection, checked or opened again; a new one gets the unsure frames first."""
        if self._socket is not None:
            try:
                self._check(self._socket)
            except OSError:
                self._drop()
        if self._socket is None:
            self._socket = self._connect()
            # In front of the new frames, so that the order of alerts survives.
            for _, data in self._unsure:
                _write(self._socket, data)
        return self._socket

    def _connect(self) -> socket.socket:
        plain = socket.create_connection(self._place, min(_CONNECT_TIMEOUT, self._timeout))
        try:
            plain.settimeout(self._timeout)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if not self._secure:
                return plain
            name = (
                self._place[0]
                if self._settings.server_name is UNSET
                else self._settings.server_name
            )
            secured = tls.context(self._settings).wrap_socket(plain, server_hostname=name)
        except BaseException:  # also a timeout in the handshake: the socket has no owner yet
            plain.close()
            raise
        try:
            if secured.version() == "TLSv1.3":
                self._check(secured, _SETTLE)
        except ClosedError:
            secured.close()
            raise ClosedError(
                "the receiver closed the connection after the handshake: "
                "it may want a client certificate"
            ) from None
        except BaseException:
            secured.close()
            raise
        return secured

    def _check(self, connection: socket.socket, seconds: float = 0.0) -> None:
        """Raises OSError where the receiver closed or refused the connection. Other bytes from the
        receiver are ignored. Waits `seconds` for a refusal.
        """
        end = self._clock() + seconds
        while True:
            left = max(0.0, end - self._clock())
            # Decrypted bytes wait in the TLS layer, where poll does not see them.
            pending = isinstance(connection, ssl.SSLSocket) and connection.pending()
            if not pending and not _readable(connection, left):
                return
            if not self._read(connection) and self._clock() >= end:
                return

    def _read(self, connection: socket.socket) -> bool:
        """Read without waiting. A session ticket of TLS 1.3 is readable, but yields no bytes."""
        connection.setblocking(False)
        try:
            if connection.recv(4096) == b"":
                raise ClosedError("the receiver closed the connection")
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            connection.settimeout(self._timeout)
        return True

    def _drop(self) -> None:
        """Close a lost connection; the frames that it may not have delivered stay remembered."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        """Close the connection in order: the kernel still delivers what it has."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, _LINGER)
                )
            # Nobody sends them again: the outbox has forgotten them. SO_LINGER gives the kernel the
            # time to deliver them.
            self._unsure.clear()
            self._unsure_bytes = 0
        self._drop()


def _readable(connection: socket.socket, seconds: float) -> bool:
    """Whether there is something to read."""
    # Not `select`, which accepts only descriptors below 1,024: `tail` has more.
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _write(connection: socket.socket, data: bytes) -> None:
    """Like `sendall`, but the timeout applies to each step, not to the whole."""
    rest = memoryview(data)
    while rest:
        rest = rest[connection.send(rest[:65536]) :]
