"""Webhooks: signatures by the official verifier, outcomes one by one."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from receiving import Answer, Request, Web
from sending import alert, message, messages

from jwtleak.errors import UsageError
from jwtleak.sinks.interface import Message, Report
from jwtleak.sinks.settings import SinkSettings, from_url
from jwtleak.sinks.webhook import WebhookSink, open_sink

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    """A file with a signing secret."""
    path = tmp_path / "secret"
    path.write_text(SECRET)
    return path


def send(web: Web, secret: Path, batch: list[Message]) -> Report:
    """Send a batch through a sink of its own."""
    made = open_sink(from_url(f"webhook+http://{web.address}/hook?token_file={secret}"))
    try:
        return made.send(batch)
    finally:
        made.close()


def verified(request: Request, change: bytes = b"") -> dict[str, object]:
    """What the official library makes of the request."""
    standardwebhooks = pytest.importorskip("standardwebhooks", reason="comes with the test extra")
    found = standardwebhooks.Webhook(SECRET).verify(request.raw + change, request.headers)
    assert isinstance(found, dict)
    return found


def test_the_official_verifier_accepts_it(secret_file: Path) -> None:
    """One request for each alert, with the alert's id; the native alert below `data`."""
    with Web() as web:
        assert [one.kind for one in send(web, secret_file, messages(2)).outcomes] == [
            "accepted",
            "accepted",
        ]
    assert [one.path for one in web.requests] == ["/hook", "/hook"]
    body = verified(web.requests[1])
    assert web.requests[1].headers["webhook-id"] == alert(1).id
    assert body == {
        "type": "jwtleak.alert.created",
        "timestamp": alert(1).detected_at,
        "data": json.loads(message(1).body),
    }


def test_the_official_verifier_notices_a_change(secret_file: Path) -> None:
    """The signature is over the exact bytes."""
    with Web() as web:
        send(web, secret_file, messages(1))
    with pytest.raises(Exception, match="No matching signature"):
        verified(web.requests[0], b" ")


def test_an_attempt_has_its_own_time_and_the_same_id(secret_file: Path) -> None:
    """A receiver refuses old requests: the time is renewed, the id is not."""
    times = iter([1000.0, 2000.0])
    with Web(Answer(503), Answer(200)) as web:
        made = WebhookSink(
            from_url(f"webhook+http://{web.address}?token_file={secret_file}"),
            clock=lambda: next(times),
        )
        made.send(messages(1))
        made.send(messages(1))
        made.close()
    first, second = web.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert (first.headers["webhook-timestamp"], second.headers["webhook-timestamp"]) == (
        "1000",
        "2000",
    )
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


def test_events_have_their_types(secret_file: Path) -> None:
    """A test and a heartbeat are not mistaken for a leak."""
    batch = [message(0, event=event) for event in ("leak", "repeat", "heartbeat", "test")]
    with Web() as web:
        send(web, secret_file, batch)
    assert [json.loads(one.raw)["type"] for one in web.requests] == [
        "jwtleak.alert.created", "jwtleak.alert.repeated", "jwtleak.heartbeat", "jwtleak.test",
    ]  # fmt: skip


def test_outcomes_are_one_by_one(secret_file: Path) -> None:
    """A refused alert is put aside; the first that must wait ends the batch, and nothing behind it
    is sent.
    """
    with Web(Answer(200), Answer(422), Answer(503, headers={"retry-after": "9"})) as web:
        report = send(web, secret_file, messages(4))
        assert len(web.requests) == 3
    assert [one.kind for one in report.outcomes] == ["accepted", "refused", "again", "again"]
    assert (report.problem, report.retry_after) == ("busy", 9)


@pytest.mark.parametrize(
    ("status", "problem"),
    [(302, "blocked"), (410, "blocked"), (401, "blocked"), (429, "busy"), (504, "busy")],
)
def test_success_is_2xx_alone(status: int, problem: str, secret_file: Path) -> None:
    """A redirect is a failure; 410 says that nobody listens any more."""
    with Web(Answer(status)) as web:
        assert send(web, secret_file, messages(1)).problem == problem


@pytest.mark.parametrize(
    "secret", ["plain", "whsec_???", "whsec_" + base64.b64encode(b"short").decode()]
)
def test_a_secret_has_its_form(secret: str, tmp_path: Path) -> None:
    """At start; the error does not repeat it."""
    path = tmp_path / "secret"
    path.write_text(secret)
    with pytest.raises(UsageError, match="the signing secret must be whsec_") as caught:
        open_sink(from_url(f"webhook+https://h?token_file={path}"))
    assert secret not in str(caught.value)


def test_a_signature_needs_a_secret() -> None:
    """There are no unsigned webhooks."""
    with pytest.raises(UsageError, match="needs the signing secret"):
        open_sink(from_url("webhook+https://h/x"))


def test_a_chat_gets_critical_alerts_only(tmp_path: Path) -> None:
    """No signature, no credential beside the URL."""
    with Web() as web:
        made = open_sink(from_url(f"webhook+http://{web.address}/services/x?template=slack"))
        made.send(messages(1))
        made.idle()
        made.close()
    assert made.only == 'severity == "critical" or event == "test"'
    assert "webhook-signature" not in web.requests[0].headers
    assert "jwtleak" in json.loads(web.requests[0].raw)["text"]
    with pytest.raises(UsageError, match="a chat takes no credential"):
        open_sink(from_url("webhook+https://h?template=teams&token_file=/x"))


def test_a_url_that_is_a_secret_is_kept_elsewhere(tmp_path: Path) -> None:
    """With its query; read again when it may have changed; never in an error."""
    with Web() as web:
        path = tmp_path / "url"
        path.write_text(f"http://{web.address}/workflows/1?sig=s3cr3t")
        made = open_sink(SinkSettings(url_file=str(path), template="teams"))
        made.send(messages(1))
        path.write_text(f"http://{web.address}/workflows/2?sig=s3cr3t")
        made.reopen()
        made.send(messages(1))
        made.close()
    assert [one.path for one in web.requests] == [
        "/workflows/1?sig=s3cr3t",
        "/workflows/2?sig=s3cr3t",
    ]


@pytest.mark.parametrize("url", ["http://chat.test/s3cr3t", "s3cr3t", "ftp://h/s3cr3t"])
def test_a_kept_url_must_be_https(url: str, tmp_path: Path) -> None:
    """A secret path does not cross a network in the clear."""
    path = tmp_path / "url"
    path.write_text(url)
    with pytest.raises(UsageError, match="must hold a URL that begins with https") as caught:
        open_sink(SinkSettings(url_file=str(path), template="slack"))
    assert "s3cr3t" not in str(caught.value)
