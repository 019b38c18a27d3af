"""CEF against a strict reader, and against cefevent's dictionary."""

from __future__ import annotations

import json
import re

import pytest
from cefevent import CEFEvent
from cefevent.extensions import extension_dictionary as dictionary
from grammars import cef
from hypothesis import given, settings
from msgspec.structs import replace
from sample_alerts import EVENTS, alerts, filled_with, full, hostile, kept_back, least, pattern_hit

from jwtleak.formats.cef import KEYS, make
from jwtleak.formats.interface import DEFAULT, FormatOptions


def written(alert, **options):
    """The event as text."""
    return make(FormatOptions(**options)).encode(alert).decode()


def samples():
    """Alerts of all sorts."""
    yield from (full(event=event) for event in EVENTS)
    yield from (least(), pattern_hit(), kept_back())
    yield from (alert for _, alert in hostile())


def test_the_keys_that_receivers_map():
    """Header and extension hold what ArcSight and Sentinel have columns for."""
    head, found = cef(written(full(references=())))
    assert head[4:] == ["jwt.url_query", full().title, "8"]
    assert (found["rt"], found["start"], found["end"]) == (
        "1768478552004",
        "1768478460005",
        "1768478519006",
    )
    assert (found["externalId"], found["cs1"]) == (full().id, f"sha256:{full().token.sha256}")
    assert (found["cs2"], found["cs3"], found["cs4"]) == (
        "url_query",
        "https://idp.example.com/",
        "api://orders api://stock",
    )
    assert (found["fname"], found["cnt"], found["act"], found["cn3"]) == (
        "access.log",
        "17",
        "detected",
        "3599",
    )
    assert json.loads(found["cs5"])["jwt"]["kid"] == "prod-2025-11"
    assert cef(written(full(), timestamp="event"))[1]["rt"] == "1768478551123"


def test_every_alert_can_be_read_back():
    """Whatever the texts: seven header fields, no forged key, every custom field with its label."""
    allowed = {one.key for one in KEYS} | {"cs5"}
    for alert in samples():
        head, found = cef(written(alert))
        assert head[5] == alert.title
        custom = {
            key
            for key in found
            if re.match(r"(cs|cn)\d|flex|deviceCustom", key) and not key.endswith("Label")
        }
        assert {f"{key}Label" for key in custom} == {key for key in found if key.endswith("Label")}
        assert {key for key in found if not key.endswith("Label")} <= allowed


def test_hostile_values_come_back_whole():
    """What is escaped is the same when it is read."""
    text = 'a=b|c\\d "e" externalId=0'
    found = cef(written(filled_with(text)))[1]
    assert (found["cs3"], found["filePath"], found["externalId"]) == (text, text, full().id)
    assert json.loads(found["cs5"])["jwt"]["kid"] == text


@given(alerts())
@settings(max_examples=100, deadline=None)
def test_any_alert_is_of_the_grammar(alert):
    """Whatever the alert, the strict reader takes it and finds its id."""
    assert cef(written(alert))[1]["externalId"] == alert.id


def rebuilt(text):
    """What cefevent makes of what the strict reader finds; raises ValueError for what its
    dictionary refuses.
    """
    head, found = cef(text)
    event = CEFEvent(strict=True)
    for name, value in zip(
        ("deviceVendor", "deviceProduct", "deviceVersion", "signatureId", "name", "severity"),
        head[1:],
        strict=True,
    ):
        event.set_prefix(name, value)
    for key, value in found.items():
        if key not in dictionary:
            raise ValueError(key)
        number = {"Long", "Integer"} & set(dictionary[key]["data_type"])
        event.set_field(dictionary[key]["full_name"], int(value) if number else value)
    return event.build_cef()


def test_cefevent_rebuilds_the_same_line():
    """Every key is in the dictionary, every value within its type and length, and the line comes
    back byte for byte.
    """
    for alert in samples():
        text = written(alert)
        assert rebuilt(text) == text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("externalId=", "externalId=0"),
        ("cnt=17", "cnt=x"),
        ("act=detected", "act=" + "x" * 64),
        ("reason=", "outcome="),
        ("|8|", "|11|"),
    ],
)
def test_cefevent_finds_mutations(old, new):
    """A value too long, of the wrong type or under an unknown key is refused."""
    text = written(full())
    assert old in text
    with pytest.raises(ValueError):  # noqa: PT011  # cefevent raises nothing narrower
        rebuilt(text.replace(old, new, 1))


def test_what_is_kept_back_is_not_detected():
    """A leak that a policy keeps back has an action of its own, and its reason in the details."""
    found = cef(written(kept_back()))[1]
    assert (found["act"], json.loads(found["cs5"])["suppressed"]) == (
        "suppressed",
        "public by design",
    )


def test_bounds_of_the_dictionary():
    """A long host is cut, a huge count capped, and the details keep to 4,000 characters and say
    what is missing.
    """
    alert = filled_with("\\=" * 128)
    alert = replace(
        alert,
        sightings=replace(alert.sightings, count=2**40),
        token=replace(alert.token, scopes=("s" * 256,) * 16),
    )
    _, found = cef(written(alert))
    assert (len(found["dvchost"]), found["cnt"]) == (100, str(2**31 - 1))
    assert len(found["cs5"]) <= 4000
    assert json.loads(found["cs5"])["truncated"] is True
    assert make(DEFAULT).encode(alert).count(b"cs5=") == 1
