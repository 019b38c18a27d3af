"""`jwtleak scan`: its options, and which of them go together."""

from __future__ import annotations

import os
import sys
from typing import Any

import click
import msgspec

from jwtleak.assess.lifetime import DEFAULT_LEEWAY
from jwtleak.cli.options import (
    MOMENT,
    SIZE,
    PathParam,
    assessment_options,
    help_option,
    option,
    sink_options,
)
from jwtleak.cli.scan_session import ScanOptions, ScanSession
from jwtleak.formats import interface as formats
from jwtleak.sources.interface import ArchiveLimits
from jwtleak.types import CONFIDENCES, MAX_TOKEN, SEVERITIES, Status

_STATUSES = Status.__args__  # type: ignore[attr-defined]
_SEVERITY = click.Choice(SEVERITIES)


@click.command("scan")
@click.argument("paths", nargs=-1, metavar="[PATH...|-]")
@option(
    "--include",
    multiple=True,
    metavar="GLOB",
    help="Scan only files that match (repeatable; ** allowed).",
)
@option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    help="Leave out files that match; wins over --include.",
)
@option(
    "--jobs",
    "-j",
    type=click.IntRange(1, 256),
    default=os.cpu_count() or 1,
    help="Processes.  [default: cores]",
)
@option("--every", is_flag=True, help="One alert for each sighting, not for each token and file.")
@option(
    "--status",
    multiple=True,
    type=click.Choice(_STATUSES),
    help="Only tokens of this status (repeatable).",
)
@option(
    "--only-live",
    is_flag=True,
    help="Only tokens that may work now and are not public: --status of those, --min-severity low.",
)
@option(
    "--min-severity",
    type=_SEVERITY,
    default="info",
    show_default=True,
    help="Leave out alerts of lower severity.",
)
@option(
    "--min-confidence",
    type=click.Choice(CONFIDENCES),
    default="medium",
    show_default=True,
    help="Leave out alerts of lower confidence.",
)
@option(
    "--fail-on",
    type=click.Choice([*SEVERITIES, "never"]),
    default="info",
    show_default=True,
    help="Exit with 1 only for leaks of at least this severity.",
)
@option("--now", type=MOMENT, metavar="TIME", help="Judge expiry at this time instead of now.")
@option(
    "--leeway",
    type=click.IntRange(0, 86400),
    default=DEFAULT_LEEWAY,
    show_default=True,
    metavar="SECONDS",
    help="Clock skew allowed when judging expiry.",
)
@option(
    "--output", "-o", type=PathParam(dir_okay=False), metavar="FILE", help="Write alerts to FILE."
)
@option(
    "--format",
    "-f",
    type=click.Choice(["table", *formats.NAMES]),
    help="Format of alerts; json is one per line.  [default: table on a terminal, else json]",
)
@option(
    "--timestamp",
    type=click.Choice(["event", "detected"]),
    default="detected",
    show_default=True,
    help="Time of the event in other formats; the other time is included too.",
)
@option(
    "--no-progress",
    "progress",
    flag_value=False,
    default=True,
    type=bool,
    help="Show no progress bar.",
)
@assessment_options
@option(
    "--baseline",
    type=PathParam(exists=True, dir_okay=False),
    metavar="FILE",
    help="Suppress the findings in FILE.",
)
@option(
    "--write-baseline",
    type=PathParam(dir_okay=False),
    metavar="FILE",
    help="Write the findings of this scan to FILE, for --baseline.",
)
@option(
    "--show-suppressed", is_flag=True, help="Show alerts that the policy or baseline suppresses."
)
@option(
    "--patterns",
    multiple=True,
    type=PathParam(exists=True, file_okay=False),
    metavar="DIR",
    help="Also search for the patterns in DIR (repeatable).",
)
@option(
    "--max-token", type=SIZE, default=MAX_TOKEN, show_default=True, help="Longest token, in bytes."
)
@option(
    "--max-archive-bytes",
    type=SIZE,
    default=ArchiveLimits().max_archive_bytes,
    show_default=True,
    help="Unpack at most this many bytes of one archive.",
)
@option(
    "--max-ratio",
    type=click.IntRange(1),
    default=ArchiveLimits().max_ratio,
    show_default=True,
    help="Highest accepted compression ratio.",
)
@option(
    "--max-depth",
    type=click.IntRange(0, 8),
    default=ArchiveLimits().max_depth,
    show_default=True,
    help="Levels of archives inside archives.",
)
@option(
    "--state",
    type=PathParam(file_okay=False),
    metavar="DIR",
    help="Record finished files in DIR, so that an interrupted scan can be resumed.",
)
@option(
    "--resume",
    is_flag=True,
    help="Skip files that --state records as finished; append to the FILE of --output.",
)
@sink_options
@help_option
def command(**values: Any) -> int:
    """Find tokens in files, directories, archives, or standard input (-).

    Archives (gzip, bzip2, xz, zstd, lz4, zip, tar, cpio, ar, deb) are recognised by content. Alerts
    are redacted.

    Exit status: 0 clean, 1 leaks found (see --fail-on), 2 wrong usage, 3 no leaks but some input
    could not be read (a PATH that does not exist is one) or a sink did not accept every alert, 130
    interrupted.
    """
    options = ScanOptions(**values)
    if options.config is None and options.sink_config is not None:
        options = msgspec.structs.replace(options, config=options.sink_config)
    if not options.paths:
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError("nothing to scan: give a path, or - for standard input")
        options = msgspec.structs.replace(options, paths=("-",))
    if "-" in options.paths and len(options.paths) > 1:
        raise click.UsageError("- (standard input) cannot be scanned together with files")
    _check_state(options)
    if not 64 <= options.max_token <= MAX_TOKEN:
        raise click.UsageError(f"--max-token must be from 64 to {MAX_TOKEN}")
    return ScanSession(options).run()


def _check_state(options: ScanOptions) -> None:
    if options.state is None and options.resume:
        raise click.UsageError("--resume needs --state DIR")
    if options.state is not None and options.paths == ("-",):
        raise click.UsageError("standard input cannot be gone on with: --state is for files")
    if options.state is not None and options.format not in (None, "json"):
        raise click.UsageError("--state needs --format json: other formats cannot be gone on with")
