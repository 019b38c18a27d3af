"""`jwtleak state`: what is remembered between runs, for people and scripts.

Promises: commands that only read work beside a running process; commands that delete are refused
while one runs, and `reset` asks first.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from jwtleak.cli import voice
from jwtleak.cli.options import DURATION, PathParam, option
from jwtleak.core.redaction import redact_text
from jwtleak.errors import StoreError
from jwtleak.runtime.state_dir import state_dir
from jwtleak.store import Commit, DeadLetter, Store
from jwtleak.store.lock import owner
from jwtleak.store.maintenance import Keep
from jwtleak.store.migrations import steps

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_encode = msgspec.json.Encoder().encode


def _directory(command: Decorated) -> Decorated:
    decorate = option(
        "--state", "directory", type=PathParam(file_okay=False, path_type=Path), metavar="DIR",
        help="Where the state is kept."
             "  [default: /var/lib/jwtleak for root, else ~/.local/state/jwtleak]",
    )  # fmt: skip
    return decorate(command)


def _form(command: Decorated) -> Decorated:
    decorate = option(
        "--format", "-f", "form", type=click.Choice(["table", "json"]),
        help="table, or json.  [default: table on a terminal, else json]",
    )  # fmt: skip
    return decorate(command)


def _as_table(form: str | None) -> bool:
    return (form or ("table" if sys.stdout.isatty() else "json")) == "table"


def _line(value: object) -> None:
    click.echo(_encode(value))


@click.group("state")
def command() -> None:
    """Inspect, prune or reset the state that is kept between runs.

    The state has the position in each file, the tokens seen as hashes, and alerts that wait for a
    sink. It contains no token.
    """


@command.command("show")
@option("--streams", is_flag=True, help="One line for each file instead of the numbers.")
@_form
@_directory
def show(directory: Path | None, form: str | None, streams: bool) -> None:
    """Show the state. Works while another process uses it."""
    with Store.open(directory or state_dir(), read_only=True) as store:
        if streams:
            _streams(store, _as_table(form))
        elif _as_table(form):
            for label, value in _rows(store):
                click.echo(f"{label:<22}{value}")
        else:
            _line(_document(store))


def _streams(store: Store, table: bool) -> None:
    if table:
        click.echo(f"{'state':<10}{'read':>16}{'size':>16}  path")
    for cursor in store.cursors():
        path = redact_text(cursor.path)
        if table:
            click.echo(f"{cursor.state:<10}{cursor.offset:>16}{cursor.size:>16}  {path}")
        else:
            _line(
                {
                    "path": path,
                    "state": cursor.state,
                    "read": cursor.offset,
                    "size": cursor.size,
                    "stream": cursor.stream,
                    "device": cursor.device,
                    "inode": cursor.inode,
                }
            )


def _document(store: Store) -> dict[str, Any]:
    process = owner(store.directory)
    return {
        "directory": redact_text(str(store.directory)),
        "schema": len(steps()),
        **({} if process is None else {"process": process}),
        **msgspec.to_builtins(store.summary()),
    }


def _rows(store: Store) -> Iterator[tuple[str, str]]:
    """(Label, value) for a person."""
    found = store.summary()
    process = owner(store.directory)
    yield "state in", redact_text(str(store.directory))
    yield "in use by", "nobody" if process is None else f"process {process}"
    yield (
        "files",
        ", ".join(f"{count} {state}" for state, count in sorted(found.streams.items())) or "none",
    )
    yield "not read yet", f"{found.unread_bytes} bytes"
    yield "tokens seen", str(found.sightings)
    yield "waiting alerts", f"{found.spool_bytes} bytes"
    yield "finished by scans", f"{found.scanned_files} files"
    now_ms = time.time() * 1000
    for sink in found.sinks:
        parts = [f"{sink.waiting} waiting"]
        if sink.oldest_ms is not None:
            parts.append(f"the oldest for {max(0, now_ms - sink.oldest_ms) / 1000:.0f} s")
        parts += [f"{sink.dead_letters} dead letters"] if sink.dead_letters else []
        parts += [f"{sink.dropped} dropped"] if sink.dropped else []
        parts += [] if sink.registered else ["no longer configured"]
        yield f"sink {redact_text(sink.name)}", ", ".join(parts)


@command.command("reset")
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@option("--yes", is_flag=True, help="Do not ask.")
@_directory
def reset(directory: Path | None, paths: tuple[str, ...], yes: bool) -> int:
    """Delete the positions in the files at PATH; without PATH delete the whole state, undelivered
    alerts too.

    Refused while a process uses the state. Files are then read from the start again: their alerts
    have the same ids.
    """
    place = directory or state_dir()
    if paths:
        return _forget(place, paths)
    if not yes:
        question = f"forget everything in {redact_text(str(place))}{_undelivered(place)}"
        if not sys.stdin.isatty():
            raise click.UsageError(f"this would {question}: add --yes")
        click.confirm(f"jwtleak: {question}?", abort=True, err=True)
    Store.reset(place)
    voice.say("everything is forgotten")
    return 0


def _undelivered(place: Path) -> str:
    """What would be lost, as the end of a question; empty if the state cannot be read."""
    try:
        with Store.open(place, read_only=True) as store:
            waiting = max((sink.waiting for sink in store.summary().sinks), default=0)
    except StoreError:
        return ""
    return f" and {waiting} alerts that no sink has taken yet" if waiting else ""


def _forget(place: Path, paths: tuple[str, ...]) -> int:
    with Store.open(place, corrupt="fail") as store:
        gone = [cursor for cursor in store.cursors() if cursor.path in paths]
        store.commit(Commit(forget=[cursor.stream for cursor in gone], at_ms=0))
    missing = [path for path in paths if path not in {cursor.path for cursor in gone}]
    for path in missing:
        voice.error(f"{path}: nothing is remembered of it")
    return 2 if missing else 0


@command.command("prune")
@option(
    "--older-than",
    "age",
    type=DURATION,
    metavar="AGE",
    help="Remove entries of every kind older than this.  [default: see docs/how-to/state.md]",
)
@_directory
def prune(directory: Path | None, age: float | None) -> None:
    """Remove old entries: finished files, tokens not seen again, dead letters, finished scans.

    Refused while a process uses the state. Alerts that wait for a sink stay.
    """
    keep = Keep() if age is None else Keep(*[int(age * 1000)] * len(Keep._fields))
    with _existing(directory) as store:
        gone = store.prune(int(time.time() * 1000), keep)
    voice.say(
        f"gone are {gone.streams} finished files, {gone.sightings} tokens seen, "
        f"{gone.dead_letters} dead letters, {gone.scanned_files} marks of scans"
    )


def _existing(directory: Path | None) -> Store:
    """Open an existing state to change it. A damaged one is left as it is, for `reset` or the next
    start.
    """
    place = directory or state_dir()
    # Read-only first: opening it for writing would make a state where there is none.
    Store.open(place, read_only=True).close()
    return Store.open(place, corrupt="fail")


@command.group("dead-letters")
def dead_letters() -> None:
    """Show or resend alerts that a sink refused for good."""


_SINK = option("--sink", metavar="NAME", help="Only those that this sink refused.")


@dead_letters.command("show")
@_SINK
@_form
@_directory
def show_dead(directory: Path | None, form: str | None, sink: str | None) -> None:
    """Show dead letters, the oldest first, with the receiver's reason. Works while another
    process uses the state.
    """
    table = _as_table(form)
    if table:
        click.echo(f"{'number':>8}  {'sink':<24}{'status':>6}  {'severity':<10}{'id':<42}reason")
    with Store.open(directory or state_dir(), read_only=True) as store:
        after = 0
        while page := store.dead_letters(sink, after=after, limit=100):
            for dead in page:
                click.echo(_row(dead)) if table else _line(_dead(dead))
            after = page[-1].seq


def _row(dead: DeadLetter) -> str:
    status = "-" if dead.status is None else dead.status
    sink = redact_text(dead.sink)
    return f"{dead.seq:>8}  {sink:<24}{status:>6}  {dead.severity:<10}{dead.id:<42}{dead.reason}"


def _dead(dead: DeadLetter) -> dict[str, Any]:
    from jwtleak.alerts.fields import rfc3339

    document = {
        "number": dead.seq,
        "sink": dead.sink,
        "at": rfc3339(dead.at_ms),
        "status": dead.status,
        "reason": dead.reason,
        "attempts": dead.attempts,
        "alert": msgspec.Raw(dead.body),
    }
    return {name: value for name, value in document.items() if value is not None}


@dead_letters.command("replay")
@click.argument("numbers", nargs=-1, type=int, metavar="[NUMBER...]")
@_SINK
@option("--to", metavar="NAME", help="Send them to this sink instead.")
@_directory
def replay(
    directory: Path | None, numbers: tuple[int, ...], sink: str | None, to: str | None
) -> None:
    """Put dead letters back into the queue: those of NUMBER, of --sink, or all. The next start
    sends them.

    Refused while a process uses the state.
    """
    if numbers and sink:
        raise click.UsageError("--sink and NUMBER cannot be given together")
    with _existing(directory) as store:
        count = store.replay(sink=sink, to=to, seqs=numbers or None)
    voice.say(f"{count} dead letters wait to be sent again")
