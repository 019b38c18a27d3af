"""Options that name sinks, shared by the commands that have some."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jwtleak.config import read
from jwtleak.sinks.settings import SinkFile, SinkSettings, from_url


def chosen(urls: Sequence[str], config: str | None) -> list[SinkSettings]:
    """The sinks of the URLs, and of the configuration file. Raises UsageError."""
    settings = [from_url(url) for url in urls]
    if config is not None:
        settings += read(Path(config), SinkFile).settings(config)
    return settings
