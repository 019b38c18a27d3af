"""Syslog receivers of every kind, on loopback."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from certificates import Authority
from receiving import Bytes, all_frames
from sending import message, messages

from jwtleak.errors import UsageError
from jwtleak.sinks.settings import from_url
from jwtleak.sinks.syslog import MAX_DATAGRAM, MAX_STREAM, open_sink


def until(true: Callable[[], bool]) -> None:
    """Wait for another thread, at most ten seconds."""
    for _ in range(1000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("did not happen")


def bodies(frames: list[bytes]) -> list[bytes]:
    """What stands behind the structured data."""
    return [frame.partition(b"] ")[2] for frame in frames]


def test_tcp_counts_octets() -> None:
    """Each frame has its length before it, so a line break in a message begins no other."""
    batch = [message(0), message(1, b'{"a":"line\\nbreak"}\nrest'), message(2)]
    with Bytes() as server:
        sink = open_sink(from_url(f"syslog+tcp://127.0.0.1:{server.port}"))
        assert [one.kind for one in sink.send(batch).outcomes] == ["accepted"] * 3
        sink.close()
        until(lambda: len(all_frames(server.received)) == 3)
        assert bodies(all_frames(server.received)) == [one.body for one in batch]


def test_tls(authority: Authority) -> None:
    """The same, encrypted (RFC 5425)."""
    with Bytes(authority.server()) as server:
        sink = open_sink(from_url(f"syslog+tls://127.0.0.1:{server.port}?ca_file={authority.ca}"))
        sink.send(messages(2))
        sink.close()
        until(lambda: len(all_frames(server.received)) == 2)


def test_udp() -> None:
    """A message is a datagram; the structured data is short."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        sink = open_sink(from_url(f"syslog+udp://127.0.0.1:{receiver.getsockname()[1]}"))
        report = sink.send(
            [message(0, b"short"), message(1, b"x" * MAX_DATAGRAM), message(2, b"short")]
        )
        sink.close()
        assert b'[jwtleak@32473 id="' in receiver.recv(2000)
        assert receiver.recv(2000).endswith(b"short")
    assert [one.kind for one in report.outcomes] == ["accepted", "refused", "accepted"]


def test_a_unix_socket(tmp_path: Path) -> None:
    """As /dev/log, in the old form where the system's logger knows no other."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "log"))
        sink = open_sink(from_url(f"syslog+unix:{tmp_path}/log?rfc=3164&facility=4&app_name=leaks"))
        sink.send([message(0, b"CEF:0|")])
        sink.close()
        assert receiver.recv(2000) == b"<36>Jan 15 12:00:01 web-01 leaks: CEF:0|"


def test_a_message_over_the_limit_is_refused_and_never_cut() -> None:
    """Receivers take the rest of a cut message for another; the limit is theirs (`max_bytes`)."""
    with Bytes() as server:
        sink = open_sink(from_url(f"syslog+tcp://127.0.0.1:{server.port}"))
        report = sink.send([message(0, b"x" * MAX_STREAM), message(1)])
        sink.close()
        until(lambda: len(all_frames(server.received)) == 1)
    assert [one.kind for one in report.outcomes] == ["refused", "accepted"]
    assert report.outcomes[0].reason.endswith("larger than max_bytes (8192)")


@pytest.mark.parametrize(
    ("url", "form", "ascii_"),
    [
        ("syslog+tls://h", "ecs", True),
        ("syslog+udp://h", "cef", True),
        ("syslog+tcp://h?rfc=3164", "cef", True),
        ("syslog+unix:/dev/log", "ecs", True),
    ],
)
def test_formats(url: str, form: str, ascii_: bool) -> None:
    """JSON where there is room, CEF where there is none; ASCII, so that no byte order mark is
    needed.
    """
    sink = open_sink(from_url(url))
    assert (sink.format, sink.ascii) == (form, ascii_)
    assert sink.max_bytes is not None
    assert "acknowledgement" in sink.guarantee or "at most once" in sink.guarantee


def test_time_follows_the_setting() -> None:
    """That on the log line, or that of detection."""
    with Bytes() as server:
        for setting in ("event", "detected"):
            sink = open_sink(from_url(f"syslog+tcp://127.0.0.1:{server.port}?timestamp={setting}"))
            sink.send([message(0)])
            sink.close()
        until(lambda: len(all_frames(server.received)) == 2)
        times = {frame.split(b" ")[1] for frame in all_frames(server.received)}
    assert times == {b"2026-01-15T12:00:00.456Z", b"2026-01-15T12:00:01.123Z"}


def test_idle_sends_again_what_a_connection_lost() -> None:
    """A receiver that was killed gets the last alerts once more, with the same ids."""
    with Bytes() as server:
        sink = open_sink(from_url(f"syslog+tcp://127.0.0.1:{server.port}"))
        sink.send(messages(2))
        until(lambda: len(all_frames(server.received)) == 2)
        server.kill()
        until(lambda: not server._open)
        sink.idle()
        until(lambda: len(all_frames(server.received)) == 4)
        sink.reopen()
        sink.idle()
        sink.close()
    frames = [json.loads(one) for one in bodies(all_frames(server.received))]
    assert frames[:2] == frames[2:]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("syslog+tcp://h?ca_file=/x", r"only syslog\+tls has ca_file"),
        ("syslog+tls://h/path", "has no path"),
        ("syslog+tls://h?ca_file=/none", "certificates cannot be used"),
    ],
)
def test_settings_that_mean_nothing_are_refused(url: str, says: str) -> None:
    """At start, by name."""
    with pytest.raises(UsageError, match=says):
        open_sink(from_url(url))
