"""The HTTP client: every status, every way in which a connection can fail."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from receiving import Answer, Web

from jwtleak.errors import UsageError
from jwtleak.sinks.http import MAX_REPLY, HttpClient, HttpReply
from jwtleak.sinks.settings import SinkSettings

TOKEN = "s3cr3t-0123456789-TOKEN"


def bearer(token: str) -> dict[str, str]:
    """A header with the credential."""
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def web() -> Iterator[Web]:
    """A plain server that says 200."""
    with Web() as server:
        yield server


def client(server: Web, secure: bool = False, **settings: Any) -> HttpClient:
    """A client of `server`."""
    scheme = "hec+https" if secure else "hec+http"
    return HttpClient(SinkSettings(url=f"{scheme}://{server.address}", **settings), bearer)


def post(http: HttpClient, body: bytes = b"x") -> HttpReply:
    """One request; the connection is closed afterwards."""
    try:
        return http.post("/p", body, {"content-type": "text/plain"})
    finally:
        http.close()


def test_a_request_goes_out_as_it_is(web: Web, token_file: Path) -> None:
    """Method, path, body and headers; the credential in a header, nothing about the machine."""
    reply = post(client(web, token_file=str(token_file)), b"abc")
    assert (reply.status, reply.problem, reply.reason) == (200, None, "HTTP 200")
    request = web.requests[0]
    assert (request.method, request.path, request.body) == ("POST", "/p", b"abc")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["user-agent"].startswith("jwtleak/")
    assert request.headers["accept-encoding"] == "identity"


def test_one_connection_serves_many_requests(web: Web) -> None:
    """It is kept open between batches."""
    http = client(web)
    for _ in range(3):
        http.post("/p", b"x", {})
    http.close()
    assert len(web.requests) == 3
    assert len(web._threads) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(web: Web, status: int, token_file: Path) -> None:
    """The credential would go to wherever the server says."""
    with Web() as other:
        web.script = [Answer(status, headers={"location": f"http://{other.address}/p"})]
        reply = post(client(web, token_file=str(token_file)))
    assert (reply.problem, other.requests) == ("blocked", [])


def test_the_environment_has_no_say(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a proxy variable nor a netrc file is used."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert post(client(web)).problem is None


def test_a_proxy_is_used_where_it_is_configured(web: Web) -> None:
    """It gets the request with the whole URL."""
    http = HttpClient(SinkSettings(url="otlp+http://10.255.255.1", proxy=f"http://{web.address}"))
    assert post(http).problem is None
    assert web.requests[0].path == "http://10.255.255.1/p"


def test_what_a_server_says_is_cut_and_cleaned(web: Web, token_file: Path) -> None:
    """It may echo the request: neither the credential nor more than a line comes through."""
    web.script = [
        Answer(
            400,
            b"<b>no</b>\n"
            + TOKEN.encode()
            + b" Bearer "
            + TOKEN.encode()
            + b"\x1b[0m"
            + b"y " * 999,
        )
    ]
    reply = post(client(web, token_file=str(token_file)))
    assert reply.problem == "poison"
    assert reply.reason.startswith("HTTP 400 <b>no</b> *** ")
    assert TOKEN not in reply.reason
    assert "\x1b" not in reply.reason
    assert len(reply.reason) < 530


def test_a_long_reply_is_not_read_to_its_end(web: Web) -> None:
    """What is over the bound stays unread."""
    web.script = [Answer(200, b"z" * (MAX_REPLY * 4))]
    assert len(post(client(web)).body) == MAX_REPLY


@pytest.mark.parametrize(
    ("fault", "says"), [("hang", "no answer in time"), ("lost", ""), ("reset", "")]
)
def test_a_connection_that_fails_is_tried_later(web: Web, fault: str, says: str) -> None:
    """A server that hangs, goes away before it answers, or breaks off halfway."""
    web.script = [Answer(fault=fault)]
    http = client(web, timeout=0.2)
    reply = post(http, b"x" * 1000)
    assert (reply.problem, reply.status) == ("busy", None)
    assert says in reply.reason
    web.closing.set()


def test_a_server_that_is_not_there() -> None:
    """A refused connection and a name that does not exist are trouble, reported in a few words."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    reply = post(HttpClient(SinkSettings(url=f"otlp+http://127.0.0.1:{port}")))
    assert (reply.problem, reply.reason) == ("busy", "connection refused")
    assert (
        post(HttpClient(SinkSettings(url="otlp+http://does-not-exist.invalid"))).problem == "busy"
    )


