"""From a stored alert to a message."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from sending import MemoryQueue, ScriptedSink, alert

from jwtleak.alerts.alert import to_json
from jwtleak.errors import UsageError
from jwtleak.runtime.delivery.delivery import Addressing
from jwtleak.runtime.delivery.messages import decode, rules_of
from jwtleak.runtime.delivery.route import parse
from jwtleak.runtime.delivery.sender import InFlight
from jwtleak.sinks.interface import BatchLimits, Message
from jwtleak.sinks.settings import SinkSettings
from jwtleak.store import OutboxEntry


def read(queue: MemoryQueue, settings: SinkSettings, sink: ScriptedSink) -> Sequence[Message]:
    """The messages for `sink` of what waits."""
    in_flight = InFlight(queue, rules_of(settings, sink), BatchLimits(10, 1 << 20))
    in_flight.fill()
    return [entry.message for entry in in_flight.batch(10)]


def queue(**change: object) -> MemoryQueue:
    """A queue with one alert."""
    made = MemoryQueue(lambda: 5)
    made.put([to_json(alert(**change))])
    return made


def test_the_native_form_is_passed_on_as_it_is() -> None:
    """The body of the message is the very one that was stored."""
    waiting = queue()
    (stored,) = waiting.alerts.values()
    (message,) = read(waiting, SinkSettings(url="stdout"), ScriptedSink())
    assert message.body is stored.body
    assert (message.id, message.fingerprint) == (message.alert.id, message.alert.token.sha256)
    assert (message.severity, message.event, message.at_ms) == ("high", "leak", 5)


def test_what_the_route_does_not_want_is_no_message() -> None:
    """The condition of the settings decides, on top of that of the sink."""
    sink = ScriptedSink()
    assert read(queue(), SinkSettings(url="stdout", when='severity == "critical"'), sink) == []
    sink.only = 'event == "test"'
    high = SinkSettings(url="stdout", when='severity >= "high"')
    assert read(queue(), high, sink) == []
    assert len(read(queue(event="test"), high, sink)) == 1
    assert len(read(queue(event="test", severity="low"), SinkSettings(url="stdout"), sink)) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b'{"schema":"jwtleak/9"}'])
def test_an_alert_of_another_version_is_an_error_of_decoding(body: bytes) -> None:
    """What cannot be read is not the same as what is not wanted; it is an error each time."""
    for _ in range(2):
        with pytest.raises(msgspec.DecodeError):
            decode(body)


def test_an_alert_is_decoded_once() -> None:
    """Routing, two sinks and an attempt that is repeated read one decoded alert."""
    body = to_json(alert(4711))
    entry = OutboxEntry(
        id=alert(4711).id, fingerprint="f" * 64, severity="high", event="leak", body=body
    )
    before = decode.cache_info().misses  # type: ignore[attr-defined]
    Addressing({"a": parse('status == "live"'), "b": parse('channel != "cookie"')}).of([entry])
    for _ in range(2):
        for _ in range(2):
            waiting = MemoryQueue()
            waiting.put([bytes(bytearray(body))])  # equal, as from another connection
            assert len(read(waiting, SinkSettings(url="stdout"), ScriptedSink())) == 1
    assert decode.cache_info().misses == before + 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "says"),
    [({"when": "x"}, "stdout: when: "), ({"format": "xml"}, "stdout: there is no format")],
)
def test_settings_that_cannot_work_are_named(change: dict[str, str], says: str) -> None:
    """The error names the sink."""
    with pytest.raises(UsageError) as caught:
        rules_of(SinkSettings(url="stdout", **change), ScriptedSink())
    assert str(caught.value).startswith(says)
