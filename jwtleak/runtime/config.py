"""The configuration of the daemon: one TOML file, and flags that override it.

Promises: an unknown table or key or a value that means nothing is a `UsageError` that names the
file and the key; what each section means is said where it is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from jwtleak.alerts.wire import Selection
from jwtleak.assess.policy import Allow, Raise
from jwtleak.errors import UsageError
from jwtleak.follow.settings import TailSettings, duration, need_paths
from jwtleak.runtime.assessment import AssessmentOptions
from jwtleak.runtime.issuer_keys import VerifySettings
from jwtleak.runtime.service.log import Format
from jwtleak.runtime.state_dir import state_dir
from jwtleak.sinks.settings import SinkSettings, from_table, from_url
from jwtleak.typed_toml import read
from jwtleak.types import Confidence, Severity, WhenFull

# Seconds, or a text such as `30s`, `5m`, `1h30m`.
Duration: TypeAlias = float | str


def seconds(value: Duration) -> float:
    """A duration as a number. Raises ValueError."""
    return duration(value) if isinstance(value, str) else float(value)


class TailSection(TailSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `[tail]`: what is followed, and how alerts are made of it."""

    host: Annotated[
        str | None,
        Meta(description="name of this machine in alerts, where its own is not the one to tell"),
    ] = None
    state: Annotated[
        str | None, Meta(description="directory of cursors, sightings and undelivered alerts")
    ] = None
    when_damaged: Annotated[
        Literal["reread", "fail"],
        Meta(description="what to do about a damaged state: set it aside and read again, or stop"),
    ] = "reread"
    window: Annotated[
        Duration, Meta(description="repeats of a token in a stream are summed up once in this time")
    ] = 60.0
    heartbeat: Annotated[
        Duration | None,
        Meta(description="send an event this often, so that silence can be noticed"),
    ] = None
    min_severity: Annotated[Severity, Meta(description="leave out what matters less")] = "info"
    min_confidence: Annotated[Confidence, Meta(description="leave out what is less certain")] = (
        "medium"
    )
    patterns: Annotated[list[str], Meta(description="directories with patterns of your own")] = (
        msgspec.field(default_factory=list)
    )
    rate: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="bytes read a second at most; reading waits"),
    ] = None
    spool: Annotated[
        int, Meta(ge=1 << 16, description="bytes of alerts that may wait for sinks")
    ] = 256 << 20
    when_full: Annotated[
        WhenFull,
        Meta(
            description="when the spool is full: stop reading until there is room, or drop the oldest alerts"
        ),
    ] = "wait"
    drain: Annotated[
        Duration, Meta(description="time to deliver what waits before the program ends")
    ] = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("window", "heartbeat", "drain"):
            value = getattr(self, name)
            try:
                short = value is not None and seconds(value) < (1.0 if name == "heartbeat" else 0.0)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
            if short:
                raise ValueError(f"{name} is too short: {value}")


class MetricsSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The section `[metrics]`: Prometheus metrics and health over HTTP."""

    address: Annotated[
        str | None,
        Meta(
            description="PORT, or ADDRESS:PORT; loopback where no address is given; none: not served"
        ),
    ] = None


class LogSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The section `[log]`: the program's own words on standard error."""

    format: Annotated[Format, Meta(description="text for people, json for one object a line")] = (
        "text"
    )


class ConfigFile(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"raises": "raise"}
):
    """The whole file. `scan` and `inspect` use its `[verify]`, `[[allow]]` and `[[raise]]`.

    Each `[[sink]]` is a table of its own (see the reference of sinks)."""

    tail: TailSection = TailSection()
    sink: list[dict[str, Any]] = []
    metrics: MetricsSection = MetricsSection()
    log: LogSection = LogSection()
    verify: VerifySettings = VerifySettings()
    allow: tuple[Allow, ...] = ()
    raises: tuple[Raise, ...] = ()


class TailConfig(msgspec.Struct, frozen=True):
    """What the daemon runs with."""

    tail: TailSection
    sinks: tuple[SinkSettings, ...]
    metrics: str | None
    log: Format
    worth: AssessmentOptions

    @property
    def state(self) -> Path:
        """The directory of the state."""
        return Path(self.tail.state) if self.tail.state else state_dir()

    @property
    def selection(self) -> Selection:
        """Which alerts are wanted."""
        return Selection(self.tail.min_severity, self.tail.min_confidence)


def compose(file: Path | None, flags: dict[str, Any], sinks: tuple[str, ...]) -> TailConfig:
    """The settings of the file, in which `flags` (those that were given) take the place of its
    values.

    Flags are named like keys of `[tail]`, but for `metrics`, `log` and what speaks of worth
    (`runtime.worth.Asked`). Sinks that are given take the place of the file's. Raises UsageError.
    """
    document = ConfigFile() if file is None else read(file, ConfigFile)
    where = "configuration" if file is None else str(file)
    given = {name: value for name, value in flags.items() if value not in (None, (), [])}
    metrics = given.pop("metrics", document.metrics.address)
    log = given.pop("log", document.log.format)
    asked = AssessmentOptions(
        None if file is None else str(file), given.pop("baseline", None), tuple(given.pop("jwks", ())),
        given.pop("weak_keys", None),
    )  # fmt: skip
    try:
        tail = msgspec.structs.replace(document.tail, **given)
    except ValueError as error:
        raise UsageError(str(error)) from None
    need_paths(tail)
    if sinks:
        chosen = [from_url(one) for one in sinks]
    else:
        chosen = [
            from_table(table, f"{where}: sink[{number}]")
            for number, table in enumerate(document.sink)
        ]
    return TailConfig(tail, tuple(chosen or [from_url("stdout")]), metrics, log, asked)
