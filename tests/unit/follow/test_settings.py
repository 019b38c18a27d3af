"""The section [tail]."""

from __future__ import annotations

import pytest

from jwtleak.errors import UsageError
from jwtleak.follow.settings import TailSettings, duration, need_paths
from jwtleak.typed_toml import convert


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1.5d", 129600),
        ("250ms", 0.25),
        ("2w", 1209600),
        ("90", 90),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """A duration is a sum of numbers with units, or a number of seconds."""
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "5 m", "-1s", "1y", "1h30"])
def test_what_is_no_duration(text: str) -> None:
    """A number without unit after others, a unit without number, and signs are refused."""
    with pytest.raises(ValueError, match="not a duration"):
        duration(text)


def test_the_default_begins_at_the_beginning() -> None:
    """Nothing is left out unless that was asked for."""
    assert TailSettings().origin == ("beginning", 0.0)


@pytest.mark.parametrize(
    ("text", "origin"), [("end", ("end", 0.0)), ("since:2h", ("since", 7200.0))]
)
def test_origins(text: str, origin: tuple[str, float]) -> None:
    """`from` is read from the key `from`."""
    assert convert({"from": text}, TailSettings, "x.toml").origin == origin


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"from": "middle"}, "not one of beginning"),
        ({"from": "since:soon"}, "not a duration"),
        ({"file_interval": 0}, "file_interval must be"),
        ({"max_open": 1}, "max_open must be"),
        ({"rotate_quiet": -1}, "must not be negative"),
        ({"pahts": []}, "pahts"),
        ({"symlinks": "maybe"}, "symlinks"),
    ],
)
def test_what_means_nothing_is_refused(document: dict[str, object], complaint: str) -> None:
    """A bad value or an unknown key is an error that says what is wrong."""
    with pytest.raises(UsageError, match=complaint):
        convert(document, TailSettings, "x.toml")


def test_something_must_be_followed() -> None:
    """No path is a usage error; with one it is none."""
    with pytest.raises(UsageError, match="nothing to follow"):
        need_paths(TailSettings())
    need_paths(TailSettings(paths=["/var/log"]))
