"""The configuration file: one TOML file for all commands, and what each section may hold.

Promises: an unknown table or key, or a value without a meaning, is an error that names the key.
What a section means is documented where it is used; reading a file is `typed_toml.read`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from jwtleak.assess.policy import Allow, Raise
from jwtleak.follow.settings import TailSettings, duration
from jwtleak.runtime.issuer_keys import VerifySettings
from jwtleak.runtime.service.log import Format
from jwtleak.sinks.settings import SinkSettings, from_table
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
        Meta(description="name of this machine in alerts, where its own name is not the right one"),
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
            description="when the spool is full: stop reading until there is room, "
            "or drop the oldest alerts"
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
            description="PORT, or ADDRESS:PORT; loopback without an address; "
            "not served without either"
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
    """The whole file. `scan` uses its `[verify]`, `[[allow]]`, `[[raise]]` and `[[sink]]`;
    `inspect` uses those but the sinks.

    Each `[[sink]]` is a table of its own (see the reference of sinks).
    """

    tail: TailSection = TailSection()
    sink: list[dict[str, Any]] = []
    metrics: MetricsSection = MetricsSection()
    log: LogSection = LogSection()
    verify: VerifySettings = VerifySettings()
    allow: tuple[Allow, ...] = ()
    raises: tuple[Raise, ...] = ()

    def sinks(self, where: str) -> list[SinkSettings]:
        """The settings of each `[[sink]]`; `where` names the file in errors. Raises UsageError."""
        return [
            from_table(table, f"{where}: sink[{number}]") for number, table in enumerate(self.sink)
        ]
