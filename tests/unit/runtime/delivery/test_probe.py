"""One alert through one sink."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from receiving import Answer, Web
from sending import ScriptedSink

from jwtleak.runtime.delivery.probe import probe
from jwtleak.sinks.settings import from_url


def test_a_sink_that_takes_it(tmp_path: Path) -> None:
    """The alert is formatted as the settings say, past any route."""
    path = tmp_path / "out"
    answer = probe(from_url(f"file:{path}?format=ecs&when=severity=='critical'"))
    assert (answer.accepted, answer.words, answer.hints) == (True, "written and synced", ())
    assert json.loads(path.read_bytes())["event"]["id"] == answer.id
    assert answer.guarantee.startswith("at least once")


@pytest.mark.parametrize(
    ("status", "more", "hint"),
    [
        (401, "", "wants a credential"),
        (403, "&token_env=PATH", "does not accept the credential"),
        (404, "", "the address is not that of the receiver"),
        (302, "", "the address is not that of the receiver"),
        (413, "", "set max_bytes"),
        (503, "", "this may pass"),
    ],
)
def test_a_hint_says_what_to_look_at(status: int, more: str, hint: str) -> None:
    """The receiver's own words, and what they usually mean."""
    with Web(Answer(status, b"words of the server")) as web:
        answer = probe(from_url(f"otlp+http://{web.address}?name=x{more}"))
    assert not answer.accepted
    assert answer.words == f"HTTP {status} words of the server"
    assert len(answer.hints) == 1
    assert hint in answer.hints[0]


def test_an_event_that_is_refused_has_its_reason() -> None:
    """Where the receiver accepts the request but not the event."""
    body = json.dumps(
        {
            "errors": True,
            "items": [{"create": {"status": 400, "error": {"type": "t", "reason": "r"}}}],
        }
    )
    with Web(Answer(200, body.encode())) as web:
        answer = probe(from_url(f"elastic+http://{web.address}"))
    assert (answer.accepted, answer.words) == (False, "t: r")


def test_nothing_listens() -> None:
    """The hint names the usual reason."""
    with Web() as web:
        port = web.port
    assert (
        probe(from_url(f"syslog+tcp://127.0.0.1:{port}"))
        .hints[0]
        .startswith("nothing listens there")
    )


@pytest.mark.parametrize("error", [ValueError("value"), OSError(5, "io")])
def test_a_sink_that_raises(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is reported like any other failure, without what the exception holds."""
    monkeypatch.setattr("jwtleak.runtime.delivery.probe.open_sink", lambda _: ScriptedSink(error))
    answer = probe(from_url("stdout"))
    assert not answer.accepted
    assert answer.words.startswith("internal error: ")
