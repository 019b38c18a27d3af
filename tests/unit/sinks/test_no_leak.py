"""No token comes out of a sink: not on the wire, in a reason, a dead letter, a message, nor one
that is a credential.
"""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from forbidden import Checker, corpus
from minting import NOW, jws
from receiving import Answer, Bulk, Bytes, Request, Web
from sending import ManualClock

import jwtleak
from jwtleak.alerts.alert import Alert, to_json
from jwtleak.errors import UsageError
from jwtleak.runtime.delivery.messages import encoder, rules_of
from jwtleak.runtime.delivery.sender import Sender
from jwtleak.sinks.interface import Message, open_sink
from jwtleak.sinks.settings import SinkSettings, from_url
from jwtleak.store import Commit, OutboxEntry, Store

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


@lru_cache(maxsize=1)
def checked() -> tuple[Checker, list[Alert]]:
    """What must not come out, and alerts about a part of it."""
    checker = Checker()
    cases = list(corpus(checker))
    found = [one for _, data in cases[::25] for one in jwtleak.scan(data)]
    return checker, [
        jwtleak.alert(one, now=NOW, key=b"k" * 32, name=f"{number:040x}")
        for number, one in enumerate(found)
    ]


def send(settings: SinkSettings, alerts: list[Alert]) -> None:
    """All alerts through the sink, formatted as they would be."""
    sink = open_sink(settings)
    encode = encoder(settings, sink)
    try:
        for at in range(0, len(alerts), 50):
            sink.send([Message(one, 0, encode(one)) for one in alerts[at : at + 50]])
    finally:
        sink.close()


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("hec+http://{}?token_env=SECRET", lambda _: Answer(200, b'{"code":0}')),
        ("elastic+http://{}", Bulk()),
        ("otlp+http://{}", lambda _: Answer()),
        ("webhook+http://{}?token_env=SECRET", lambda _: Answer()),
        ("webhook+http://{}?template=slack", lambda _: Answer()),
        ("webhook+http://{}?template=teams", lambda _: Answer()),
    ],
)
def test_no_token_crosses_the_wire(
    url: str, answer: Callable[[Request], Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alerts about every kind of token, in every sink over HTTP."""
    monkeypatch.setenv("SECRET", SECRET)
    checker, alerts = checked()
    with Web(otherwise=answer) as web:
        send(from_url(url.format(web.address)), alerts)
    assert web.requests
    for request in web.requests:
        checker.check(request.body + json.dumps(request.headers).encode())


@pytest.mark.parametrize(
    "url",
    ["syslog+tcp://127.0.0.1:{}", "syslog+tcp://127.0.0.1:{}?rfc=3164", "gelf+tcp://127.0.0.1:{}"],
)
def test_no_token_is_in_a_stream(url: str) -> None:
    """The same over TCP."""
    checker, alerts = checked()
    with Bytes() as server:
        send(from_url(url.format(server.port)), alerts)
    assert server.received
    for data in server.received:
        checker.check(bytes(data))


def elastic_error(text: str) -> bytes:
    """A `_bulk` answer whose reason quotes the document."""
    return json.dumps(
        {
            "errors": True,
            "items": [{"create": {"status": 400, "error": {"type": text, "reason": text}}}],
        }
    ).encode()


def s3_error(text: str) -> bytes:
    """An error of S3."""
    return f"<Error><Code>{text}</Code><Message>{text}</Message></Error>".encode()


@pytest.mark.parametrize(
    ("url", "body"),
    [
        (
            "hec+http://{}?token_env=SECRET",
            lambda text: json.dumps({"text": text, "code": 6}).encode(),
        ),
        ("elastic+http://{}", elastic_error),
        ("otlp+http://{}", str.encode),
        ("webhook+http://{}?token_env=SECRET", str.encode),
        ("s3://bucket?endpoint=http://{}&region=x&linger=0", s3_error),
    ],
)
def test_a_servers_echo_is_kept_out(
    url: str, body: Callable[[str], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that quotes tokens and our credential: none is in the figures, the messages or the
    dead letters.
    """
    for name in ("SECRET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, SECRET)
    checker = Checker()
    token = checker.forbid(jws())
    text = f"cannot parse {token} and {token.split('.')[1]} of {SECRET}"
    status = 200 if url.startswith("elastic") else 400
    with Web(otherwise=lambda _: Answer(status, body(text))) as web:
        shown = refused(tmp_path, from_url(url.format(web.address)))
    checker.check(shown)
    assert SECRET.encode() not in shown


def refused(directory: Path, settings: SinkSettings) -> bytes:
    """What is shown and kept of an alert that the sink refuses."""
    _, alerts = checked()
    said: list[str] = []
    with Store.open(directory / "state") as store:
        store.register([settings.title])
        one = alerts[0]
        entry = OutboxEntry(
            id=one.id,
            fingerprint=one.token.sha256,
            severity="high",
            event="leak",
            body=to_json(one),
        )
        store.commit(Commit(alerts=[entry], at_ms=1))
        sink = open_sink(settings)
        worker = Sender(
            settings,
            sink,
            rules_of(settings, sink),
            lambda: store.queue(settings.title),
            said.append,
            ManualClock(),
        )
        try:
            worker.step()
            dead = list(store.dead_letters())
        finally:
            worker.close()
    assert len(dead) == 1
    files = b"".join(path.read_bytes() for path in (directory / "state").iterdir())
    return repr([said, worker.health, dead, sink, settings]).encode() + files


def test_a_credential_that_is_a_token_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in `repr`, in an error or in a traceback of a request that fails."""
    checker = Checker()
    monkeypatch.setenv("SECRET", checker.forbid(jws()))
    sink: Any = open_sink(from_url("otlp+http://127.0.0.1:1?token_env=SECRET"))
    report = sink.send([Message(checked()[1][0], 0, b"{}")])
    try:
        sink._http._post("POST", "/", b"", {})
    except Exception:
        shown = traceback.format_exc()
    sink.close()
    checker.check(repr([sink, vars(sink), vars(sink._http), report]).encode() + shown.encode())
    monkeypatch.setenv("SECRET", checker.forbid(jws()) + "\n" + jws())
    with pytest.raises(UsageError, match="holds no credential") as caught:
        open_sink(from_url("otlp+http://127.0.0.1:1?token_env=SECRET"))
    checker.check(str(caught.value).encode())
