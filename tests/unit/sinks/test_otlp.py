"""OpenTelemetry logs over HTTP, decoded with the official classes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from receiving import Answer, Web
from sending import alert, messages

from jwtleak.errors import UsageError
from jwtleak.sinks.interface import Report
from jwtleak.sinks.otlp import open_sink
from jwtleak.sinks.settings import from_url


def send(web: Web, count: int = 3, more: str = "", path: str = "") -> Report:
    """Send a batch through a sink of its own."""
    made = open_sink(from_url(f"otlp+http://{web.address}{path}?{more}"))
    try:
        return made.send(messages(count))
    finally:
        made.close()


def test_a_batch_is_one_export_request(token_file: Path) -> None:
    """Protobuf, compressed, at the path of the specification."""
    with Web() as web:
        assert [one.kind for one in send(web, 3, f"token_file={token_file}").outcomes] == [
            "accepted"
        ] * 3
    request = web.requests[0]
    assert (request.path, request.headers["content-type"]) == ("/v1/logs", "application/x-protobuf")
    assert request.headers["authorization"] == "Bearer s3cr3t-0123456789-TOKEN"
    decoded = ExportLogsServiceRequest.FromString(request.body)
    records = decoded.resource_logs[0].scope_logs[0].log_records
    assert [
        {pair.key: pair.value.string_value for pair in one.attributes}["log.record.uid"]
        for one in records
    ] == [alert(number).id for number in range(3)]


def test_its_settings() -> None:
    """A path of the receiver's, no compression."""
    with Web() as web:
        send(web, 1, "compress=false", "/insert/opentelemetry/v1/logs")
    assert web.requests[0].path == "/insert/opentelemetry/v1/logs"
    assert ExportLogsServiceRequest.FromString(web.requests[0].raw).resource_logs


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (400, "poison"),
        (401, "blocked"),
        (403, "blocked"),
        (404, "blocked"),
        (408, "poison"),
        (413, "too_large"),
        (429, "busy"),
        (500, "poison"),
        (502, "busy"),
        (503, "busy"),
        (504, "busy"),
        (301, "blocked"),
    ],
)
def test_only_what_the_specification_allows_is_sent_again(status: int, problem: str) -> None:
    """429, 502, 503 and 504; the rest is looked into or put right by somebody."""
    with Web(Answer(status)) as web:
        assert send(web).problem == problem


def test_a_partial_success_is_not_sent_again() -> None:
    """The receiver does not say which records it rejected: all are put aside, none is lost."""
    answer = ExportLogsServiceResponse()
    answer.partial_success.rejected_log_records = 2
    answer.partial_success.error_message = "too old"
    with Web(Answer(200, answer.SerializeToString())) as web:
        report = send(web)
    assert [one.kind for one in report.outcomes] == ["refused"] * 3
    assert report.outcomes[0].reason == "2 of 3 rejected: too old"


def test_a_200_of_something_else_is_no_success() -> None:
    """A page in place of an answer."""
    with Web(Answer(200, b"<html>login</html>")) as web:
        assert send(web).problem == "blocked"


def test_format_has_no_meaning() -> None:
    """OTLP is one itself."""
    with pytest.raises(UsageError, match="OTLP is a format itself"):
        open_sink(from_url("otlp+https://h?format=cef"))


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "jwtleak.sinks.otlprecord", None)
    import jwtleak.sinks

    monkeypatch.delattr(jwtleak.sinks, "otlprecord", raising=False)
    with pytest.raises(UsageError, match=r"needs the extra 'otlp' .*pip install 'jwtleak\[otlp\]'"):
        open_sink(from_url("otlp+https://h"))


def test_reopen_and_idle() -> None:
    """The next batch makes a new connection."""
    with Web() as web:
        made = open_sink(from_url(f"otlp+http://{web.address}"))
        made.send(messages(1))
        made.idle()
        made.reopen()
        made.send(messages(1))
        made.close()
        assert len(web._threads) == 2
