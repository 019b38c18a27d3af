"""What a person sees: the program on a terminal of its own."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time

import pytest
from minting import NOW, jws

# What may move a cursor, hide text or turn its direction; colours (SGR) and what a progress bar
# needs are left out.
CONTROLS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f]"
)
EVIL = "\x1b[31mred\x1b]0;title\x07\u202egnp\x9b2J\r\n"


@pytest.fixture
def terminal(environment, work):
    """`terminal(*args)` gives (the exit status, all that is on the terminal)."""

    def terminal(*args: str, typed: bytes = b"", **env: str) -> tuple[int, str]:
        main, far = pty.openpty()
        command = [sys.executable, "-m", "jwtleak", *args]
        settings = {**environment, "TERM": "xterm-256color", **env}
        process = subprocess.Popen(
            command, cwd=work, stdin=far, stdout=far, stderr=far, env=settings
        )
        os.close(far)
        os.write(main, typed)
        shown, end = b"", time.monotonic() + 60
        while time.monotonic() < end and select.select([main], [], [], 60)[0]:
            try:
                data = os.read(main, 65536)
            except OSError:  # the far side is closed
                break
            shown += data
        os.close(main)
        return process.wait(60), shown.decode("utf-8", "replace")

    return terminal


def plain(shown: str) -> str:
    """Without colours and the drawing of a progress bar."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r\n", "\n")


def test_a_table_and_a_summary(terminal, work):
    """On a terminal a scan shows a table, one row for each token, and a summary line."""
    (work / "a.log").write_text(f"GET /?access_token={jws()} x\n" * 3)
    status, shown = terminal("scan", f"--now={NOW}", ".", COLUMNS="120")
    lines = plain(shown).splitlines()
    assert status == 1
    (row,) = [line for line in lines if "critical" in line]
    assert re.search(r"live +1h +- +spreads +idp\.test +HS256 +url_query +\./a\.log:1 +3", row)
    assert re.match(r"1 file, \d+ B in \d+\.\d s \(.*/s\): 1 live", lines[-1])


def test_colours(terminal, work):
    """Severities are coloured, unless NO_COLOR says no."""
    (work / "a.log").write_text(jws())
    assert (
        "\x1b[1;31mcritical" in terminal("scan", f"--now={NOW}", ".")[1]
        or "\x1b[31m" in terminal("scan", ".")[1]
    )
    _, shown = terminal("scan", f"--now={NOW}", "--no-progress", ".", NO_COLOR="1")
    assert "\x1b[31m" not in shown
    assert "\x1b[1;31m" not in shown


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_width(terminal, work, columns):
    """No line is wider than the terminal."""
    (work / f"{'long' * 20}.log").write_text(
        f"GET /?access_token={jws({'iss': 'https://' + 'i' * 90})} x\n"
    )
    _, shown = terminal("scan", "--no-progress", ".", COLUMNS=columns)
    assert all(len(line) <= int(columns) for line in plain(shown).splitlines()[:-1])


def test_a_terminal_without_utf_8(terminal, work):
    """In the C locale only ASCII is shown, and nothing breaks."""
    issuer = "https://\u4f60\u597d.test"
    (work / "f\u00fc\u4f60.log").write_text(f"x={jws({'iss': issuer})} y\n")
    status, shown = terminal(
        "scan", ".", LANG="C", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"
    )
    assert (status, shown.isascii()) == (1, True)


def test_no_control_reaches_the_terminal(terminal, work):
    """Neither a file's name nor a claim, a header or a parameter can steer the terminal, nor can
    what cannot be read.
    """
    token = jws({"iss": EVIL, "aud": EVIL, "scope": EVIL}, kid=EVIL, typ=EVIL)
    (work / EVIL.replace("/", "")).write_text(f"GET /?a\x1b[31m\x9b={token} \x1b[2J\x07\n")
    os.mkfifo(work / f"fifo{EVIL}")
    (work / f"dangling{EVIL}").symlink_to(f"gone{EVIL}")
    for args in (
        ["scan"],
        ["scan", "--format=json"],
        ["scan", "--every"],
        ["inspect", f"--file={EVIL}"],
    ):
        _, shown = terminal(
            *args, *(["--no-progress", "."] if args[0] == "scan" else []), NO_COLOR="1"
        )
        left = (
            shown.replace("\r\n", "\n")
            .replace("\x1b[1m", "")
            .replace("\x1b[0m", "")
            .replace("\x1b[2m", "")
        )
        assert "\x1b" not in left
        assert "\r" not in left
        assert not CONTROLS.search(left)


def test_inspect_asks_for_a_token(terminal):
    """On a terminal `inspect` says what to do."""
    status, shown = terminal("inspect", typed=jws().encode() + b"\n\x04")
    assert status == 0
    assert "jwtleak: hint: paste a token, then Enter and Ctrl-D" in shown
    assert "Signed JWT (JWS)" in shown


def test_nothing_to_scan(terminal):
    """`scan` without a path on a terminal does not wait for one to type."""
    status, shown = terminal("scan")
    assert status == 2
    assert "jwtleak: error: nothing to scan: give a path, or - for standard input" in shown
