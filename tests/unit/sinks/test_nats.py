"""NATS: the answers of JetStream, from a stand-in; the wire is tested with the real server."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
from sending import message, messages

from jwtleak.errors import UsageError
from jwtleak.sinks.nats import NatsSink, open_sink
from jwtleak.sinks.settings import from_url

nats = pytest.importorskip("nats", reason="nats-py is an extra")
from nats.js import errors  # noqa: E402 - only where the library is there


class Connection:
    """A connection whose stream answers from a script: an exception is raised, anything else is an
    answer.
    """

    def __init__(self, script: list[Any]) -> None:
        self.is_connected = True
        self.published: list[tuple[str, bytes, dict[str, str]]] = []
        self._script = script

    def jetstream(self, timeout: float) -> Connection:
        return self

    async def publish(self, subject: str, body: bytes, headers: dict[str, str]) -> Any:
        self.published.append((subject, body, headers))
        answer = self._script.pop(0) if self._script else object()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def close(self) -> None:
        self.is_connected = False


class Library:
    """Makes connections, or fails to."""

    def __init__(self) -> None:
        self.script: list[Any] = []
        self.failure: Exception | None = None
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.made: list[Connection] = []

    async def connect(self, url: str, **options: Any) -> Connection:
        self.calls.append((url, options))
        if self.failure is not None:
            raise self.failure
        self.made.append(Connection(self.script))
        return self.made[-1]


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    """The stand-in, in place."""
    made = Library()
    monkeypatch.setattr(nats, "connect", made.connect)
    return made


def test_messages_carry_their_id(library: Library) -> None:
    """The stream knows one that it has by `Nats-Msg-Id`; the connection is kept."""
    sink = open_sink(from_url("nats://localhost/alerts.jwt"))
    assert [one.kind for one in sink.send(messages(2)).outcomes] == ["accepted", "accepted"]
    sink.idle()
    sink.send(messages(1))
    one = message(1)
    assert library.made[0].published[1] == ("alerts.jwt", one.body, {"Nats-Msg-Id": one.id})
    assert [call[0] for call in library.calls] == ["nats://localhost:4222"]
    sink.close()
    sink.close()


@pytest.mark.parametrize(
    ("answer", "kind", "problem"),
    [
        (TimeoutError(), "again", "busy"),
        (errors.NoStreamResponseError(), "again", "blocked"),
        (nats.errors.MaxPayloadError(), "refused", None),
        (nats.errors.ConnectionClosedError(), "again", "busy"),
        (errors.APIError(code=400, description="bad"), "refused", None),
        (errors.APIError(code=503, description="busy"), "again", "busy"),
    ],
)
def test_each_answer_is_judged(
    answer: Exception, kind: str, problem: str | None, library: Library
) -> None:
    """What was stored is accepted whatever became of the others."""
    library.script = [object(), answer, object()]
    sink = open_sink(from_url("nats://localhost/alerts"))
    report = sink.send(messages(3))
    assert [one.kind for one in report.outcomes] == ["accepted", kind, "accepted"]
    assert report.problem == problem
    sink.close()


@pytest.mark.parametrize(
    ("failure", "problem"),
    [
        (nats.errors.NoServersError(), "busy"),
        (ConnectionRefusedError(111, "Connection refused"), "busy"),
        (nats.errors.Error("nats: 'Authorization Violation'"), "blocked"),
        (ssl.SSLCertVerificationError(1, "x"), "blocked"),
    ],
)
def test_a_connection_may_fail(failure: Exception, problem: str, library: Library) -> None:
    """A server that is away is waited for; one that refuses us blocks."""
    if isinstance(failure, ssl.SSLCertVerificationError):
        failure.verify_message = "self-signed certificate"
    library.failure = failure
    sink = open_sink(from_url("nats://localhost/alerts"))
    assert sink.send(messages(1)).problem == problem
    library.failure = None
    assert sink.send(messages(1)).problem is None
    sink.close()


def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the timeout of the settings."""

    async def never(url: str, **_: Any) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(nats, "connect", never)
    sink = open_sink(from_url("nats://localhost/alerts?timeout=0.05"))
    report = sink.send(messages(1))
    assert (report.problem, report.reason) == ("busy", "no answer in time")
    sink.close()


def test_credentials(library: Library, token_file: Path) -> None:
    """A token, or a user's password; read again when it may be new; never in the clear over a
    network.
    """
    sink = open_sink(from_url(f"nats+tls://h/alerts?token_file={token_file}&verify=false"))
    sink.send(messages(1))
    token_file.write_text("renewed")
    sink.reopen()
    sink.send(messages(1))
    sink.close()
    assert [call[1]["token"] for call in library.calls] == ["s3cr3t-0123456789-TOKEN", "renewed"]
    assert (library.calls[0][0], library.calls[0][1]["tls_hostname"]) == ("tls://h:4222", "h")
    sink = open_sink(from_url(f"nats://localhost/alerts?token_file={token_file}&user=me"))
    sink.send(messages(1))
    sink.close()
    assert (library.calls[2][1]["user"], library.calls[2][1]["password"]) == ("me", "renewed")
    token_file.unlink()
    sink.reopen()
    assert sink.send(messages(1)).problem == "blocked"
    sink.close()
    with pytest.raises(UsageError, match="only over TLS"):
        open_sink(from_url(f"nats://h/alerts?token_file={token_file}"))
    with pytest.raises(UsageError, match="`user` needs a credential"):
        open_sink(from_url("nats+tls://h/alerts?user=me"))


def test_a_subject_is_needed() -> None:
    """One, without wildcards."""
    for url in ("nats://h", "nats://h/a/b", "nats://h/a.*"):
        with pytest.raises(UsageError, match="names no subject"):
            open_sink(from_url(url))
    assert isinstance(open_sink(from_url("nats://h/a")), NatsSink)
