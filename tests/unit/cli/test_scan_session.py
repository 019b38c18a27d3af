"""A scan as a whole: what it says of what it could not read, pipes that close, processes that
agree.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
from minting import NOW, jws, kinds, sha256, unsecured


def line(token: str, n: int = 0) -> str:
    """A line of an access log with a token in its URL."""
    return f'10.0.0.{n % 256} - - [15/Jan/2026:11:59:30 +0000] "GET /cb?access_token={token} HTTP/1.1" 200 {n}\n'  # noqa: E501


def test_missing_path(scan, work):
    """A path that does not exist is told as an error: status 3 by itself, 1 when something else
    leaks.
    """
    assert scan("nope") == (3, b"", "jwtleak: error: nope: no such file or directory\n")
    (work / "a").write_text(jws())
    result = scan("nope", "a")
    assert (result.status, len(result.alerts)) == (1, 1)
    assert "nope: no such file or directory" in result.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(scan, work):
    """What may not be read is told: status 3."""
    (work / "a").write_text("x")
    (work / "a").chmod(0)
    (work / "d").mkdir(mode=0)
    result = scan(".")
    assert result.status == 3
    assert "./a: permission denied" in result.err
    assert "./d: permission denied" in result.err
    (work / "d").chmod(0o700)


def test_pipes_are_skipped(scan, work):
    """A named pipe is passed over with a warning, and is no failure."""
    os.mkfifo(work / "fifo")
    assert scan(".") == (0, b"", "jwtleak: warning: ./fifo: skipped: named pipe\n")


def test_garbage(scan, work):
    """Random bytes are scanned like any other, and are clean."""
    (work / "garbage").write_bytes(os.urandom(300_000))
    assert scan(".")[:2] == (0, b"")


def test_no_standard_input(environment):
    """A closed standard input is wrong usage when nothing else is to be scanned, unreadable when it
    is asked for.
    """
    for arg, status in (("", 2), ("-", 3)):
        command = f"exec '{sys.executable}' -m jwtleak scan {arg} <&-"
        done = subprocess.run(
            ["sh", "-c", command], env=environment, capture_output=True, timeout=60
        )
        assert (done.returncode, done.stdout) == (status, b"")
        assert done.stderr.startswith(b"jwtleak: error: ")
        assert b"internal" not in done.stderr


def test_closed_pipe(environment, work):
    """A reader that goes away ends the scan quietly; the status is that of what was found."""
    (work / "a.log").write_text("".join(line(jws({"iss": str(n)}), n) for n in range(3000)))
    command = f"'{sys.executable}' -m jwtleak scan --now {NOW} . | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=work, env=environment, capture_output=True, timeout=60
    )
    assert (done.stderr, done.stdout.count(b"\n"), done.returncode) == (b"", 1, 1)


def test_tokens_in_names(scan, work):
    """A token in a file's name or in that of an archive member is replaced wherever it is shown."""
    token = unsecured({"sub": "someone"})
    (work / f"t={token}").write_text(line(jws()))
    (work / f"gone={token}").write_bytes(gzip.compress(os.urandom(1000))[:500])
    result = scan(".", f"missing={token}")
    shown = result.out.decode() + result.err
    assert token.split(".")[1] not in shown
    assert f"./t=[JWT {sha256(token)[:8]}]" in shown
    assert f"missing=[JWT {sha256(token)[:8]}]: no such file" in shown


# --- processes


def test_jobs(scan, work):
    """One process and four give the same bytes."""
    for n in range(40):
        directory = work / f"d{n % 3}"
        directory.mkdir(exist_ok=True)
        tokens = "".join(line(token, n) for token in kinds().values())
        (directory / f"{n}.log").write_text(tokens + line(jws({"iss": str(n)})))
    (work / "big.log").write_bytes(b"nothing to see here\n" * (60 << 16) + line(jws()).encode())
    one, four = scan("--jobs", "1", "."), scan("--jobs", "4", ".")
    assert one == four
    assert len(one.alerts) > 400
    paths = [alert["location"]["path"] for alert in one.alerts]
    assert paths == sorted(paths)


@pytest.mark.slow
def test_jobs_on_a_large_file(scan, work):
    """A file of 60 MB with tokens everywhere, also across the edges of its parts: four processes
    give the same.
    """
    with open(work / "big.log", "w") as file:
        n = 0
        while file.tell() < 60 << 20:
            file.write(line(jws({"iss": str(n % 5000)}), n) + "x" * (n % 7000) + "\n")
            n += 1
    for more in ([], ["--every"]):
        one, four = scan("--jobs", "1", *more, "."), scan("--jobs", "4", *more, ".")
        assert one == four
    assert len(one.alerts) == n


# --- interplay with directories


def test_directory_of_links(scan, work):
    """A loop of links ends, and a file is scanned once."""
    (work / "a").write_text(jws())
    Path(work / "loop").symlink_to(".")
    assert len(scan(".").alerts) == 1
