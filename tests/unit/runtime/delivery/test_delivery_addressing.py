"""Which sinks a letter is for."""

from __future__ import annotations

from sending import alert

from jwtleak.alerts.alert import to_json
from jwtleak.runtime.delivery.delivery import Addressing
from jwtleak.runtime.delivery.route import everything, parse
from jwtleak.store.interface import OutboxEntry


def letter(body: bytes) -> OutboxEntry:
    """One for everybody."""
    return OutboxEntry(id="0" * 40, fingerprint="f" * 64, severity="high", event="leak", body=body)


def test_conditions_choose() -> None:
    """Each sink by its own; a letter that nobody wants is for nobody."""
    routes = {"a": everything, "b": parse('severity >= "critical"'), "c": parse('status == "live"')}
    letters = [letter(to_json(alert(1))), letter(to_json(alert(2, severity="critical")))]
    assert [one.sinks for one in Addressing(routes).of(letters)] == [("a", "c"), ("a", "b", "c")]
    assert [one.sinks for one in Addressing({"b": routes["b"]}).of(letters)] == [(), ("b",)]


def test_without_conditions_nothing_is_read() -> None:
    """The letters stay what they are."""
    letters = [letter(b"no alert")]
    assert Addressing({"a": everything}).of(iter(letters)) == letters


def test_what_cannot_be_read_is_for_all() -> None:
    """Nothing is lost because it is strange."""
    (one,) = Addressing({"a": parse('severity == "low"')}).of([letter(b"{}")])
    assert one.sinks is None
