"""`jwtleak tail`: reads the options and starts the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jwtleak.cli.options import SIZE, PathParam, option
from jwtleak.types import CONFIDENCES, SEVERITIES


def tail_options(command: Any) -> Any:
    """Add the options that `tail` and `check-config` share."""
    for decorate in reversed(_OPTIONS):
        command = decorate(command)
    return command


_OPTIONS = (
    click.argument("paths", nargs=-1, metavar="[PATH|GLOB|DIR|-]..."),
    option("--config", "-c", type=PathParam(dir_okay=False), metavar="FILE",
           help="Read settings from this TOML file; options override it."),
    option("--state", type=PathParam(file_okay=False), metavar="DIR",
           help="Directory of positions and undelivered alerts."
                "  [default: the state directory of the user]"),
    option("--from", "from_", metavar="PLACE",
           help="Where to begin in files that exist at the first start: beginning, end,"
                " since:DURATION.  [default: beginning]"),
    option("--include", multiple=True, metavar="GLOB",
           help="Follow only files that match (repeatable)."),
    option("--exclude", multiple=True, metavar="GLOB",
           help="Leave out files that match; wins over --include."),
    option("--sink", multiple=True, metavar="URL",
           help="Where alerts go: stdout, file:PATH, or a receiver (repeatable)."
                "  [default: stdout]"),
    option("--window", metavar="DURATION",
           help="Sum up repeats of a token once per DURATION.  [default: 60s]"),
    option("--min-severity", type=click.Choice(SEVERITIES),
           help="Leave out alerts of lower severity.  [default: info]"),
    option("--min-confidence", type=click.Choice(CONFIDENCES),
           help="Leave out alerts of lower confidence.  [default: medium]"),
    option("--patterns", multiple=True, type=PathParam(exists=True, file_okay=False), metavar="DIR",
           help="Also search for the patterns in DIR (repeatable)."),
    option("--jwks", multiple=True, type=PathParam(exists=True), metavar="FILE|DIR",
           help="Verify signatures with these keys, offline (repeatable)."),
    option("--weak-keys", type=PathParam(exists=True, dir_okay=False), metavar="FILE",
           help="Try each line of FILE as HMAC key."),
    option("--baseline", type=PathParam(exists=True, dir_okay=False), metavar="FILE",
           help="Suppress the findings of this baseline, written by scan."),
    option("--poll", is_flag=True, help="Poll only, without file events."),
    option("--rate", type=SIZE, metavar="SIZE",
           help="Read at most this many bytes a second."),
    option("--host", metavar="NAME", help="Name of this machine in alerts.  [default: its own]"),
    option("--metrics", metavar="ADDRESS",
           help="Serve /metrics, /healthz and /readyz at PORT or ADDRESS:PORT."),
    option("--log-format", "log", type=click.Choice(["text", "json"]),
           help="Format of log messages.  [default: text]"),
)  # fmt: skip


def settings_of(options: dict[str, Any]) -> Any:
    """The settings of one call: those of the file, overridden by options."""
    from jwtleak.runtime.tail.config import compose

    options = dict(options)
    config, sinks = options.pop("config"), options.pop("sink")
    flags = {
        name: list(value) if isinstance(value, tuple) else value for name, value in options.items()
    }
    # A flag that is not set must not override `poll = true` of the file.
    if not flags["poll"]:
        del flags["poll"]
    return compose(Path(config) if config else None, flags, sinks)


@click.command("tail")
@tail_options
@option("--once", is_flag=True, help="Read the files to their end, deliver the alerts, and exit.")
def command(once: bool, **options: Any) -> int:
    """Follow growing and rotating files and report tokens as they are written.

    With - as PATH, tail reads standard input until it ends. If that is a file, the next run
    continues where this one stopped. Bytes from a pipe cannot be read again after a crash.

    Alerts are redacted, stored before they are sent, and sent at least once: after a crash the same
    alert has the same id. `jwtleak: ready` on standard error says that tail follows all files.

    Signals: TERM and INT shut down in order, HUP reads the configuration again. Exit status: 0
    ended by a signal; with --once, and at the end of standard input, 0 clean, 1 leaks found, 3 no
    leaks but some input could not be read; 2 wrong usage or configuration.
    """
    from jwtleak.runtime.tail.daemon import Daemon

    return Daemon(lambda: settings_of(options)).run(once=once)
