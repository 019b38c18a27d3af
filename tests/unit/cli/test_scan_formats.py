"""`scan --format`: other programs' formats, also from a scan that is broken off."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from minting import NOW, jws

from jwtleak.formats.interface import NAMES


@pytest.fixture
def two(work):
    """Two files with a token each."""
    (work / "a.log").write_text(f'- - [15/Jan/2026:11:58:01 +0000] "GET /?t={jws()} HTTP/1.1"\n')
    (work / "b.log").write_text(f"x={jws({'iss': 'b'})} y\n")
    return work


@pytest.mark.parametrize("name", NAMES)
def test_every_format(two, scan, name):
    """Every format shows both alerts; the exit status is that of leaks."""
    done = scan(f"--format={name}", ".")
    assert (done.status, done.err) == (1, "")
    assert b"a.log" in done.out
    assert b"b.log" in done.out
    assert done.out.endswith(b"\n")


def test_documents_of_a_scan(two, scan):
    """SARIF, GitLab and CSV are one document; SARIF's relative paths stand below the working
    directory.
    """
    (run,) = json.loads(scan("--format=sarif", ".").out)["runs"]
    places = [
        one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]
    ]
    assert places == ["a.log", "b.log"]
    assert run["originalUriBaseIds"]["SCANROOT"]["uri"] == f"file://{two}/"
    report = json.loads(scan("--format=gitlab", ".").out)
    assert [one["location"]["file"] for one in report["vulnerabilities"]] == ["./a.log", "./b.log"]
    rows = list(csv.DictReader(io.StringIO(scan("--format=csv", ".").out.decode(), newline="")))
    assert [row["location.path"] for row in rows] == ["./a.log", "./b.log"]


def test_documents_of_nothing(work, scan):
    """A scan that finds nothing gives a document of nothing, and says what it could not read."""
    (work / "c.log").write_text("nothing\n")
    done = scan("--format=sarif", "c.log", "missing.log")
    (run,) = json.loads(done.out)["runs"]
    assert (done.status, run["results"]) == (3, [])
    assert "1 inputs" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


def test_standard_input_into_a_document(scan):
    """What comes twice on standard input is one result."""
    line = f"x={jws()} y\n".encode()
    done = scan("--format=gitlab", "-", stdin=line * 3)
    assert len(json.loads(done.out)["vulnerabilities"]) == 1


@pytest.mark.parametrize(
    ("option", "stands"),
    [("event", "2026-01-15T11:58:01.000Z"), ("detected", "2026-01-15T12:00:00.000Z")],
)
def test_the_time_of_events(two, scan, option, stands):
    """`--timestamp` chooses the time at which an event stands."""
    (line,) = scan("--format=ecs", f"--timestamp={option}", "a.log").out.splitlines()
    assert json.loads(line)["@timestamp"] == stands


def reads(process: subprocess.Popen[bytes], name: str) -> bool:
    """Whether a process that runs has a file of that name open."""
    assert process.poll() is None
    for descriptor in os.listdir(f"/proc/{process.pid}/fd"):
        try:
            if name in os.readlink(f"/proc/{process.pid}/fd/{descriptor}"):
                return True
        except FileNotFoundError:  # closed since
            continue
    return False


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs /proc")
@pytest.mark.parametrize("name", ["sarif", "gitlab", "csv"])
def test_an_interrupted_scan_ends_its_document(environment, work, name):
    """After Ctrl-C the document is whole, says that the scan was broken off, and holds what was
    found.
    """
    (work / "a.log").write_text(f"x={jws()} y\n")
    with open(work / "b.log", "wb") as file:
        file.truncate(40 << 30)
    command = [
        sys.executable,
        "-m",
        "jwtleak",
        "scan",
        f"--now={NOW}",
        f"--format={name}",
        "--jobs=1",
        "-o",
        "out",
        ".",
    ]
    scan = subprocess.Popen(command, cwd=work, env=environment, stderr=subprocess.PIPE)
    while not reads(scan, "b.log"):  # then a.log is done
        time.sleep(0.02)
    scan.send_signal(signal.SIGINT)
    scan.communicate(timeout=30)
    text = (work / "out").read_text()
    assert scan.returncode == 130
    assert "a.log" in text
    if name == "sarif":
        assert json.loads(text)["runs"][0]["invocations"][0]["executionSuccessful"] is False
    if name == "gitlab":
        assert json.loads(text)["scan"]["status"] == "failure"
    if name == "csv":
        assert len(list(csv.DictReader(io.StringIO(text)))) == 1


@pytest.mark.parametrize("name", ["ecs", "sarif"])
def test_a_closed_pipe_is_no_error(environment, work, name):
    """A reader that goes away ends the scan without a word; the status still tells of leaks."""
    (work / "a.log").write_text(
        "".join(f"x={jws({'iss': str(number)})} y\n" for number in range(300))
    )
    command = [sys.executable, "-m", "jwtleak", "scan", f"--now={NOW}", f"--format={name}", "."]
    reader, writer = os.pipe()
    scan = subprocess.Popen(
        command, cwd=work, env=environment, stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    os.close(reader)
    _, err = scan.communicate(timeout=30)
    assert (scan.returncode, err) == (1, b"")


def test_plain_lines_load_no_format(two, environment):
    """JSON Lines need none of the other formats."""
    code = (
        "import sys\ntry:\n from jwtleak.cli.main import run; run(['scan', '.'])\nexcept SystemExit: pass\n"  # noqa: E501
        "print(*[m for m in sys.modules if m.startswith('jwtleak.formats.')], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=two, env=environment, capture_output=True, check=True
    )
    assert done.stderr.split() == [b"jwtleak.formats.interface"]
