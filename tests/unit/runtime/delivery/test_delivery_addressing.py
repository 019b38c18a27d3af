"""Which sinks an alert is for."""

from __future__ import annotations

from sending import alert

from jwtleak.alerts.alert import to_json
from jwtleak.runtime.delivery.delivery import Addressing
from jwtleak.runtime.delivery.route import parse
from jwtleak.store.interface import OutboxEntry
from jwtleak.types import Severity


def entry(body: bytes, severity: Severity = "high") -> OutboxEntry:
    """One for everybody."""
    return OutboxEntry(
        id="0" * 40, fingerprint="f" * 64, severity=severity, event="leak", body=body
    )


def test_conditions_choose() -> None:
    """Each sink by its own; an alert that nobody wants is for nobody."""
    routes = {"a": None, "b": parse('severity >= "critical"'), "c": parse('status == "live"')}
    entries = [entry(to_json(alert(1))), entry(to_json(alert(2, severity="critical")), "critical")]
    assert [one.sinks for one in Addressing(routes).of(entries)] == [("a", "c"), ("a", "b", "c")]
    assert [one.sinks for one in Addressing({"b": routes["b"]}).of(entries)] == [(), ("b",)]


def test_without_conditions_nothing_is_read() -> None:
    """The entries stay what they are."""
    entries = [entry(b"no alert")]
    assert Addressing({"a": None}).of(iter(entries)) == entries


def test_fields_of_an_entry_need_no_alert() -> None:
    """Severity and event are read from the entry, whatever its body is."""
    routes = {"a": parse('severity == "low"'), "b": parse('event == "leak"'), "c": None}
    (addressed,) = Addressing(routes).of([entry(b"no alert")])
    assert addressed.sinks == ("b", "c")


def test_what_cannot_be_read_is_for_all() -> None:
    """Nothing is lost because it is strange."""
    (one,) = Addressing({"a": parse('status == "live"')}).of([entry(b"{}")])
    assert one.sinks is None
