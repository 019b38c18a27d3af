"""`_bulk`, against a stub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from receiving import Answer, Web
from sending import message, messages

from jwtleak.errors import UsageError
from jwtleak.sinks.elastic import open_sink
from jwtleak.sinks.interface import Report
from jwtleak.sinks.settings import from_url


def items(*statuses: int, reason: str = "why") -> Answer:
    """The answer of `_bulk` with these statuses."""
    found: list[dict[str, Any]] = []
    for status in statuses:
        error = {} if status < 300 else {"error": {"type": "some_exception", "reason": reason}}
        found.append({"create": {"status": status, **error}})
    return Answer(
        200,
        json.dumps({"errors": any(status > 299 for status in statuses), "items": found}).encode(),
    )


def send(web: Web, count: int = 3, more: str = "", path: str = "") -> Report:
    """Send a batch through a sink of its own."""
    made = open_sink(from_url(f"elastic+http://{web.address}{path}?{more}"))
    try:
        return made.send(messages(count))
    finally:
        made.close()


def test_a_batch_is_actions_and_documents() -> None:
    """`create` with the alert's id, into a data stream; a newline at the very end."""
    with Web(items(201, 201)) as web:
        assert [one.kind for one in send(web, 2).outcomes] == ["accepted", "accepted"]
    request = web.requests[0]
    assert request.path.startswith("/_bulk?filter_path=errors,")
    assert (request.headers["content-type"], request.headers["content-encoding"]) == (
        "application/x-ndjson",
        "gzip",
    )
    assert request.body.endswith(b"\n")
    lines = request.body.splitlines()
    assert json.loads(lines[2]) == {
        "create": {"_index": "logs-jwtleak.alert-default", "_id": message(1).id}
    }
    assert lines[1::2] == [message(0).body, message(1).body]


def test_its_settings() -> None:
    """Another index, a pipeline, a path before `_bulk`, no compression."""
    with Web(items(201)) as web:
        send(web, 1, "index=logs-jwtleak.alert-prod&pipeline=jwtleak&compress=false", "/es/")
    request = web.requests[0]
    assert request.path.startswith("/es/_bulk?")
    assert request.path.endswith("&pipeline=jwtleak")
    assert json.loads(request.raw.splitlines()[0])["create"]["_index"] == "logs-jwtleak.alert-prod"


@pytest.mark.parametrize(
    ("more", "header"),
    [
        ("", "ApiKey s3cr3t-0123456789-TOKEN"),
        ("&auth=bearer", "Bearer s3cr3t-0123456789-TOKEN"),
        ("&user=elastic", "Basic ZWxhc3RpYzpzM2NyM3QtMDEyMzQ1Njc4OS1UT0tFTg=="),
    ],
)
def test_credentials(more: str, header: str, token_file: Path) -> None:
    """An API key unless the settings say otherwise; a user means a password."""
    with Web(items(201)) as web:
        send(web, 1, f"token_file={token_file}{more}")
    assert web.requests[0].headers["authorization"] == header


def test_each_document_has_its_own_outcome() -> None:
    """Created and there-already are accepted, 429 and 5xx are sent again, the rest becomes dead
    letters with the words.
    """
    with Web(items(201, 409, 429, 503, 400, 404)) as web:
        report = send(web, 6)
    assert [one.kind for one in report.outcomes] == [
        "accepted",
        "accepted",
        "again",
        "again",
        "refused",
        "refused",
    ]
    assert (report.problem, report.status) == ("busy", 429)
    assert report.outcomes[4].reason == "some_exception: why"
    assert report.outcomes[4].status == 400


def test_a_refused_document_does_not_hold_up_the_batch() -> None:
    """Where none must wait there is no pause."""
    with Web(items(201, 400)) as web:
        assert send(web, 2).problem is None


def test_what_the_server_says_of_a_document_is_cut() -> None:
    """It may quote the document (`include_source_on_error`)."""
    with Web(items(400, reason="failed to parse: " + "x1Y2z3" * 1000)) as web:
        reason = send(web, 1).outcomes[0].reason
    assert len(reason) <= 512
    assert "x1Y2z3x1" not in reason


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(401), "blocked"),
        (Answer(403), "blocked"),
        (Answer(404), "blocked"),
        (Answer(413), "too_large"),
        (Answer(429), "busy"),
        (Answer(502), "busy"),
        (Answer(503), "busy"),
        (Answer(400), "poison"),
        (Answer(200, b""), "blocked"),
        (Answer(200, b"<html>"), "blocked"),
        (Answer(200, b'{"took":1}'), "blocked"),
        (items(201, 400), "blocked"),
    ],
)
def test_the_whole_batch_may_fail(answer: Answer, problem: str) -> None:
    """An answer that is not one of `_bulk`, or speaks of fewer documents, is no success."""
    with Web(answer) as web:
        report = send(web)
    assert report.problem == problem
    assert [one.kind for one in report.outcomes] == ["again"] * 3


def test_a_user_without_basic_is_a_mistake(token_file: Path) -> None:
    """And basic without a user."""
    for more in ("user=x&auth=bearer", "auth=basic"):
        with pytest.raises(UsageError, match="go together"):
            open_sink(from_url(f"elastic+https://h?token_file={token_file}&{more}"))


def test_reopen_and_idle() -> None:
    """The next batch makes a new connection."""
    with Web(otherwise=lambda _: items(201)) as web:
        made = open_sink(from_url(f"elastic+http://{web.address}"))
        made.send(messages(1))
        made.idle()
        made.reopen()
        made.send(messages(1))
        made.close()
        assert len(web._threads) == 2
