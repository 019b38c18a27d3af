"""S3, against a stub that answers like it."""

from __future__ import annotations

import gzip

import pytest
from receiving import Answer, Web
from sending import messages

from jwtleak.errors import UsageError
from jwtleak.sinks.interface import Message, Report
from jwtleak.sinks.s3 import S3Sink, open_sink
from jwtleak.sinks.settings import from_url

pytest.importorskip("boto3", reason="boto3 is an extra")


def error(status: int, code: str) -> Answer:
    """An error of S3."""
    body = f"<Error><Code>{code}</Code><Message>words</Message></Error>".encode()
    return Answer(status, body, {"content-type": "application/xml"})


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/none")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/none")


def sink(web: Web, more: str = "") -> S3Sink:
    """A sink of that server."""
    return open_sink(
        from_url(f"s3://bucket/leaks?endpoint=http://{web.address}&region=eu-west-1{more}")
    )


def send(web: Web, batch: list[Message], more: str = "") -> Report:
    """Send a batch through a sink of its own."""
    made = sink(web, more)
    try:
        return made.send(batch)
    finally:
        made.close()


def test_a_batch_is_an_object() -> None:
    """JSON Lines, compressed, created only where it is not there yet, sorted by day."""
    with Web() as web:
        report = send(web, messages(3))
    assert [one.kind for one in report.outcomes] == ["accepted"] * 3
    request = web.requests[0]
    assert request.method == "PUT"
    assert request.path.startswith("/bucket/leaks/2026/01/15/")
    assert request.path.endswith(".jsonl.gz")
    assert request.headers["if-none-match"] == "*"
    body = request.raw
    if b"\x1f\x8b" in body:  # the library may send in chunks with their sizes
        body = body[body.index(b"\x1f\x8b") :]
    unpacked = gzip.GzipFile(fileobj=__import__("io").BytesIO(body)).read1(1 << 20)
    assert unpacked == b"".join(one.body + b"\n" for one in messages(3))


def test_the_name_depends_on_the_alerts_alone() -> None:
    """The same batch has the same name, another batch another."""
    with Web() as web:
        for batch in (messages(3), messages(3), messages(2)):
            send(web, batch, "&compress=false")
    names = [one.path for one in web.requests]
    assert names[0] == names[1] != names[2]
    assert names[0].endswith(".jsonl")


def test_what_is_there_already_was_taken() -> None:
    """412 answers a batch whose first answer was lost."""
    with Web(error(412, "PreconditionFailed")) as web:
        report = send(web, messages(2))
    assert [one.kind for one in report.outcomes] == ["accepted", "accepted"]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (error(403, "AccessDenied"), "blocked"),
        (error(404, "NoSuchBucket"), "blocked"),
        (error(400, "ExpiredToken"), "blocked"),
        (error(503, "SlowDown"), "busy"),
        (error(500, "InternalError"), "busy"),
        (error(409, "ConditionalRequestConflict"), "busy"),
        (error(400, "EntityTooLarge"), "poison"),
        (Answer(fault="lost"), "busy"),
    ],
)
def test_errors(answer: Answer, problem: str) -> None:
    """By S3's own codes, which say more than the status; one request each, since the library does
    not retry.
    """
    with Web(answer) as web:
        report = send(web, messages(2))
        assert len(web.requests) == 1
    assert report.problem == problem
    assert [one.kind for one in report.outcomes] == ["again", "again"]


def test_missing_credentials_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are looked for as AWS's tools do; none are there."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with Web() as web:
        report = send(web, messages(1))
    assert (report.problem, report.reason) == ("blocked", "no credentials were found")


def test_an_endpoint_is_https_or_this_machine() -> None:
    """Requests are signed, but alerts are readable."""
    with pytest.raises(UsageError, match="`endpoint` must begin with https://"):
        open_sink(from_url("s3://bucket?endpoint=http://10.0.0.1"))


def test_reopen_and_idle() -> None:
    """The next batch finds its credentials again."""
    with Web() as web:
        made = sink(web)
        made.send(messages(1))
        made.idle()
        made.reopen()
        assert made._client is None
        made.send(messages(1))
        made.close()
