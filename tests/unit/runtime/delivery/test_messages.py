"""From a stored letter to a message."""

from __future__ import annotations

import pytest
from sending import Letter, Scripted, alert

from jwtleak.alerts.alert import to_json
from jwtleak.errors import UsageError
from jwtleak.runtime.delivery.messages import Unreadable, opener
from jwtleak.sinks.settings import SinkSettings


def letter(**change: object) -> Letter:
    """A letter with one alert."""
    return Letter(1, "id", to_json(alert(**change)), 5)


def test_the_native_form_is_passed_on_as_it_is() -> None:
    """The body of the message is the very one that was stored."""
    stored = letter()
    message = opener(SinkSettings(url="stdout"), Scripted())(stored)
    assert message is not None
    assert message.body is stored.body
    assert (message.id, message.fingerprint) == (message.alert.id, message.alert.token.sha256)
    assert (message.severity, message.event, message.at_ms) == ("high", "leak", 5)


def test_what_the_route_does_not_want_is_no_message() -> None:
    """The condition of the settings decides, on top of that of the sink."""
    sink = Scripted()
    assert opener(SinkSettings(url="stdout", when='severity == "critical"'), sink)(letter()) is None
    sink.only = 'event == "test"'
    open_letter = opener(SinkSettings(url="stdout", when='severity >= "high"'), sink)
    assert open_letter(letter()) is None
    assert open_letter(letter(event="test")) is not None


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b'{"schema":"jwtleak/9"}'])
def test_a_letter_of_another_version_is_told_apart(body: bytes) -> None:
    """What cannot be read is not the same as what is not wanted."""
    with pytest.raises(Unreadable):
        opener(SinkSettings(url="stdout"), Scripted())(Letter(1, "id", body, 5))


@pytest.mark.parametrize(
    ("change", "says"),
    [({"when": "x"}, "stdout: when: "), ({"format": "xml"}, "stdout: there is no format")],
)
def test_settings_that_cannot_work_are_named(change: dict[str, str], says: str) -> None:
    """The error names the sink."""
    with pytest.raises(UsageError) as caught:
        opener(SinkSettings(url="stdout", **change), Scripted())
    assert str(caught.value).startswith(says)