def test_retry_after_is_passed_on(web: Web) -> None:
    """In seconds."""
    web.script = [Answer(429, headers={"retry-after": "17"})]
    assert post(client(web)).retry_after == 17


def test_a_refused_credential_is_read_again(web: Web, token_file: Path) -> None:
    """After 401 the next request carries what the file holds then."""
    web.script = [Answer(401), Answer(200)]
    http = client(web, token_file=str(token_file))
    assert http.post("/p", b"x", {}).problem == "blocked"
    token_file.write_text("renewed")
    assert post(http).problem is None
    assert web.requests[1].headers["authorization"] == "Bearer renewed"


def test_a_credential_that_goes_away_blocks(web: Web, token_file: Path) -> None:
    """The file is named, and nothing is sent without it."""
    http = client(web, token_file=str(token_file))
    http.reopen()
    token_file.unlink()
    reply = post(http)
    assert (reply.problem, web.requests) == ("blocked", [])
    assert reply.reason == f"{token_file}: cannot be read: no such file or directory"


def test_a_credential_is_needed_at_start(web: Web) -> None:
    """And it does not cross a network in the clear."""
    with pytest.raises(UsageError, match="NOT_SET_ANYWHERE: is not set"):
        client(web, token_env="NOT_SET_ANYWHERE")
    with pytest.raises(UsageError, match="only over TLS"):
        HttpClient(SinkSettings(url="hec+http://10.0.0.1", token_file="/x"))


def test_tls(authority: Authority) -> None:
    """The server's certificate is checked against the authority of the settings."""
    with Web(context=authority.server()) as server:
        assert post(client(server, secure=True, ca_file=str(authority.ca))).problem is None
        assert post(client(server, secure=True, verify=False)).problem is None


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("stranger", "unable to get local issuer"),
        ("expired", "certificate has expired"),
        ("host", "IP address mismatch"),
    ],
)
def test_a_servers_certificate_may_be_wrong(
    kind: str, says: str, authority: Authority, stranger: Authority
) -> None:
    """That blocks the sink, since nothing changes until somebody acts; no byte of the batch is
    sent.
    """
    context = {
        "stranger": lambda: stranger.server(),
        "expired": lambda: authority.server(expired=True),
        "host": lambda: authority.server(host="127.0.0.2"),
    }[kind]()
    with Web(context=context) as server:
        reply = post(client(server, secure=True, ca_file=str(authority.ca)))
        assert reply.problem == "blocked"
        assert "certificate refused" in reply.reason
        assert says in reply.reason
        assert server.requests == []


def test_the_name_in_the_certificate_may_be_another(authority: Authority) -> None:
    """`server_name` says which one is expected."""
    with Web(context=authority.server(host="siem.test")) as server:
        secured = {"secure": True, "ca_file": str(authority.ca)}
        assert post(client(server, **secured, server_name="siem.test")).problem is None
        assert post(client(server, **secured)).problem == "blocked"


def test_mutual_tls(authority: Authority) -> None:
    """A server that wants a certificate gets the one of the settings; without one the sink is
    blocked or reported.
    """
    certificate, key = authority.issue("client-http")
    with Web(context=authority.server(clients=True)) as server:
        secured = {"secure": True, "ca_file": str(authority.ca)}
        reply = post(client(server, **secured, cert_file=str(certificate), key_file=str(key)))
        assert reply.problem is None
        reply = post(client(server, **secured))
        assert reply.problem in ("blocked", "busy")
        assert len(server.requests) == 1


def test_renewed_certificates_are_used(
    authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    """They are read for each connection, so `reopen` is enough."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(stranger.ca.read_bytes())
    with Web(context=authority.server()) as server:
        http = client(server, secure=True, ca_file=str(ca))
        assert http.post("/p", b"x", {}).problem == "blocked"
        ca.write_bytes(authority.ca.read_bytes())
        http.reopen()
        assert post(http).problem is None
