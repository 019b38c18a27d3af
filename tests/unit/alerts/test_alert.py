"""The alert's JSON: the schema describes it, and a missing fact is a missing member."""

from __future__ import annotations

import json
from collections.abc import Callable

import jsonschema
import msgspec
import pytest
from minting import CLAIMS, NOW, jws, kinds
from msgspec import UNSET

from jwtleak.alerts.alert import SCHEMA, Alert, json_schema, to_json
from jwtleak.alerts.builder import AlertContext, Builder
from jwtleak.secret import Secret
from jwtleak.types import Channel, Finding, PatternHit, StreamInfo

Make = Callable[..., Alert]
CHECK = jsonschema.Draft202012Validator(json_schema())
TOKENS = {
    **kinds(),
    "expired": jws({**CLAIMS, "exp": NOW - 9999}),
    "bad exp": jws({"exp": "x"}),
    "numeric string": jws({"exp": str(NOW)}),
    "hostile": jws(
        {"iss": "\x1b]0;\x07" + "\u202e" * 400, "aud": ["a" * 999] * 99, "sub": "\x00"},
        kid="k" * 10_000,
    ),
    "cut": jws()[:-5],
    "far": jws({"exp": 253_402_300_799, "iat": 0, "nbf": 0.5}),
    "odd header": jws(head='{"alg":"HS256","kid":5,"typ":["x"],"enc":1}'),
}


@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize("logged", [None, 0, NOW * 1000 + 123])
def test_alerts_keep_to_the_schema(make: Make, name: str, logged: int | None) -> None:
    """Every alert is one line of JSON that the published schema accepts, and reads back as
    itself.
    """
    alert = make(TOKENS[name], logged_at=logged, encodings=("percent", "json"))
    data = to_json(alert)
    assert b"\n" not in data
    value = json.loads(data)
    assert [error.message for error in CHECK.iter_errors(value)] == []
    assert value["schema"] == SCHEMA
    assert msgspec.json.decode(data, type=Alert) == alert


def test_a_pattern_hit_keeps_to_the_schema() -> None:
    """So is a user pattern's hit."""
    hit = PatternHit("acme.key", "Acme key", "info", "low", (), Secret(b"x" * 9))
    finding = Finding(
        token=hit,
        sha256="a" * 64,
        offset=0,
        length=9,
        line=1,
        column=1,
        channel=Channel("unknown"),
        encodings=(),
        logged_at=None,
        excerpt="",
    )
    value = json.loads(
        to_json(
            Builder(StreamInfo("stdin"), AlertContext(NOW, None, b"k")).build(finding, "1" * 40)
        )
    )
    assert [error.message for error in CHECK.iter_errors(value)] == []
    assert value["pattern"] == "acme.key"


def test_absent_means_unknown(make: Make) -> None:
    """What is not known is not a member; no member is null."""

    def nulls(value: object) -> bool:
        if isinstance(value, dict):
            return any(map(nulls, value.values()))
        return any(map(nulls, value)) if isinstance(value, list) else value is None

    value = json.loads(to_json(make(jws({}), path=None, channel=Channel("unknown"))))
    assert not nulls(value)
    for name in (
        "kid",
        "enc",
        "expires_at",
        "issued_at",
        "issuer",
        "audience",
        "subject_hash",
        "scopes",
        "provider",
        "use",
    ):
        assert name not in value["token"]
    assert "path" not in value["location"]
    assert "name" not in value["channel"]
    assert "logged_at" not in value


def test_members_of_the_contract(make: Make) -> None:
    """The members that scripts rely on are always there."""
    value = json.loads(to_json(make(jws())))
    assert {
        "schema",
        "id",
        "event",
        "detected_at",
        "severity",
        "confidence",
        "title",
        "token",
        "location",
        "channel",
        "excerpt",
        "sightings",
        "advice",
        "references",
    } <= set(value)
    assert set(value["sightings"]) == {"count", "first_offset", "last_offset"}
    assert {"source", "path", "offset", "length", "line", "column", "host"} == set(
        value["location"]
    )


@pytest.mark.parametrize(
    ("where", "wrong"),
    [
        (("id",), "x"),
        (("severity",), "fatal"),
        (("detected_at",), "2026-01-15 12:00:00"),
        (("token", "sha256"), "00"),
        (("location", "line"), 0),
        (("sightings", "count"), 0),
        (("excerpt",), "x" * 257),
        (("schema",), "jwtleak/2"),
    ],
)
def test_the_schema_refuses(make: Make, where: tuple[str, ...], wrong: object) -> None:
    """The schema is no formality: a value out of its domain is refused."""
    value = json.loads(to_json(make(jws())))
    inner = value
    for name in where[:-1]:
        inner = inner[name]
    inner[where[-1]] = wrong
    assert not CHECK.is_valid(value)


def test_alerts_are_frozen(make: Make) -> None:
    """An alert does not change once it is made."""
    alert = make(jws())
    with pytest.raises(AttributeError):
        alert.severity = "low"  # type: ignore[misc]
    assert alert.pattern is UNSET
