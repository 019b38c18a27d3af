"""`jwtleak redact`, as a filter."""

from __future__ import annotations

import gzip
import select
import subprocess
import sys

from minting import jws, sha256

TOKEN = jws().encode()
NAME = f"[JWT {sha256(jws())[:8]}]".encode()
NOISE = bytes(range(256)) * 4 + b"\r\n\x00\xff"


def test_a_filter(run):
    """Standard input goes to standard output, 8-bit clean; tokens become names."""
    done = run("redact", stdin=NOISE + b"GET /?t=" + TOKEN + b" x\n" + NOISE)
    assert (done.status, done.out, done.err) == (
        0,
        NOISE + b"GET /?t=" + NAME + b" x\n" + NOISE,
        "",
    )
    assert run("redact", stdin=b"") == (0, b"", "")


def test_files_follow_one_another(run, work):
    """Files are copied one after the other; a token does not reach from one into the next."""
    (work / "a").write_bytes(b"t=" + TOKEN[:120])
    (work / "b").write_bytes(TOKEN[120:] + b"\n")
    done = run("redact", "a", "-", "b", stdin=b"\n-\n")
    assert done.status == 0
    assert done.out == run("redact", "a").out + b"\n-\n" + run("redact", "b").out


def test_check(run):
    """With --check the status says whether something was replaced."""
    assert run("redact", "--check", stdin=TOKEN).status == 1
    assert run("redact", "--check", stdin=b"nothing\n").status == 0


def test_output(run, work):
    """--output writes a file that only its owner reads, and never one of the inputs."""
    (work / "in").write_bytes(b"t=" + TOKEN + b"\n")
    assert run("redact", "--output", "out", "in") == (0, b"", "")
    assert (work / "out").read_bytes() == b"t=" + NAME + b"\n"
    assert (work / "out").stat().st_mode & 0o777 == 0o600
    done = run("redact", "--output", "./in", "in")
    assert (done.status, "both input and output" in done.err) == (2, True)
    assert (work / "in").read_bytes() == b"t=" + TOKEN + b"\n"


def test_what_cannot_be_read(run, work):
    """A missing file is an error and status 3; the others are copied."""
    (work / "a").write_bytes(b"a\n")
    done = run("redact", "missing", "a")
    assert (done.status, done.out) == (3, b"a\n")
    assert done.err == "jwtleak: error: missing: no such file or directory\n"


def test_packed_input_is_told(run, work):
    """What is compressed is copied as it is, with a warning and status 3: no token in it was
    seen.
    """
    (work / "a.gz").write_bytes(gzip.compress(TOKEN))
    for done in (run("redact", "a.gz"), run("redact", stdin=(work / "a.gz").read_bytes())):
        assert (done.status, done.out) == (3, (work / "a.gz").read_bytes())
        assert "packed, so tokens in it are not seen" in done.err


def test_lines_leave_while_the_writer_goes_on(environment):
    """A line comes out while the pipe stays open, the rest of it after a second; a closed reader is
    no error.
    """
    command = [sys.executable, "-m", "jwtleak", "redact"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, env=environment
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(b"GET /?t=" + TOKEN + b" 200\n")
        got = b""
        while not got.endswith(b"\n"):
            assert select.select([program.stdout], [], [], 30)[0]
            got += program.stdout.read(1000)
        assert got == b"GET /?t=" + NAME + b" 200\n"
        program.stdout.close()
        program.stdin.write(b"more.\n" * 10)
        program.stdin.close()
        assert program.wait(30) == 0
        assert program.stderr is not None
        assert program.stderr.read() == b""
