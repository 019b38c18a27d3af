"""What `tail` runs with: the sections of the configuration file, and flags that override them.

Promises: a flag that was not set leaves the file's value; sinks on the command line replace those
of the file. A value without a meaning is a `UsageError` that names the key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from jwtleak.alerts.wire import Selection
from jwtleak.errors import UsageError
from jwtleak.follow.settings import need_paths
from jwtleak.runtime.assessment import AssessmentOptions
from jwtleak.runtime.config import ConfigFile, TailSection
from jwtleak.runtime.service.log import Format
from jwtleak.runtime.state_dir import state_dir
from jwtleak.sinks.settings import SinkSettings, from_url
from jwtleak.typed_toml import read


class TailConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon runs with. `metrics` is an address to serve them at, or None."""

    tail: TailSection
    sinks: tuple[SinkSettings, ...]
    metrics: str | None
    log: Format
    assessment: AssessmentOptions

    @property
    def state(self) -> Path:
        """The directory of the state."""
        return Path(self.tail.state) if self.tail.state else state_dir()

    @property
    def selection(self) -> Selection:
        """Which alerts are wanted."""
        return Selection(self.tail.min_severity, self.tail.min_confidence)


def compose(file: Path | None, flags: dict[str, Any], sinks: tuple[str, ...]) -> TailConfig:
    """The configuration of `tail`: that of `file`, overridden by the `flags` that are set.

    Flags are named like the keys of `[tail]`; besides those there are `metrics`, `log` and the
    paths of `AssessmentOptions`. `sinks` are URLs and replace the `[[sink]]` tables. Raises
    UsageError.
    """
    config = ConfigFile() if file is None else read(file, ConfigFile)
    flags = {name: value for name, value in flags.items() if value not in (None, (), [])}
    metrics = flags.pop("metrics", config.metrics.address)
    log = flags.pop("log", config.log.format)
    assessment = AssessmentOptions(
        config=None if file is None else config,
        baseline=flags.pop("baseline", None),
        jwks=tuple(flags.pop("jwks", ())),
        weak_keys=flags.pop("weak_keys", None),
    )
    try:
        tail = msgspec.structs.replace(config.tail, **flags)
    except ValueError as error:
        raise UsageError(str(error)) from None
    need_paths(tail)
    chosen = [from_url(url) for url in sinks] or config.sinks(str(file))
    return TailConfig(
        tail=tail,
        sinks=tuple(chosen or [from_url("stdout")]),
        metrics=metrics,
        log=log,
        assessment=assessment,
    )
