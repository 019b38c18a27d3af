"""Nothing that a token says opens a connection or gets out unescaped: a listener that waits, and a
guard on sockets.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from minting import NOW, b64, jws, noise
from tls_server import Server, body, serve

import jwtleak
from jwtleak.alerts.alert import to_json
from jwtleak.cli.inspect import explain

HOSTILE = [
    "http://127.0.0.1:{port}/k",
    "https://127.0.0.1:{port}/.well-known/jwks.json",
    "//127.0.0.1:{port}/",
    "file:///etc/passwd",
    "../../../../etc/passwd",
    "\\\\127.0.0.1\\share",
    "' OR 1=1 --",
    "x'; DROP TABLE alerts; --",
    "$(curl 127.0.0.1:{port})",
    "`id`",
    "${{jndi:ldap://127.0.0.1:{port}/a}}",
    "\x1b]0;x\x07\x1b[2J",
    "\r\nHTTP/1.1 200 OK\r\n\r\n",
    "\u202e\u2066",
    "\x00",
    "|id",
    "{{7*7}}",
]
FIELDS = ("iss", "aud", "sub", "azp", "scope", "jku", "x5u", "kid", "typ", "cty", "crit")
CONTROLS = {chr(code) for code in (*range(32), *range(0x7F, 0xA0))} - {"\n"} | {"\u202e", "\u2066"}


@pytest.fixture
def listener() -> Iterator[Server]:
    """Counts who connects."""
    with serve(body(b"{}"), None) as server:
        yield server


def tokens(port: int) -> list[str]:
    """Each hostile string in each claim and header parameter, and one token with all of them."""
    made = []
    for text in (one.format(port=port) for one in HOSTILE):
        for field in FIELDS:
            if field in ("jku", "x5u", "kid", "typ", "cty", "crit"):
                header = {"alg": "RS256", field: [text] if field == "crit" else text}
                made.append(
                    f"{b64(header)}.{b64({'exp': NOW + 60})}.{b64(noise(256, text + field))}"
                )
            else:
                made.append(jws({field: text, "exp": NOW + 60}))
        header = {
            "alg": "HS256",
            **dict.fromkeys(("jku", "x5u", "kid", "typ"), text),
            "jwk": {"kty": "oct", "k": "c2VjcmV0"},
        }
        made.append(f"{b64(header)}.{b64(dict.fromkeys(FIELDS, text))}.{b64(noise(32, text))}")
    return made


def test_no_token_opens_a_connection(listener: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the library no socket is made, whatever issuer, key location or key a token names; what
    comes out is clean.
    """
    hostile = tokens(listener.port)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was made")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for token in hostile:
        (finding,) = jwtleak.scan(f"GET /?t={token} HTTP/1.1\n".encode())
        alert = jwtleak.alert(finding, now=NOW, key=b"k" * 32)
        shown = to_json(alert).decode() + "\n".join(explain(alert))
        assert not CONTROLS & set(shown)
        assert json.loads(to_json(alert))["token"]["sha256"] == finding.sha256
    monkeypatch.undo()
    assert listener.connections == 0


_GUARD = """
import socket, sys
def refuse(*_, **__):
    sys.stderr.write("A SOCKET WAS MADE\\n")
    raise OSError("refused")
socket.socket.connect = refuse
socket.socket.connect_ex = refuse
socket.getaddrinfo = refuse
from jwtleak.cli.main import run
run(sys.argv[1:])
"""


@pytest.mark.parametrize(
    "command", [("scan", "a.log"), ("scan", "--format=table", "a.log"), ("inspect", "--file=a.log")]
)
def test_no_command_opens_a_connection(
    listener: Server, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """The program with keys, policy and words configured: no connection, no unescaped byte on
    either stream.
    """
    (tmp_path / "a.log").write_text(
        "".join(f"GET /?t={token} HTTP/1.1\n" for token in tokens(listener.port)[:90])
    )
    (tmp_path / "keys.json").write_text('{"keys":[]}')
    (tmp_path / "words").write_text("x\n")
    (tmp_path / "c.toml").write_text('[[allow]]\nissuer = "https://a.test/"\nreason = "r"\n')
    options = ("--jwks=keys.json", "--weak-keys=words", "--config=c.toml", f"--now={NOW}")
    done = subprocess.run(
        [sys.executable, "-c", _GUARD, command[0], *options, *command[1:]],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        env={
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "COLUMNS": "200",
            "LANG": "C.UTF-8",
            "PATH": "",
        },
    )
    assert b"SOCKET" not in done.stderr
    assert done.stderr == b""
    assert not CONTROLS & set(done.stdout.decode())
    assert done.stdout.count(b"\n") >= 90
    assert listener.connections == 0
