"""The recipes for rsyslog and syslog-ng, run against one another: a file is forwarded over TLS with client certificates,
received, and written; every line must come through unchanged. Only names, ports and directories are exchanged."""

from __future__ import annotations

import datetime
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sample_alerts import full, hostile, least, pattern_hit

from jwtleak.alerts.formats.interface import by_name

pytestmark = pytest.mark.receivers

RECIPES = Path(__file__).resolve().parents[2] / "docs/integrations/recipes"
PATIENCE = 30.0


def needed(program: str) -> str:
    """Where a program is; skips without it, fails in CI."""
    found = os.environ.get(f"JWTLEAK_{program.upper().replace('-', '_')}") or shutil.which(program)
    if found is None and Path(f"/usr/sbin/{program}").exists():
        found = f"/usr/sbin/{program}"
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"needs {program}")
        pytest.skip(f"needs {program}")
    return found


def certificate(name: str, signer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None, *, directory: Path) -> object:
    """A certificate and its key in `directory`; signed by itself without a signer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(signer[0].subject if signer else subject)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )  # fmt: skip
    made = builder.sign(signer[1] if signer else key, hashes.SHA256())
    (directory / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (directory / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return made, key


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with certificates of one authority, and room for spools and logs."""
    authority = certificate("ca", None, directory=tmp_path)
    for name in ("localhost", "client"):
        certificate(name, authority, directory=tmp_path)  # type: ignore[arg-type]
    for name in ("spool", "log", "siem"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def lines(place: Path) -> list[bytes]:
    """Alerts in ECS, which the file already has before anybody follows it."""
    samples = [full(), least(), pattern_hit(), *(alert for _, alert in hostile())]
    made = [by_name("ecs").encode(alert) for alert in samples] * 5
    (place / "log/alerts.jsonl").write_bytes(b"".join(line + b"\n" for line in made))
    return made


@pytest.fixture
def running() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Programs that end with the test."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def recipe(name: str, place: Path, port: int, **more: str) -> Path:
    """A recipe with the directories of a test in place of the system's."""
    text = (RECIPES / name).read_text(encoding="utf-8")
    exchanged = {
        "/var/log/jwtleak/": f"{place}/log/", "/var/log/siem/": f"{place}/siem/", "/var/spool/rsyslog": f"{place}/spool",
        "siem.example.com": "localhost", "web-01.example.com": "client", '"6514"': f'"{port}"', "port(6514)": f"port({port})",
        **{f"/etc/{program}/ca.pem": f"{place}/ca.pem" for program in ("rsyslog.d", "syslog-ng")},
        **{f"/etc/rsyslog.d/server.{kind}": f"{place}/localhost.{kind}" for kind in ("pem", "key")},
        **{f"/etc/syslog-ng/server.{kind}": f"{place}/localhost.{kind}" for kind in ("pem", "key")},
        **more,
    }  # fmt: skip
    for old, new in exchanged.items():
        text = text.replace(old, new)
    (place / name).write_text(text)
    return place / name


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def written(place: Path, count: int) -> list[bytes]:
    """The lines that the receiver wrote, as soon as there are so many."""
    path, end = place / "siem/jwtleak.jsonl", time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = path.read_bytes().splitlines() if path.exists() else []
        if len(found) >= count:
            return found
        time.sleep(0.1)
    return path.read_bytes().splitlines() if path.exists() else []


def listens(port: int) -> bool:
    """Whether somebody listens, within some seconds."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.1)
    return False


def test_rsyslog_to_rsyslog(place: Path, lines: list[bytes], running: list[subprocess.Popen[bytes]]) -> None:
    """rsyslog finds no fault in its recipes, and every line comes through."""
    program, port = needed("rsyslogd"), free_port()
    driver = "defaultNetstreamDriver"
    own = f'{driver}CertFile="{place}/client.pem" {driver}KeyFile="{place}/client.key" {driver}CAFile'
    receive = recipe("rsyslog-receive.conf", place, port)
    forward = recipe("rsyslog-forward.conf", place, port, defaultNetstreamDriverCAFile=own)
    for one in (receive, forward):
        checked = subprocess.run([program, "-N1", "-f", str(one)], capture_output=True, check=False)
        assert checked.returncode == 0, checked.stderr.decode()
        assert b"error" not in checked.stderr.lower()
    for one in (receive, forward):
        command = [program, "-n", "-i", str(one.with_suffix(".pid")), "-f", str(one)]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        assert listens(port)
    assert sorted(written(place, len(lines))) == sorted(lines)


def test_syslog_ng_to_syslog_ng(place: Path, lines: list[bytes], running: list[subprocess.Popen[bytes]]) -> None:
    """syslog-ng finds no fault in its recipes, and every line comes through."""
    program, port = needed("syslog-ng"), free_port()
    own = f'key-file("{place}/client.key") cert-file("{place}/client.pem") ca-file'
    receive = recipe("syslog-ng-receive.conf", place, port)
    forward = recipe("syslog-ng-forward.conf", place, port)
    forward.write_text(forward.read_text().replace("ca-file", own).replace("disk-buffer(", f'disk-buffer(dir("{place}/spool") '))
    for one in (receive, forward):
        files = [f"--{kind}={one.with_suffix('.' + kind)}" for kind in ("persist-file", "control", "pidfile")]
        command = [program, "--cfgfile", str(one), "--no-caps", *files]
        checked = subprocess.run([*command, "--syntax-only"], capture_output=True, check=False)
        assert checked.returncode == 0, checked.stderr.decode()
        running.append(subprocess.Popen([*command, "-F"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        assert listens(port)
    assert sorted(written(place, len(lines))) == sorted(lines)
