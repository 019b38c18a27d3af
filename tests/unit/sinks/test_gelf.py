"""Graylog inputs."""

from __future__ import annotations

import hashlib
import socket
import zlib

import pytest
from receiving import Bytes
from sending import message

from jwtleak.errors import UsageError
from jwtleak.sinks.gelf import chunks, open_sink
from jwtleak.sinks.settings import from_url


def noise(size: int) -> bytes:
    """Bytes that do not compress."""
    return hashlib.shake_128(b"gelf").digest(size)


def test_tcp_ends_each_message_with_a_nul() -> None:
    """And does not compress it."""
    with Bytes() as server:
        sink = open_sink(from_url(f"gelf+tcp://127.0.0.1:{server.port}"))
        sink.send([message(0, b'{"a":1}'), message(1, b'{"a":2}')])
        sink.idle()
        sink.reopen()
        sink.close()
        while not server.received or len(server.received[0]) < 16:
            server.closing.wait(0.01)
        assert server.received == [bytearray(b'{"a":1}\0{"a":2}\0')]


def test_udp_compresses() -> None:
    """A small message is one datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        sink = open_sink(from_url(f"gelf+udp://127.0.0.1:{receiver.getsockname()[1]}"))
        report = sink.send([message(0, b"{}"), message(1, noise(300_000)), message(2, b"[]")])
        sink.idle()
        sink.close()
        assert [zlib.decompress(receiver.recv(2000)) for _ in range(2)] == [b"{}", b"[]"]
    assert [one.kind for one in report.outcomes] == ["accepted", "refused", "accepted"]


def test_a_large_message_is_chunks_of_one_id() -> None:
    """Put together in the order of their numbers they are the message."""
    parts = chunks(message(0, noise(5000)))
    assert {part[:10] for part in parts} == {parts[0][:10]}
    assert parts[0][:2] == b"\x1e\x0f"
    assert [part[10] for part in parts] == list(range(len(parts)))
    assert {part[11] for part in parts} == {len(parts)} == {4}
    assert max(map(len, parts)) <= 1420
    assert zlib.decompress(b"".join(part[12:] for part in parts)) == noise(5000)
    assert chunks(message(1, noise(5000)))[0][2:10] != parts[0][2:10]


def test_settings_that_mean_nothing_are_refused() -> None:
    """GELF is a format itself; only TLS has certificates."""
    with pytest.raises(UsageError, match="GELF is a format itself"):
        open_sink(from_url("gelf+tcp://h?format=ecs"))
    with pytest.raises(UsageError, match=r"only gelf\+tls has verify"):
        open_sink(from_url("gelf+udp://h?verify=false"))
    assert "30 s" in open_sink(from_url("gelf+tls://h")).guarantee
    assert "at most once" in open_sink(from_url("gelf+tcp://h?resend=false")).guarantee
    assert open_sink(from_url("gelf+udp://h")).format == "gelf"
