"""The kinds of values that options take, each with an error that says what was expected."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from jwtleak.runtime.config import ConfigFile

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = r"(\d{1,15})\s*([kmgt]?)(?:i?b)?"

# The end of the year 9999, the last that RFC 3339 can write.
_LAST = 253_402_300_799


class SizeParam(click.ParamType[int]):
    """A number of bytes: `65536`, `64k`, `2GiB`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(_SIZE, str(value).strip(), re.IGNORECASE)
        if found is None:
            self.fail(f"{value!r} is not a size such as 65536, 64k or 2g", param, ctx)
        return int(found[1]) * _UNITS[found[2].lower()]


class MomentParam(click.ParamType[float]):
    """A time: RFC 3339, or Unix seconds. Gives Unix seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        seconds = _seconds(str(value))
        if seconds is None or not 0 <= seconds <= _LAST:  # nor NaN, which is in no order
            self.fail(
                f"{value!r} is not a time such as 2026-01-15T12:00:00Z or 1768478400", param, ctx
            )
        return seconds


def _seconds(text: str) -> float | None:
    """Unix seconds, or None when `text` is no time."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


class DurationParam(click.ParamType[float]):
    """A length of time: `90`, `90s`, `1h30m`, `30d`. Gives seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        from jwtleak.follow.settings import duration  # its validation is slow to load

        try:
            return duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class PathParam(click.ParamType[Any]):
    """`click.Path`, made only when there is a value: making one for each option searches for
    translations of its name.
    """

    name = "path"

    def __init__(self, **checks: Any) -> None:
        self._checks = checks

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return click.Path(**self._checks).convert(value, param, ctx)


SIZE = SizeParam()
MOMENT = MomentParam()
DURATION = DurationParam()


class Option(click.Option):
    """An option whose help is one line: click would load `inspect` to undo its indentation."""

    def __init__(self, *names: Any, help: str | None = None, **more: Any) -> None:  # noqa: A002
        super().__init__(*names, **more)
        self.help = help


option = partial(click.option, cls=Option)


def saying(text: Callable[[click.Context], str]) -> Callable[..., None]:
    """The callback of an option that prints `text` to standard output and ends the program."""

    def say(context: click.Context, _: click.Parameter, value: bool) -> None:
        if value and not context.resilient_parsing:
            click.echo(text(context), color=context.color)
            context.exit()

    return say


# In place of click's own, whose text is searched for in catalogues of translations that do not
# exist. It must be the last of a command's options.
help_option = option(
    "-h",
    "--help",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=saying(click.Context.get_help),
    help="Show this message and exit.",
)


def read_config(path: str | None) -> ConfigFile | None:
    """The configuration file at `path`, or None without one. Raises UsageError."""
    if path is None:
        return None
    # Loaded here: most calls have no configuration, and need neither TOML nor its sections.
    from pathlib import Path

    from jwtleak.runtime.config import ConfigFile
    from jwtleak.typed_toml import read

    return read(Path(path), ConfigFile)


_FILE = PathParam(exists=True, dir_okay=False)
Command = TypeVar("Command", bound=Callable[..., Any])

# What decides what a token is worth, for each command that assesses tokens.
_ASSESSMENT = (
    option(
        "--config",
        "-c",
        type=_FILE,
        metavar="FILE",
        help="Read settings from this TOML file: policy, keys, and the sinks of scan.",
    ),
    option(
        "--jwks",
        multiple=True,
        type=PathParam(exists=True),
        metavar="FILE|DIR",
        help="Verify signatures with these keys, offline (repeatable).",
    ),
    option("--weak-keys", type=_FILE, metavar="FILE", help="Try each line of FILE as HMAC key."),
    option(
        "--weak-keys-time",
        type=click.FloatRange(0),
        default=1.0,
        show_default=True,
        metavar="SECONDS",
        help="Time for --weak-keys in each second of work; 0 for no limit.",
    ),
)


def assessment_options(command: Command) -> Command:
    """Add the options that decide what a token is worth."""
    for add in reversed(_ASSESSMENT):
        command = add(command)
    return command


def sink_options(command: Command) -> Command:
    """Add the options of `scan` that send alerts to sinks."""
    for add in reversed(_SINK):
        command = add(command)
    return command


_SINK = (
    option(
        "--sink", multiple=True, metavar="URL", help="Also send alerts to this sink (repeatable)."
    ),
    # The old name of --config for sinks; it means the same.
    option("--sink-config", type=PathParam(dir_okay=False), hidden=True),
    option(
        "--sink-deadline",
        type=click.FloatRange(0, 86400),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="At the end, wait this long for sinks to accept the remaining alerts.",
    ),
)
