"""What `tail` runs with: the file, flags that override it, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jwtleak.errors import UsageError
from jwtleak.runtime.config import seconds
from jwtleak.runtime.tail.config import compose

WHOLE = """
[tail]
paths = ["/var/log"]
from = "since:2h"
window = 30
heartbeat = "5m"
min_severity = "low"
spool = 100000
when_full = "drop-oldest"

[[sink]]
url = "stdout"

[[sink]]
url = "syslog+udp://127.0.0.1:514"
name = "siem"

[metrics]
address = "9464"

[log]
format = "json"

[[allow]]
issuer = "https://test/*"
reason = "test system"
"""


def file(tmp_path: Path, text: str) -> Path:
    """A configuration file."""
    path = tmp_path / "tail.toml"
    path.write_text(text)
    return path


def test_a_whole_file(tmp_path: Path) -> None:
    """Every section is read."""
    path = file(tmp_path, WHOLE)
    found = compose(path, {}, ())
    assert (found.tail.paths, found.tail.origin) == (["/var/log"], ("since", 7200.0))
    assert [one.title for one in found.sinks][1] == "siem"
    assert (found.metrics, found.log) == ("9464", "json")
    config = found.assessment.config
    assert config is not None
    assert config.allow[0].reason == "test system"
    assert seconds(found.tail.window) == 30
    assert found.selection.min_severity == "low"


def test_flags_override(tmp_path: Path) -> None:
    """What is given takes the place of the file's value; what is not given does not."""
    flags: dict[str, Any] = {
        "paths": ["/srv"],
        "window": "1h",
        "metrics": "1",
        "log": None,
        "include": [],
        "state": "/s",
    }
    found = compose(file(tmp_path, WHOLE), flags, ("stdout",))
    assert (found.tail.paths, found.tail.window, found.metrics, found.log) == (
        ["/srv"],
        "1h",
        "1",
        "json",
    )
    assert [str(one.address) for one in found.sinks] == ["stdout"]
    assert found.state == Path("/s")


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file: standard output, the user's state directory, nothing served."""
    monkeypatch.setenv("XDG_STATE_HOME", "/home/someone/state")
    found = compose(None, {"paths": ["/var/log"]}, ())
    assert ([one.title for one in found.sinks], found.metrics, found.log) == (
        ["stdout"],
        None,
        "text",
    )
    assert found.state == Path("/home/someone/state/jwtleak")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tail]\nwindw = 1", "windw"),
        ("[tial]", "tial"),
        ("[tail]\nwindow = 'soon'", "window: not a duration"),
        ("[tail]\nheartbeat = 0.1", "heartbeat is too short"),
        ("[tail]\nspool = 1", "tail.spool"),
        ("[tail]\nrate = 'fast'", "tail.rate"),
        ("[tail]\nfrom = 'middle'", "middle"),
        ("[[sink]]\nname = 'x'", "sink[0]"),
        ("[log]\nformat = 'xml'", "log.format"),
        ("[[allow]]\nissuer = 'x'", "allow[0]"),
        ("[tail]\n", "nothing to follow"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    """The error names the key."""
    with pytest.raises(UsageError) as caught:
        compose(file(tmp_path, text), {"paths": ["/x"]} if "nothing" not in said else {}, ())
    assert said in str(caught.value)


def test_a_flag_that_means_nothing() -> None:
    """The same for what is given on the command line."""
    with pytest.raises(UsageError, match="window: not a duration"):
        compose(None, {"paths": ["/x"], "window": "soon"}, ())
