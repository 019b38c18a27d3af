"""Datagrams to a receiver that never answers: UDP, or a Unix socket such as /dev/log.

Promises: a datagram is sent as it is, never split. Nothing is known of what arrives.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Sequence

from jwtleak.errors import reason_of
from jwtleak.sinks.interface import ACCEPTED, AGAIN, Outcome, Report

# Seconds after which the name is resolved again: nothing else shows that a receiver has moved.
_RESOLVED = 300.0


class Datagram:
    """A socket that sends datagrams; `path` is that of a Unix socket."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        path: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host, self._port, self._path = host, port, path
        self._clock = clock
        self._socket: socket.socket | None = None
        self._until = 0.0

    def send(self, frames: Sequence[Sequence[bytes]]) -> Report:
        """Send the datagrams of each message, up to the first message that cannot be sent now."""
        outcomes: list[Outcome] = []
        for parts in frames:
            try:
                self._send(parts)
            except OSError as error:
                # The message's own fault; for any other error the rest would fail as well.
                if error.errno == errno.EMSGSIZE:
                    outcomes.append(Outcome("refused", "larger than a datagram"))
                    continue
                self.close()
                rest = (AGAIN,) * (len(frames) - len(outcomes))
                return Report(
                    (*outcomes, *rest), "busy", reason_of(error, type(error).__name__).lower()
                )
            outcomes.append(ACCEPTED)
        return Report(tuple(outcomes), reason="sent; this protocol has no acknowledgement")

    def _send(self, parts: Sequence[bytes]) -> None:
        if self._socket is not None and self._clock() > self._until:
            self.close()
        if self._socket is None:
            self._socket = self._connected()
            self._until = self._clock() + _RESOLVED
        for part in parts:
            self._socket.send(part)

    def _connected(self) -> socket.socket:
        if self._path is not None:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            target: tuple[str, int] | str = self._path
        else:
            family, _, _, _, place = socket.getaddrinfo(
                self._host, self._port, type=socket.SOCK_DGRAM
            )[0]
            made = socket.socket(family, socket.SOCK_DGRAM)
            target = (str(place[0]), int(place[1]))
        try:
            made.settimeout(5.0)  # seconds: a Unix socket blocks while its reader is slow
            made.connect(target)
        except BaseException:
            made.close()
            raise
        return made

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
