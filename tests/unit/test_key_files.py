"""Keys from outside: a server that answers, and servers that do not behave; files and secrets."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest
from tls_server import body, certificate, serve

from jwtleak.errors import SourceError, UsageError
from jwtleak.key_files import (
    MAX_BYTES,
    SecretSource,
    checked_url,
    fetch,
    read_key_files,
    read_secret,
    read_words,
)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's certificate."""
    return certificate(tmp_path_factory.mktemp("tls"))


def test_a_key_set_is_fetched(pem: Path) -> None:
    """The body of an https URL whose certificate the configured authority signed."""
    with serve(body(b'{"keys":[]}'), pem) as server:
        assert fetch(server.url, timeout=5, ca_file=str(pem)) == b'{"keys":[]}'
        assert server.connections == 1


def test_an_unknown_certificate_is_refused(pem: Path) -> None:
    """A certificate of no known authority gives an error and no body."""
    with serve(body(b"{}"), pem) as server, pytest.raises(SourceError, match="cannot be fetched"):
        fetch(server.url, timeout=5)


def test_redirects_are_not_followed(pem: Path) -> None:
    """A redirect is an error; where it points to has no connection."""
    with serve(body(b"{}"), None) as target:
        moved = body(b"", "302 Found", f"Location: http://127.0.0.1:{target.port}/")
        with serve(moved, pem) as server, pytest.raises(SourceError, match="status 302"):
            fetch(server.url, timeout=5, ca_file=str(pem))
        assert target.connections == 0


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "204 No Content"])
def test_other_answers(pem: Path, status: str) -> None:
    """Only 200 brings keys."""
    with (
        serve(body(b"", status), pem) as server,
        pytest.raises(SourceError, match=f"status {status[:3]}"),
    ):
        fetch(server.url, timeout=5, ca_file=str(pem))


def test_a_huge_answer_is_cut(pem: Path) -> None:
    """An answer over the bound, announced or endless, is an error before it is in memory."""
    sent = []

    def endless(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while len(sent) < 1000:
            client.sendall(b"x" * 65536)
            sent.append(65536)

    for answer in (endless, body(b"x" * (MAX_BYTES + 1))):
        with serve(answer, pem) as server, pytest.raises(SourceError, match="more than 512 KiB"):
            fetch(server.url, timeout=5, ca_file=str(pem))
    assert sum(sent) < 20 * MAX_BYTES


def test_a_slow_answer_ends(pem: Path) -> None:
    """A server that says nothing, or a byte now and then, costs the timeout and not more."""
    gone = threading.Event()

    def drip(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not gone.wait(0.05):
            client.sendall(b"x")

    for answer in (drip, lambda client: gone.wait(5)):
        gone.clear()
        started = time.monotonic()
        with serve(answer, pem) as server:
            with pytest.raises(SourceError, match=r"longer than 0\.4 s"):
                fetch(server.url, timeout=0.4, ca_file=str(pem))
            gone.set()
        assert time.monotonic() - started < 4


def test_a_dead_server() -> None:
    """A port where nobody listens is an error."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(SourceError, match="cannot be fetched"):
        fetch(f"https://127.0.0.1:{port}/", timeout=2)


def test_compressed_answers_are_refused(pem: Path) -> None:
    """An answer that was compressed though not asked to could become large."""
    with (
        serve(body(b"{}", "200 OK", "Content-Encoding: br"), pem) as server,
        pytest.raises(SourceError, match="compressed"),
    ):
        fetch(server.url, timeout=5, ca_file=str(pem))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "file:///etc/passwd",
        "ftp://a.test/",
        "https://",
        "//a.test/",
        "",
        "https://u:p@a.test/",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    """Only https, without a user in it, is fetched."""
    with pytest.raises(ValueError, match=r"https URL|user"):
        checked_url(url)
    with pytest.raises(SourceError):
        fetch(url, timeout=1)


def test_key_files(tmp_path: Path) -> None:
    """One file, or the files of a directory by name; other files in it are left alone."""
    for name in ("b.jwks", "a.json", "c.txt"):
        (tmp_path / name).write_text(name)
    assert read_key_files(tmp_path / "c.txt") == [("c.txt", b"c.txt")]
    assert read_key_files(tmp_path) == [("a.json", b"a.json"), ("b.jwks", b"b.jwks")]


def test_key_files_that_are_not_there(tmp_path: Path) -> None:
    """What cannot be read, an empty directory and a file too large are errors that name it."""
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UsageError, match=path.name):
            read_key_files(path)
    (tmp_path / "large.json").write_bytes(b"x" * (MAX_BYTES + 1))
    with pytest.raises(UsageError, match="larger than 512 KiB"):
        read_key_files(tmp_path)


def test_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a file without the newline that editors add, from the environment, as text or base64 of
    both alphabets.
    """
    (tmp_path / "s").write_bytes(b"a secret\r\n")
    assert read_secret(SecretSource(file=str(tmp_path / "s"))) == b"a secret"
    monkeypatch.setenv("A_SECRET", "-_-_")
    assert read_secret(SecretSource(env="A_SECRET")) == b"-_-_"
    assert read_secret(SecretSource(env="A_SECRET", base64=True)) == b"\xfb\xff\xbf"
    monkeypatch.setenv("A_SECRET", "+/+/")
    assert read_secret(SecretSource(env="A_SECRET", base64=True)) == b"\xfb\xff\xbf"


def test_secrets_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error names the file or variable, never what stands in it."""
    (tmp_path / "empty").write_bytes(b"\n")
    monkeypatch.setenv("BROKEN", "topsecret!")
    for source, problem in (
        (SecretSource(file=str(tmp_path / "none")), "none"), (SecretSource(file=str(tmp_path / "empty")), "no secret"),  # noqa: E501
        (SecretSource(env="NOT_SET_AT_ALL"), "NOT_SET_AT_ALL"), (SecretSource(env="BROKEN", base64=True), "BROKEN"),  # noqa: E501
    ):  # fmt: skip
        with pytest.raises(UsageError, match=problem) as raised:
            read_secret(source)
        assert "topsecret" not in str(raised.value)
    with pytest.raises(ValueError, match="file and env"):
        SecretSource()


def test_word_lists(tmp_path: Path) -> None:
    """A word list is read up to its bound."""
    (tmp_path / "words").write_bytes(b"a\nb")
    assert read_words(str(tmp_path / "words"), 10) == b"a\nb"
    with pytest.raises(UsageError, match="larger"):
        read_words(str(tmp_path / "words"), 2)
    with pytest.raises(UsageError, match="none"):
        read_words(str(tmp_path / "none"), 10)
