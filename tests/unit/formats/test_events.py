"""The table of event kinds."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, get_args

import pytest
from google.protobuf.json_format import MessageToDict
from msgspec.structs import replace
from receiving import Web
from sample_alerts import full, kept_back

import jwtleak.store
from jwtleak.alerts.alert import EventKind
from jwtleak.formats import interface
from jwtleak.formats.events import EVENT_KINDS, EventNames, names_of
from jwtleak.runtime.delivery.route import parse
from jwtleak.sinks import otlprecord
from jwtleak.sinks.interface import Message
from jwtleak.sinks.settings import from_url
from jwtleak.sinks.webhook import open_sink

# A kind that the product does not have.
MADE_UP = EventNames(
    ecs_kind="metric",
    ecs_action="made-up-ecs",
    ocsf_activity=3,
    ocsf_activity_name="Made up in OCSF",
    ocsf_is_alert=True,
    cef_action="made-up-cef",
    webhook_type="jwtleak.made_up",
    otlp_name="jwtleak.made_up_otlp",
    tagged=True,
    rule_name="The made-up rule",
)


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An alert of a kind that exists only because its row does."""
    monkeypatch.setitem(EVENT_KINDS, "made_up", MADE_UP)  # type: ignore[misc]
    return replace(full(), event="made_up")


def test_the_schema_and_the_store_know_the_same_kinds() -> None:
    """A row without a name in the schema, or without a migration, would fail only when it is
    used.
    """
    assert tuple(EVENT_KINDS) == get_args(EventKind)
    schema = (Path(jwtleak.store.__file__).parent / "schema.sql").read_text("utf-8")
    listed = ", ".join(f"'{kind}'" for kind in EVENT_KINDS)
    assert f"CHECK (event IN ({listed}))" in schema


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("json", [b'"event":"made_up"']),
        ("ecs", [b'"metric"', b'"made-up-ecs"', b'["jwtleak","made_up"]', b'"The made-up rule"']),
        ("ocsf", [b'"activity_id":3', b'"Made up in OCSF"', b'"is_alert":true', b":200403"]),
        ("cef", [b"act=made-up-cef", b"|jwtleak.made_up|"]),
        ("leef", [b"eventKind=made_up", b"|jwtleak.made_up|"]),
        ("gelf", [b'"_jwtleak_event":"made_up"', b'"The made-up rule"']),
    ],
)
def test_a_row_is_enough_for_every_event_format(
    made_up: Any, name: str, parts: list[bytes]
) -> None:
    """No format has a list of kinds of its own."""
    data = interface.by_name(name).encode(made_up)
    assert [part for part in parts if part not in data] == []


@pytest.mark.parametrize("name", interface.DOCUMENTS)
def test_a_row_is_enough_for_every_document(made_up: Any, name: str) -> None:
    """They name the rule of the event, or the event itself."""
    data = interface.by_name(name).encode(made_up)
    assert b"jwtleak.made_up" in data or b",made_up," in data


def test_a_row_is_enough_for_otlp_and_routes(made_up: Any) -> None:
    """OTLP's event name, and a route's condition."""
    assert MessageToDict(otlprecord.record(made_up))["eventName"] == "jwtleak.made_up_otlp"
    assert parse('event == "made_up"').wants(made_up)


def test_a_row_is_enough_for_the_webhook(made_up: Any, tmp_path: Path) -> None:
    """Its type."""
    secret = tmp_path / "secret"
    secret.write_text("whsec_" + base64.b64encode(b"k" * 32).decode())
    with Web() as web:
        sink = open_sink(from_url(f"webhook+http://{web.address}/?token_file={secret}"))
        sink.send([Message(made_up, 0, b"{}")])
        sink.close()
    assert json.loads(web.requests[0].raw)["type"] == "jwtleak.made_up"


def test_a_suppressed_leak_is_no_alert() -> None:
    """Its action differs, its event does not."""
    assert kept_back().event == "leak"
    assert names_of("suppressed").ecs_kind == "event"
    assert not names_of("suppressed").ocsf_is_alert
    assert names_of("suppressed").webhook_type == names_of("leak").webhook_type
