"""Alerts as flat facts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from sample_alerts import EVENTS, fields, full, kept_back, least, pattern_hit

from jwtleak.formats.facts import DROP, drop, facts, fitted, own, rule
from jwtleak.formats.interface import DEFAULT, FormatOptions

DERIVED = {"time", "action", "started", "rule.id", "rule.name", "attack", "host_again"}


def test_every_set_field_is_a_fact():
    """Facts have the paths of the alert, and a few that are derived; what is not set is absent."""
    assert set(own(full())) == set(fields(full()))
    assert set(facts(full(), DEFAULT)) == set(fields(full())) | DERIVED
    assert set(facts(least(), DEFAULT)) == set(fields(least())) | DERIVED - {"host_again"}


@pytest.mark.parametrize(
    ("option", "alert", "time"),
    [
        ("detected", full(), full().detected_at),
        ("event", full(), full().logged_at),
        ("event", least(), least().detected_at),
        ("event", least(last_seen="2026-01-01T00:00:00.000Z"), "2026-01-01T00:00:00.000Z"),
    ],
)
def test_the_time_of_an_event(option, alert, time):
    """An event stands at the time of detection, or at that on its line, or at the last one that a
    repeat sums up.
    """
    assert facts(alert, FormatOptions(timestamp=option))["time"] == time


def test_what_began_when():
    """A finding began with the first sighting, else with the line, else with detection."""
    assert facts(full(), DEFAULT)["started"] == full().first_seen
    assert (
        facts(least(logged_at="2026-01-01T00:00:00.000Z"), DEFAULT)["started"]
        == "2026-01-01T00:00:00.000Z"
    )
    assert facts(least(), DEFAULT)["started"] == least().detected_at


def test_a_host_is_filled_in():
    """The host of the options stands in where the alert names none."""
    assert facts(least(), FormatOptions(host="log-1\n"))["location.host"] == "log-1\ufffd"
    assert facts(full(), FormatOptions(host="log-1"))["location.host"] == "web-01.example.com"


def test_rules():
    """A rule is a channel or a user pattern; heartbeats and tests have names of their own."""
    assert facts(full(), DEFAULT)["rule.id"] == "jwt.url_query"
    assert rule("cookie") == ("jwt.cookie", "JWT in a cookie")
    assert (
        facts(pattern_hit(), DEFAULT)["rule.id"],
        facts(pattern_hit(), DEFAULT)["rule.name"],
    ) == ("pattern.acme-key", "ACME key")
    for event in ("heartbeat", "test"):
        assert facts(full(event=event), DEFAULT)["rule.id"] == f"jwtleak.{event}"


def test_what_is_kept_back_is_no_alert():
    """The action of a leak that a policy keeps back is of its own."""
    assert facts(kept_back(), DEFAULT)["action"] == "suppressed"
    assert [facts(full(event=event), DEFAULT)["action"] for event in EVENTS] == list(EVENTS)


def test_a_heartbeat_tells_of_no_token():
    """What a heartbeat's alert holds for form's sake is no fact."""
    assert not [
        name
        for name in facts(full(event="heartbeat"), DEFAULT)
        if name.startswith(("token.", "channel.", "sightings."))
    ]


def test_dropping_follows_the_order():
    """Facts go in the order of DROP, no more than needed, and `truncated` tells."""
    found = facts(full(), DEFAULT)
    kept = fitted(found, 100, lambda left: b"x" * (98 + sum(name in left for name in DROP)))
    assert len(kept) <= 100
    left = [name for name in DROP if name in found]
    assert left == [one for one in DROP if not one.endswith(".")][-2:]
    assert found["truncated"] is True


def test_nothing_is_dropped_without_need():
    """What fits stays whole; an absent fact is not said to be missing."""
    found = facts(least(), DEFAULT)
    assert fitted(found, 10, lambda _: b"0123456789") == b"0123456789"
    assert "truncated" not in found
    assert drop(found, "advice") is False
    assert drop(found, "location.container.") is False
    assert "truncated" not in found


def test_what_identifies_is_never_dropped():
    """Ids, fingerprint, times, severity, status, place and count are not in the order."""
    for name in (
        "id",
        "token.sha256",
        "detected_at",
        "logged_at",
        "severity",
        "token.status",
        "location.offset",
        "location.line",
        "sightings.count",
        "event",
        "title",
        "location.host",
        "channel.type",
    ):
        assert name not in DROP
        assert not name.startswith("location.container.")


def test_an_empty_list_is_no_fact():
    """A token whose `aud` is an empty array has no fact `token.audience`."""
    alert = least(token=replace(least().token, audience=()))
    assert "token.audience" not in own(alert)
