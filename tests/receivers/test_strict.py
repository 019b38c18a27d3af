"""Readers in another language that forgive nothing: go-syslog's RFC 5424 parser, Graylog's GELF
library.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from real_receivers import Sender, Started, free_port, program, until
from receivers_expected import check
from receiving import Bytes

from jwtleak.alerts.alert import Alert
from jwtleak.formats.interface import by_name


def parsed(stream: Path) -> list[dict[str, Any]]:
    """What the parser makes of the frames in a file; fails where it refuses one."""
    done = subprocess.run(
        [program("strict", optional=True), "syslog", str(stream)], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_syslog(tmp_path: Path, deliver: Sender, alerts: list[Alert]) -> None:
    """A thousand frames, each accepted, every field as it was meant."""
    program("strict", optional=True)
    with Bytes() as server:
        assert deliver(f"syslog+tcp://127.0.0.1:{server.port}", alerts).sent == len(alerts)
        stream = tmp_path / "stream"
        stream.write_bytes(b"".join(server.received))
    found = {}
    for one in parsed(stream):
        one["sd"] = one["data"]["jwtleak@32473"]
        found[one["sd"]["id"]] = one
    check(found, alerts)


@pytest.mark.parametrize(
    "bad",
    [b"<999>1 - - - - - - x", b'<13>1 - h a p m [x@1 y="]"] z', b"<13>1 2026-01-15 h a p m - z"],
)
def test_the_parser_is_strict(bad: bytes, tmp_path: Path) -> None:
    """It refuses what the RFC does, so its acceptance means something."""
    program("strict", optional=True)
    stream = tmp_path / "stream"
    stream.write_bytes(b"%d %b" % (len(bad), bad))
    with pytest.raises(AssertionError):
        parsed(stream)


def test_gelf(start: Started, tmp_path: Path, deliver: Sender, alerts: list[Alert]) -> None:
    """Datagrams, compressed: each message has every field. In small batches: a full socket drops
    what comes.
    """
    port = free_port()
    start(program("strict", optional=True), "gelf", str(port))
    said = tmp_path / "said.txt"
    until(lambda: said.exists() and said.read_bytes().startswith(b"listens"))
    assert deliver(f"gelf+udp://127.0.0.1:{port}?rate=400&batch=20", alerts).sent == len(alerts)
    until(lambda: said.read_bytes().count(b"\n") > len(alerts))
    found = {one["_event_id"]: one for one in map(json.loads, said.read_bytes().splitlines()[1:])}
    encode = by_name("gelf").encode
    for alert in alerts:
        expected = json.loads(encode(alert))
        assert {name: found[alert.id].get(name) for name in expected} == expected
