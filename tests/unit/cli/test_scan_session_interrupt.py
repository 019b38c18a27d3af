"""Scans that are broken off: by Ctrl-C, by the death of a worker, by a failure of the program
itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from minting import NOW, jws

# More than the pool asks for, sparse so that making it costs nothing, and seconds of reading.
SPARSE = 6 << 30


@pytest.fixture
def program(environment, work):
    """Starts a scan of `work`: one small file with a token, then a large one."""
    (work / "a.log").write_text(f"x={jws()} y\n")
    with open(work / "b.log", "wb") as file:
        file.write(f"x={jws({'iss': 'b'})} y\n".encode())
        file.truncate(SPARSE)
    (work / "c.log").write_text(f"x={jws({'iss': 'c'})} y\n")
    started: list[subprocess.Popen[bytes]] = []

    def start(*args: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "jwtleak", "scan", f"--now={NOW}", *args, "."]
        pipe = subprocess.PIPE
        started.append(
            subprocess.Popen(command, cwd=work, stdout=pipe, stderr=pipe, env=environment)
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def children(pid: int) -> list[int]:
    """The processes that `pid` started."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pid: int) -> bool:
    """Whether a process has ended, within a few seconds."""
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.05)
    return False


needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="needs /proc")


@needs_proc
@pytest.mark.parametrize("jobs", [1, 2])
def test_interrupt(program, jobs):
    """Ctrl-C: what was found is shown, one line says what was not scanned, the status is 130, no
    worker is left.
    """
    scan = program(f"--jobs={jobs}")
    assert b'"./a.log"' in scan.stdout.readline()
    time.sleep(0.3)
    workers = children(scan.pid)
    assert len(workers) == (jobs if jobs > 1 else 0)
    scan.send_signal(signal.SIGINT)
    begun = time.monotonic()
    out, err = scan.communicate(timeout=20)
    assert time.monotonic() - begun < 5
    assert scan.returncode == 130
    assert (b'"./b.log"' in out, b'"./c.log"' in out) == (True, False)
    assert err.decode().startswith(
        "jwtleak: warning: interrupted: not scanned whole: ./b.log (bytes "
    )
    assert err.count(b"\n") == 1
    assert all(gone(pid) for pid in workers)


def until_open(pid: int, name: str) -> None:
    """Wait until the process has a file of this name open: the program has started, however busy
    the machine is.
    """
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with suppress(OSError):
            if any(os.readlink(link).endswith(name) for link in Path(f"/proc/{pid}/fd").iterdir()):
                return
        time.sleep(0.02)
    raise AssertionError(f"{name} was not opened")


@needs_proc
def test_interrupt_in_an_archive(environment, work):
    """Tokens found in an archive that is not read to its end are shown too."""
    import zlib

    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    with open(work / "a.gz", "wb") as file:
        file.write(deflate.compress(f"x={jws()} y\n".encode()))
        file.writelines(deflate.compress(bytes(1 << 20)) for _ in range(1000))
        file.write(deflate.flush())
    command = [sys.executable, "-m", "jwtleak", "scan", f"--now={NOW}", "--max-ratio=9999", "a.gz"]
    pipe = subprocess.PIPE
    scan = subprocess.Popen(command, cwd=work, stdout=pipe, stderr=pipe, env=environment)
    until_open(scan.pid, "a.gz")
    time.sleep(0.3)
    scan.send_signal(signal.SIGINT)
    out, err = scan.communicate(timeout=20)
    assert (scan.returncode, out.count(b"\n")) == (130, 1)
    assert (
        err == b"jwtleak: warning: interrupted: not scanned whole: a.gz, and all that follows it\n"
    )


@needs_proc
def test_a_worker_is_killed(program):
    """A worker that dies is an error that names its task; earlier alerts are there; the status is
    3, nothing hangs.
    """
    scan = program("--jobs=2")
    assert b'"./a.log"' in scan.stdout.readline()
    victim = children(scan.pid)[0]
    os.kill(victim, signal.SIGKILL)
    _, err = scan.communicate(timeout=20)
    assert scan.returncode == 3
    # Which file it has in hand depends on how far the messages about the first one have come.
    said = "jwtleak: error: a worker process was ended by signal 9 while scanning ./"
    assert err.decode().startswith((said + "a.log", said + "b.log (bytes "))
    assert b"Traceback" not in err


@needs_proc
def test_the_parent_is_killed(program):
    """Workers end by themselves when the parent is killed."""
    scan = program("--jobs=2")
    scan.stdout.readline()
    workers = children(scan.pid)
    assert len(workers) == 2
    scan.kill()
    scan.wait()
    assert all(gone(pid) for pid in workers)


FAILING = """
import sys
from jwtleak.core.jose import JoseHeaders
from jwtleak.core.engine import Engine
import jwtleak.core.engine, jwtleak.runtime.scan.scan as scan
scan._POOL_FROM = 1
def fail(self, window, matches, counted, lines):
    for match in matches:
        raise ValueError(match.token.raw.reveal(), match.token.claims)
    return [], counted, lines
Engine._findings = fail
from jwtleak.cli.main import run
run(sys.argv[1:])
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_internal_error(environment, work, jobs):
    """A failure of the program says where, without a value and without a traceback: status 3."""
    (work / "a.log").write_text(f"x={jws()} y\n")
    command = [sys.executable, "-X", "dev", "-c", FAILING, "scan", f"--jobs={jobs}", "."]
    done = subprocess.run(command, cwd=work, capture_output=True, env=environment, timeout=60)
    first = done.stderr.decode().splitlines()[0]
    assert (done.returncode, done.stdout) == (3, b"")
    assert first.startswith("jwtleak: error: internal error: ValueError at jwtleak.core.engine:")
    assert b"Traceback" not in done.stderr
    assert jws().split(".")[1].encode() not in done.stderr
