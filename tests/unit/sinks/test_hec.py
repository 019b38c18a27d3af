"""Splunk's HTTP Event Collector, against a stub with its code table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from receiving import Answer, Web
from sending import alert, message, messages

from jwtleak.errors import UsageError
from jwtleak.sinks.hec import ACK_PATH, PATH, HecSink, open_sink
from jwtleak.sinks.interface import Report
from jwtleak.sinks.settings import from_url

OK = Answer(200, b'{"text":"Success","code":0}')


def sink(web: Web, token_file: Path, more: str = "", **inject: Any) -> HecSink:
    """A sink of that collector."""
    return HecSink(from_url(f"hec+http://{web.address}?token_file={token_file}{more}"), **inject)


def send(web: Web, token_file: Path, count: int = 3, more: str = "", **inject: Any) -> Report:
    """Send a batch through a sink of its own."""
    made = sink(web, token_file, more, **inject)
    try:
        return made.send(messages(count))
    finally:
        made.close()


def events(body: bytes) -> list[dict[str, Any]]:
    """Objects that stand one behind the other."""
    decoder, text, found = json.JSONDecoder(), body.decode(), []
    while text:
        one, end = decoder.raw_decode(text)
        found.append(one)
        text = text[end:].lstrip()
    return found


def test_a_batch_is_objects_in_a_row(token_file: Path) -> None:
    """Not a list; compressed; the token in a header; the document as it is below `event`."""
    with Web(OK) as web:
        assert [one.kind for one in send(web, token_file, 2, "&index=security").outcomes] == [
            "accepted",
            "accepted",
        ]
    request = web.requests[0]
    assert (request.path, request.headers["content-encoding"]) == (PATH, "gzip")
    assert request.headers["authorization"].startswith("Splunk s3cr3t")
    first, second = events(request.body)
    assert first["event"] == json.loads(message(0).body)
    assert second["event"]["id"] == alert(1).id
    assert (first["time"], first["index"], first["sourcetype"]) == (
        1768478401.123,
        "security",
        "jwtleak:alert",
    )
    assert (first["host"], first["source"]) == ("web-01", "/var/log/a.log")


def test_indexed_fields_are_flat_texts(token_file: Path) -> None:
    """Nested ones are refused by Splunk (code 15); the names are those of the Common Information
    Model.
    """
    with Web(OK) as web:
        send(web, token_file, 1, "&compress=false&timestamp=event")
    event = events(web.requests[0].raw)[0]
    assert event["time"] == 1768478400.456
    assert all(isinstance(value, str) for value in event["fields"].values())
    assert event["fields"]["severity"] == "high"
    assert event["fields"]["id"] == alert(0).id


@pytest.mark.parametrize(
    ("status", "code", "problem"),
    [
        (403, 1, "blocked"),
        (401, 2, "blocked"),
        (401, 3, "blocked"),
        (403, 4, "blocked"),
        (400, 5, "poison"),
        (400, 6, "poison"),
        (400, 7, "poison"),
        (500, 8, "busy"),
        (503, 9, "busy"),
        (400, 10, "blocked"),
        (400, 11, "blocked"),
        (400, 12, "poison"),
        (400, 13, "poison"),
        (400, 14, "blocked"),
        (400, 15, "poison"),
        (400, 16, "blocked"),
        (503, 18, "busy"),
        (503, 19, "busy"),
        (503, 20, "busy"),
        (413, None, "too_large"),
        (404, None, "blocked"),
        (502, None, "busy"),
        (429, None, "busy"),
    ],
)
def test_every_code_has_its_answer(
    status: int, code: int | None, problem: str, token_file: Path
) -> None:
    """Splunk's table: credentials and settings block, full queues wait, bad data is looked for."""
    body = b"" if code is None else json.dumps({"text": "words", "code": code}).encode()
    with Web(Answer(status, body)) as web:
        report = send(web, token_file)
    assert (report.problem, report.status) == (problem, status)
    assert [one.kind for one in report.outcomes] == ["again"] * 3


def test_the_bad_event_is_named(token_file: Path) -> None:
    """`invalid-event-number` spares the search: that one is put aside, the others are sent again at
    once.
    """
    with Web(
        Answer(400, b'{"text":"Invalid data format","code":6,"invalid-event-number":1}')
    ) as web:
        report = send(web, token_file)
    assert [one.kind for one in report.outcomes] == ["again", "refused", "again"]
    assert report.problem is None
    assert report.outcomes[1].status == 400


@pytest.mark.parametrize("body", [b"", b"<html>login</html>", b"[]", b'{"code":9}'])
def test_a_200_of_something_else_is_no_success(body: bytes, token_file: Path) -> None:
    """A portal or proxy that answers everything with a page has accepted nothing."""
    with Web(Answer(200, body)) as web:
        assert send(web, token_file).problem == "blocked"


def test_acknowledgements(token_file: Path) -> None:
    """With `ack` a batch counts when the indexer says so, on the same channel."""
    script = [
        Answer(200, b'{"code":0,"ackId":7}'),
        Answer(200, b'{"acks":{"7":false}}'),
        Answer(200, b'{"acks":{"7":true}}'),
    ]
    waits: list[float] = []
    with Web(*script) as web:
        report = send(web, token_file, 2, "&ack=true", wait=waits.append)
    assert [one.kind for one in report.outcomes] == ["accepted", "accepted"]
    assert [one.path for one in web.requests] == [PATH, ACK_PATH, ACK_PATH]
    assert len({one.headers["x-splunk-request-channel"] for one in web.requests}) == 1
    assert json.loads(web.requests[1].body) == {"acks": [7]}
    assert waits == [1.0]


def test_an_acknowledgement_that_does_not_come(token_file: Path) -> None:
    """After half a minute the batch is sent again; without an id the setting is wrong."""
    now = [0.0]
    with Web(
        Answer(200, b'{"code":0,"ackId":7}'),
        otherwise=lambda _: Answer(200, b'{"acks":{"7":false}}'),
    ) as web:
        report = send(
            web,
            token_file,
            2,
            "&ack=true",
            wait=lambda seconds: now.append(now[-1] + seconds),
            clock=lambda: now[-1],
        )
        assert (report.problem, report.reason) == (
            "busy",
            "the indexer did not acknowledge in time",
        )
        assert len(web.requests) == 32
        web.script = [Answer(200, b'{"code":0,"ackId":7}'), Answer(503)]
        assert send(web, token_file, 2, "&ack=true").problem == "busy"
        web.script = [OK]
        assert send(web, token_file, 2, "&ack=true").problem == "blocked"


def test_it_needs_a_token() -> None:
    """Named, not written out."""
    with pytest.raises(UsageError, match="needs the token of the collector"):
        open_sink(from_url("hec+https://h:8088"))


def test_reopen_reads_the_token_again(token_file: Path) -> None:
    """A renewed token is used from the next batch on."""
    with Web(otherwise=lambda _: OK) as web:
        made = open_sink(from_url(f"hec+http://{web.address}?token_file={token_file}"))
        made.send(messages(1))
        token_file.write_text("renewed")
        made.idle()
        made.reopen()
        made.send(messages(1))
        made.close()
    assert web.requests[1].headers["authorization"] == "Splunk renewed"
