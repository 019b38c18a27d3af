"""Graylog: `gelf+tcp://host:12201`, `gelf+tls://`, `gelf+udp://`.

Promises: over TCP each message ends with a NUL and is not compressed; over UDP it is compressed
and, where it is larger than a datagram should be, split into at most 128 chunks (GELF 1.1).
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence

from jwtleak.errors import UsageError
from jwtleak.sinks import tls
from jwtleak.sinks.interface import BatchLimits, Message, Outcome, Report
from jwtleak.sinks.settings import SinkSettings
from jwtleak.sinks.tcp import TcpConnection
from jwtleak.sinks.udp import Datagram

USES = tls.USES | {"resend", "timeout"}

_PORT = 12201
_MAGIC = b"\x1e\x0f"
# Bytes. Graylog's advice for wide area networks: no router fragments such a datagram. 12 bytes are
# the chunk's header.
_CHUNK = 1420 - 12
_MAX_CHUNKS = 128


class GelfSink:
    """One Graylog input."""

    format = "gelf"
    ascii = False
    max_bytes = None
    only = None

    def __init__(self, settings: SinkSettings) -> None:
        address = settings.address
        port = address.port or _PORT
        udp = address.scheme == "gelf+udp"
        resend = settings.get("resend", True)
        self.limits = BatchLimits(200 if udp else 1000, 1 << 20)
        self.guarantee = (
            "at most once: datagrams are sent, nothing is known of what arrives"
            if udp
            else "no acknowledgement in the protocol: "
            "what was sent in the 30 s before a lost connection is sent again"
            if resend
            else "at most once over a lost connection: the protocol has no acknowledgement"
        )
        self._datagrams = Datagram(address.host, port) if udp else None
        self._stream = None if udp else TcpConnection(settings, port, resend=resend)

    def send(self, messages: Sequence[Message]) -> Report:
        """Send a batch."""
        if self._stream is not None:
            return self._stream.send([message.body + b"\0" for message in messages])
        assert self._datagrams is not None
        parts = [chunks(message) for message in messages]
        report = self._datagrams.send([datagrams for datagrams in parts if datagrams])
        if all(parts):
            return report
        # `report` is about the messages that were small enough: put the others between them.
        rest = iter(report.outcomes)
        large = Outcome("refused", f"larger than {_MAX_CHUNKS} chunks")
        outcomes = tuple(next(rest) if datagrams else large for datagrams in parts)
        return Report(outcomes, report.problem, report.reason)

    def idle(self) -> None:
        """Check the connection, and send again what it may have lost."""
        if self._stream is not None:
            self._stream.idle()
            if self._stream.owes():
                self._stream.send([])

    def reopen(self) -> None:
        """Certificates may have been renewed."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        for transport in (self._datagrams, self._stream):
            if transport is not None:
                transport.close()


def chunks(message: Message) -> list[bytes]:
    """The datagrams of one message; none where it is too large. The id of the chunks depends only
    on the alert.
    """
    data = zlib.compress(message.body, 6)
    if len(data) <= _CHUNK + 12:
        return [data]
    parts = [data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK)]
    if len(parts) > _MAX_CHUNKS:
        return []
    # Chunks of a message that is sent again must not mix with those of another: receivers put them
    # together by this id.
    name = hashlib.sha256(message.id.encode()).digest()[:8]
    return [_MAGIC + name + bytes((number, len(parts))) + part for number, part in enumerate(parts)]


def open_sink(settings: SinkSettings) -> GelfSink:
    """The sink `gelf+...`."""
    if settings.get("format", "gelf") != "gelf":
        raise UsageError(f"{settings.title}: GELF is a format itself: `format` has no meaning here")
    used = settings.configured() & tls.USES
    if used and settings.address.scheme != "gelf+tls":
        raise UsageError(f"{settings.title}: only gelf+tls has {', '.join(sorted(used))}")
    return GelfSink(settings)
