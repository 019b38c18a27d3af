"""rsyslog: UDP, TCP, TLS and mutual TLS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from real_receivers import Sender, Started, free_port, program, until
from receivers_expected import check, structured

from jwtleak.alerts.alert import Alert

_CONF = """
global(workDirectory="{dir}" {tls})
module(load="imudp")
module(load="imtcp" {driver})
template(name="all" type="list" option.jsonf="on") {{
  property(outname="pri" name="pri" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="msgid" name="msgid" format="jsonf")
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="sd" name="structured-data" format="jsonf")
  property(outname="msg" name="msg" format="jsonf")
}}
ruleset(name="in") {{ action(type="omfile" file="{dir}/out.jsonl" template="all") }}
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="in")
input(type="imudp" address="127.0.0.1" port="{port}" ruleset="in" rcvbufSize="8m")
"""


class Rsyslog:
    """A running rsyslog."""

    def __init__(self, start: Started, directory: Path, tls: str = "", driver: str = "") -> None:
        self.port = free_port()
        self._out = directory / "out.jsonl"
        (directory / "rsyslog.conf").write_text(
            _CONF.format(dir=directory, port=self.port, tls=tls, driver=driver)
        )
        files = ["-f", str(directory / "rsyslog.conf"), "-i", str(directory / "pid")]
        start(program("rsyslogd"), "-n", *files, port=self.port)

    def lines(self) -> list[dict[str, Any]]:
        """What it understood."""
        return (
            [json.loads(line) for line in self._out.read_bytes().splitlines()]
            if self._out.exists()
            else []
        )

    def messages(self, count: int) -> dict[str, dict[str, Any]]:
        """The same by id, once `count` are there."""
        until(lambda: len(self.lines()) >= count)
        found = {}
        for line in self.lines():
            line["sd"] = structured(line["sd"])
            line["msg"] = line["msg"].lstrip(" ")
            found[line["sd"]["id"]] = line
        return found


def tls(authority: Authority, mode: str) -> tuple[str, str]:
    """The settings of a TLS input."""
    certificate, key = authority.issue("rsyslog")
    files = "".join(
        f' DefaultNetstreamDriver{name}="{path}"'
        for name, path in (("CAFile", authority.ca), ("CertFile", certificate), ("KeyFile", key))
    )
    return (
        f'DefaultNetstreamDriver="gtls"{files}',
        f'StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="{mode}"',
    )


def test_tcp(start: Started, tmp_path: Path, deliver: Sender, alerts: list[Alert]) -> None:
    """A thousand alerts, every field; none is broken or doubled by what is in it."""
    receiver = Rsyslog(start, tmp_path)
    assert deliver(f"syslog+tcp://127.0.0.1:{receiver.port}", alerts).sent == len(alerts)
    check(receiver.messages(len(alerts)), alerts)
    assert len(receiver.lines()) == len(alerts)


def test_udp(start: Started, tmp_path: Path, deliver: Sender, alerts: list[Alert]) -> None:
    """In datagrams of at most 1,024 bytes: the id as structured data, CEF as the message."""
    receiver = Rsyslog(start, tmp_path)
    health = deliver(f"syslog+udp://127.0.0.1:{receiver.port}?rate=500", alerts)
    assert (health.sent, health.dead) == (len(alerts), 0)
    found = receiver.messages(len(alerts))
    assert set(found) == {one.id for one in alerts}
    assert all(one["msg"].startswith("CEF:0|jwtleak|") for one in found.values())
    assert all(f"externalId={name} " in one["msg"] for name, one in found.items())


@pytest.mark.parametrize("mutual", [False, True])
def test_tls(
    mutual: bool,
    start: Started,
    tmp_path: Path,
    deliver: Sender,
    alerts: list[Alert],
    authority: Authority,
) -> None:
    """Encrypted; with a client's certificate where it is asked for."""
    receiver = Rsyslog(start, tmp_path, *tls(authority, "x509/certvalid" if mutual else "anon"))
    url = f"syslog+tls://127.0.0.1:{receiver.port}?ca_file={authority.ca}"
    if mutual:
        certificate, key = authority.issue("client-rsyslog")
        url += f"&cert_file={certificate}&key_file={key}"
    assert deliver(url, alerts).sent == len(alerts)
    check(receiver.messages(len(alerts)), alerts)


def test_a_missing_client_certificate_loses_nothing(
    start: Started, tmp_path: Path, deliver: Sender, alerts: list[Alert], authority: Authority
) -> None:
    """rsyslog closes the connection without a word: no alert counts as sent, and with the
    certificate all arrive.
    """
    receiver = Rsyslog(start, tmp_path, *tls(authority, "x509/certvalid"))
    url = f"syslog+tls://127.0.0.1:{receiver.port}?ca_file={authority.ca}"
    with pytest.raises(AssertionError, match="queued=1000"):
        deliver(url, alerts, seconds=3)
    assert receiver.lines() == []
    certificate, key = authority.issue("client-rsyslog-late")
    deliver(f"{url}&cert_file={certificate}&key_file={key}", [])
    check(receiver.messages(len(alerts)), alerts)
