"""syslog-ng: a second implementation of TCP, TLS and structured data. Its package lies beside the
system's own logger.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from real_receivers import DIRECTORY, Sender, Started, absent, free_port, until
from receivers_expected import check

from jwtleak.alerts.alert import Alert

_CONF = """
@version: 3.38
options {{ keep-hostname(yes); use-dns(no); chain-hostnames(no); ts-format(iso); frac-digits(3); time-zone("UTC"); stats-freq(0); }};
source s_in {{ syslog(ip("127.0.0.1") port({port}) {transport} log-msg-size(65536)); }};
destination d_out {{ file("{dir}/out.jsonl" create-dirs(no) template("$(format-json
  pri=$PRI host=$HOST app=$PROGRAM msgid=$MSGID time=$ISODATE msg=$MSG sd.*)\\n")); }};
log {{ source(s_in); destination(d_out); }};
"""  # noqa: E501
_ID = "jwtleak@32473"


def receive(start: Started, directory: Path, transport: str) -> int:
    """Start it; gives its port."""
    root = DIRECTORY / "syslog-ng"
    if not root.is_dir():
        absent("syslog-ng")
    port = free_port()
    template = _CONF.format(dir=directory, port=port, transport=transport)
    # SDATA names are `.SDATA.<id>.<name>`: their own object, so that dots in the id do not nest.
    template = template.replace("sd.*", "--key .SDATA.*")
    (directory / "syslog-ng.conf").write_text(template)
    lib = root / "usr/lib"
    modules = next(lib.glob("syslog-ng/*"))
    paths = [
        lib / "syslog-ng",
        lib / "x86_64-linux-gnu",
        root / "lib/x86_64-linux-gnu",
        *lib.glob("*-linux-gnu"),
    ]
    start(
        str(root / "usr/sbin/syslog-ng"),
        "-F",
        "--no-caps",
        f"--module-path={modules}",
        f"--cfgfile={directory}/syslog-ng.conf",
        f"--persist-file={directory}/persist",
        f"--control={directory}/ctl",
        f"--pidfile={directory}/pid",
        port=port,
        env={"LD_LIBRARY_PATH": ":".join(map(str, paths))},
    )
    return port


def messages(directory: Path, count: int) -> dict[str, dict[str, Any]]:
    """What it understood, by id, once `count` are there."""
    out = directory / "out.jsonl"
    until(lambda: out.exists() and out.read_bytes().count(b"\n") >= count)
    found = {}
    for line in out.read_bytes().splitlines():
        one = json.loads(line)
        # The dot in front of `.SDATA` is written as an underscore.
        values = next(value for key, value in one.items() if key.endswith("SDATA"))
        one["sd"] = values[_ID]
        found[one["sd"]["id"]] = one
    return found


def test_tcp(start: Started, tmp_path: Path, deliver: Sender, alerts: list[Alert]) -> None:
    """A thousand alerts, every field."""
    port = receive(start, tmp_path, 'transport("tcp")')
    assert deliver(f"syslog+tcp://127.0.0.1:{port}", alerts).sent == len(alerts)
    check(messages(tmp_path, len(alerts)), alerts)


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
    certificate, key = authority.issue("syslog-ng")
    verify = "required-trusted" if mutual else "optional-untrusted"
    files = f'key-file("{key}") cert-file("{certificate}") ca-file("{authority.ca}") peer-verify({verify})'  # noqa: E501
    port = receive(start, tmp_path, f'transport("tls") tls({files})')
    url = f"syslog+tls://127.0.0.1:{port}?ca_file={authority.ca}"
    if mutual:
        with pytest.raises(
            AssertionError, match="queued=1000"
        ):  # refused: TLS 1.3 tells it after the handshake
            deliver(url, alerts, seconds=3)
        mine = authority.issue("client-syslog-ng")
        url += f"&cert_file={mine[0]}&key_file={mine[1]}"
        alerts_left: list[Alert] = []
        deliver(url, alerts_left)
    else:
        deliver(url, alerts)
    check(messages(tmp_path, len(alerts)), alerts)
