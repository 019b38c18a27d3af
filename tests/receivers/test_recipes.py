"""The recipes for rsyslog and syslog-ng, run against one another: a file is forwarded over TLS with
client certificates, received, and written; every line must come through unchanged. Only names,
ports and directories are exchanged.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from certificates import Authority
from real_receivers import DIRECTORY, Started, absent, free_port, program, until
from sample_alerts import full, hostile, kept_back, least, pattern_hit

from jwtleak.formats.interface import by_name

RECIPES = Path(__file__).resolve().parents[2] / "docs/integrations/recipes"


@pytest.fixture
def place(tmp_path: Path, authority: Authority) -> Path:
    """A directory with certificates of one authority, and room for spools and logs."""
    for name in ("spool", "log", "siem"):
        (tmp_path / name).mkdir()
    (tmp_path / "ca.pem").write_bytes(authority.ca.read_bytes())
    for name, host in (("localhost", "localhost"), ("client", "client")):
        for path in authority.issue(name, host=host):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.fixture
def lines(place: Path) -> list[bytes]:
    """Alerts in ECS, which the file already has before anybody follows it."""
    samples = [full(), least(), pattern_hit(), kept_back(), *(alert for _, alert in hostile())]
    made = [by_name("ecs").encode(alert) for alert in samples] * 5
    (place / "log/alerts.jsonl").write_bytes(b"".join(line + b"\n" for line in made))
    return made


def recipe(name: str, place: Path, port: int, **more: str) -> Path:
    """A recipe with the directories of a test in place of the system's."""
    text = (RECIPES / name).read_text(encoding="utf-8")
    exchanged = {
        "/var/log/jwtleak/": f"{place}/log/",
        "/var/log/siem/": f"{place}/siem/",
        "/var/spool/rsyslog": f"{place}/spool",
        "siem.example.com": "localhost",
        "web-01.example.com": "client",
        '"6514"': f'"{port}"',
        "port(6514)": f"port({port})",
        **{
            f"/etc/{directory}/ca.pem": f"{place}/ca.pem"
            for directory in ("rsyslog.d", "syslog-ng")
        },
        **{f"/etc/rsyslog.d/server.{kind}": f"{place}/localhost.{kind}" for kind in ("pem", "key")},
        **{f"/etc/syslog-ng/server.{kind}": f"{place}/localhost.{kind}" for kind in ("pem", "key")},
        **more,
    }
    for old, new in exchanged.items():
        text = text.replace(old, new)
    (place / name).write_text(text)
    return place / name


def came_through(place: Path, lines: list[bytes]) -> bool:
    """Whether the receiver wrote these lines, in whatever order, and no others."""
    out = place / "siem/jwtleak.jsonl"
    until(lambda: out.exists() and out.read_bytes().count(b"\n") >= len(lines))
    return sorted(out.read_bytes().splitlines()) == sorted(lines)


def test_rsyslog_to_rsyslog(place: Path, lines: list[bytes], start: Started) -> None:
    """rsyslog finds no fault in its recipes, and every line comes through."""
    rsyslogd, port = program("rsyslogd"), free_port()
    driver = "defaultNetstreamDriver"
    own = (
        f'{driver}CertFile="{place}/client.pem" {driver}KeyFile="{place}/client.key" {driver}CAFile'
    )
    receive = recipe("rsyslog-receive.conf", place, port)
    forward = recipe("rsyslog-forward.conf", place, port, defaultNetstreamDriverCAFile=own)
    for one in (receive, forward):
        checked = subprocess.run(
            [rsyslogd, "-N1", "-f", str(one)], capture_output=True, check=False
        )
        assert (checked.returncode, b"error" in checked.stderr.lower()) == (0, False), (
            checked.stderr.decode()
        )
        start(rsyslogd, "-n", "-i", f"{one}.pid", "-f", str(one), port=port)
    assert came_through(place, lines)


def test_syslog_ng_to_syslog_ng(place: Path, lines: list[bytes], start: Started) -> None:
    """syslog-ng finds no fault in its recipes, and every line comes through."""
    root, port = DIRECTORY / "syslog-ng", free_port()
    if not root.is_dir():
        absent("syslog-ng")
    lib = root / "usr/lib"
    paths = [lib / "syslog-ng", *lib.glob("*-linux-gnu"), *(root / "lib").glob("*-linux-gnu")]
    environment = {"LD_LIBRARY_PATH": ":".join(map(str, paths))}
    own = f'key-file("{place}/client.key") cert-file("{place}/client.pem") ca-file'
    receive = recipe("syslog-ng-receive.conf", place, port)
    spool = f'disk-buffer(dir("{place}/spool") '
    forward = recipe(
        "syslog-ng-forward.conf", place, port, **{"ca-file": own, "disk-buffer(": spool}
    )
    for one in (receive, forward):
        files = [f"--{kind}={one}.{kind}" for kind in ("persist-file", "control", "pidfile")]
        modules = next(lib.glob("syslog-ng/[0-9]*"))
        command = [
            str(root / "usr/sbin/syslog-ng"),
            "--no-caps",
            f"--module-path={modules}",
            f"--cfgfile={one}",
            *files,
        ]
        checked = subprocess.run(
            [*command, "--syntax-only"],
            capture_output=True,
            check=False,
            env={**os.environ, **environment},
        )
        assert checked.returncode == 0, checked.stderr.decode()
        start(*command, "-F", port=port, env=environment)
    assert came_through(place, lines)
