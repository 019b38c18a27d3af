"""The configuration file: its sections, and what is refused in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from jwtleak.errors import UsageError
from jwtleak.runtime.config import ConfigFile, seconds
from jwtleak.typed_toml import read


def config(tmp_path: Path, text: str) -> ConfigFile:
    """The file with this text, parsed."""
    path = tmp_path / "jwtleak.toml"
    path.write_text(text)
    return read(path, ConfigFile)


def test_an_empty_file(tmp_path: Path) -> None:
    """Every section has defaults."""
    assert config(tmp_path, "") == ConfigFile()


def test_sinks(tmp_path: Path) -> None:
    """Each table becomes the settings of a sink; an error names the file and the table."""
    found = config(tmp_path, '[[sink]]\nurl = "stdout"\n[[sink]]\nurl = "file:/a"\nname = "b"\n')
    assert [sink.title for sink in found.sinks("c.toml")] == ["stdout", "b"]
    with pytest.raises(UsageError, match=r"c\.toml: sink\[0\]"):
        config(tmp_path, '[[sink]]\nname = "x"\n').sinks("c.toml")


def test_durations() -> None:
    """A duration is a number of seconds or a text with units."""
    assert [seconds(value) for value in (1.5, "30s", "1h30m")] == [1.5, 30.0, 5400.0]
    with pytest.raises(ValueError, match="not a duration"):
        seconds("soon")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tail]\nwindw = 1", "windw"),
        ("[tail]\nwindow = 'soon'", "window: not a duration"),
        ("[tail]\nheartbeat = 0.1", "heartbeat is too short"),
        ("[log]\nformat = 'xml'", "log.format"),
    ],
)
def test_errors_name_the_key(tmp_path: Path, text: str, said: str) -> None:
    """An unknown key, or a value without a meaning."""
    with pytest.raises(UsageError) as caught:
        config(tmp_path, text)
    assert said in str(caught.value)
