"""docs/examples: the sample logs are what their script makes, and show what they are meant to
show.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from jwtleak.cli.main import run

Load = Callable[[str], ModuleType]

# file -> (severity, status, channel, name, encodings, logged_at, sightings)
EXPECTED = {
    "app/api.jsonl": [
        (
            "critical",
            "no_expiry",
            "authorization_header",
            "Authorization",
            [],
            "2026-01-15T11:58:21.340Z",
            1,
        ),
        ("low", "live", "json_field", "id_token", [], "2026-01-15T11:58:21.355Z", 1),
    ],
    "app/error.log": [("low", "expired", "error_message", None, [], "2025-12-16T12:05:00.872Z", 1)],
    "app/quiet.log": [],
    "edge/haproxy.log.1.gz": [
        ("high", "live", "cookie", "session", ["percent"], "2026-01-15T10:00:02.000Z", 1)
    ],
    "nginx/access.log": [
        ("critical", "live", "url_query", "access_token", [], "2026-01-15T11:58:01.000Z", 2)
    ],
    "pods/worker.log": [
        (
            "high",
            "live",
            "authorization_header",
            "Authorization",
            ["cri"],
            "2026-01-15T11:57:11.120Z",
            1,
        )
    ],
    "windows/sync.log": [
        ("high", "live", "form_field", "refresh_token", ["utf16"], "2026-01-15T11:50:03.000Z", 1)
    ],
}


def found(path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> list[dict[str, Any]]:
    """The alerts that the program gives for `path`."""
    with pytest.raises(SystemExit):
        run(["scan", str(path), "--now", "2026-01-15T12:00:00Z", "--jobs", "1"])
    return [msgspec.json.decode(line) for line in capfdbinary.readouterr().out.splitlines()]


def facts(alert: dict[str, Any]) -> tuple[Any, ...]:
    """What EXPECTED tells of an alert."""
    channel = alert["channel"]
    return (
        alert["severity"],
        alert["token"]["status"],
        channel["type"],
        channel.get("name"),
        channel.get("encodings", []),
        alert["logged_at"],
        alert["sightings"]["count"],
    )


def test_the_script_makes_the_committed_files(load: Load, root: Path) -> None:
    """Every sample log is, byte for byte, what docs/examples/make.py makes, and there are no
    others.
    """
    directory = root / "docs/examples/logs"
    kept = {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }
    assert kept == load("docs/examples/make.py").files()


def test_the_script_writes_where_it_is_told(load: Load, tmp_path: Path) -> None:
    """Given a directory, the script writes all files below it."""
    load("docs/examples/make.py").main(tmp_path)
    assert {
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()
    } == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_each_sample_shows_what_it_is_for(
    root: Path, name: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Each sample log gives the alerts that it was written for: severity, status, channel,
    encodings and time.
    """
    alerts = found(root / "docs/examples/logs" / name, capfdbinary)
    assert [facts(alert) for alert in alerts] == EXPECTED[name]
