"""`jwtleak inspect`."""

from __future__ import annotations

import json

import pytest
from minting import NOW, detached, jwe, jws, sd_jwt, sha256, unsecured

AT = f"--now={NOW}"


def test_a_token_is_explained(run):
    """Header, lifetime, severity and place of a token, one a line; its parts are not shown."""
    token = jws(
        {
            "iss": "https://idp.test/",
            "sub": "jane",
            "aud": ["a", "b"],
            "scope": "r w",
            "iat": NOW,
            "exp": NOW + 90,
        }
    )
    result = run("inspect", AT, stdin=token.encode())
    fields = dict(
        line.strip().split(": ", 1) for line in result.out.decode().splitlines() if ": " in line
    )
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith(b"Signed JWT (JWS)  eyJ***.***.***\n")
    assert fields["sha256"].strip() == sha256(token)
    assert fields["algorithm"].strip() == "HS256"
    assert fields["status"].strip() == "live"
    assert fields["expires"].strip() == "2026-01-15T12:01:30.000Z (in 1m 30s)"
    assert fields["lifetime"].strip() == "1m 30s"
    assert fields["audience"].strip() == "a, b"
    assert fields["scopes"].strip() == "r w"
    assert b"jane" not in result.out


@pytest.mark.parametrize(
    ("token", "name"),
    [
        (unsecured(), "Unsigned JWT"),
        (detached(), "Detached JWS"),
        (jwe(), "Encrypted JWT (JWE)"),
        (sd_jwt(), "SD-JWT"),
    ],
)
def test_kinds(run, token, name):
    """The kind is named in words."""
    assert run("inspect", stdin=token.encode()).out.decode().startswith(name)


@pytest.mark.parametrize(
    ("token", "weakness"),
    [
        (unsecured(), "not signed"),
        (jws({"sub": "x"}), "it has no exp"),
        (jws({"exp": "soon"}), "exp cannot be read"),
        (jws({"exp": str(NOW)}), "not a plain number of seconds"),
    ],
)
def test_weaknesses(run, token, weakness):
    """What is wrong with a token is said, with the section that says so."""
    (line,) = [
        one
        for one in run("inspect", stdin=token.encode()).out.decode().splitlines()
        if "weakness:" in one
    ]
    assert weakness in line
    assert "RFC" in line


def test_json(run):
    """`--format json` gives one alert a line."""
    result = run("inspect", AT, "--format=json", stdin=f"{jws()} {jws({'exp': 1})}\n".encode())
    assert [alert["token"]["status"] for alert in result.alerts] == ["live", "expired"]


def test_file(run, work):
    """`--file` reads a file; one that is not there is wrong usage."""
    (work / "t").write_text(jws())
    assert run("inspect", "--file=t").status == 0
    missing = run("inspect", "--file=nope")
    assert (missing.status, missing.out) == (2, b"")
    assert "no such file or directory" in missing.err


def test_a_token_in_an_argument_is_refused(run):
    """A token on the command line is refused with the reason and a hint, and is not repeated."""
    result = run("inspect", jws())
    assert (result.status, result.out) == (2, b"")
    assert "process list" in result.err
    assert "jwtleak: hint: give it on standard input" in result.err
    assert "eyJ" not in result.err


def test_nothing_found(run):
    """Text without a token: status 1, and a line that says so."""
    assert run("inspect", stdin=b"nothing") == (
        1, b"", "jwtleak: no token found: nothing here decodes to a JOSE header\n"
    )  # fmt: skip


def test_many_tokens(run):
    """Beyond a hundred tokens the rest is left out, and that is said."""
    text = "\n".join(jws({"iss": str(n)}) for n in range(150))
    result = run("inspect", "--format=json", stdin=text.encode())
    assert len(result.out.splitlines()) == 100
    assert "more than 100 tokens" in result.err


def test_a_part_of_a_token(run):
    """A token that was cut is explained as far as it goes."""
    out = json.loads(run("inspect", "--format=json", stdin=jws()[:-20].encode()).out)
    assert out["token"]["status"] == "incomplete"
