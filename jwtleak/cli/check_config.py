"""`jwtleak check-config`: shows what `tail` would do with these settings.

Promises: nothing is changed, sent or connected, also beside a running daemon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from msgspec import UNSET

from jwtleak.cli import voice
from jwtleak.cli.tail import settings_of, tail_options
from jwtleak.core.redaction import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jwtleak.follow.interface import Event
    from jwtleak.runtime.tail.config import TailConfig
    from jwtleak.types import Cursor

_MAX_PATH = 1000


@click.command("check-config")
@tail_options
def command(**options: Any) -> int:
    """Show what tail would follow, from where, and where alerts would go. It changes nothing, sends
    nothing and connects to nothing.

    Exit status: 0 the settings are valid, 1 they are, but tail would follow nothing now, 2 they are
    not.
    """
    from jwtleak.runtime.tail.session import check, source_of

    settings: TailConfig = settings_of(options)
    check(settings)
    # A record source is not opened: whether it can be read shows only when it is.
    source = source_of(settings)
    lines = list(_files(_poll(settings))) if source is None else [f"follow  {_source(source)}"]
    for line in [*lines, *_rest(settings)]:
        click.echo(line)
    if not lines:
        voice.warning("nothing is there to be followed now")
    return 0 if lines else 1


def _source(url: str) -> str:
    return "standard input  until it ends" if url == "stdin:" else _safe(url)


def _poll(settings: TailConfig) -> list[Event]:
    """The events of a first poll."""
    from jwtleak.follow.follower import Follower
    from jwtleak.follow.interface import Trouble

    follower = Follower(settings.tail, _cursors(settings))
    try:
        events = follower.poll()
    finally:
        follower.close()
    for event in events:
        if isinstance(event, Trouble):
            voice.warning(f"{event.path}: {event.reason}")
    return events


def _cursors(settings: TailConfig) -> Sequence[Cursor]:
    """The cursors of an earlier run, read beside a daemon that may run now."""
    from jwtleak.errors import StoreError
    from jwtleak.store import Store

    try:
        with Store.open(settings.state, read_only=True) as store:
            return store.cursors()
    except StoreError as error:
        if settings.state.exists():
            voice.warning(str(error))
        return ()


def _files(events: Sequence[Event]) -> Iterator[str]:
    from jwtleak.follow.interface import Opened

    opened = [event for event in events if isinstance(event, Opened)]
    for event in sorted(opened, key=lambda event: event.path):
        offset = event.cursor.offset
        where = f"from byte {offset}" if offset else "from the beginning"
        # The size of a compressed file says nothing about how many bytes will come out of it.
        rest = "packed" if event.compressed else f"{max(0, event.size - offset)} bytes to read"
        yield f"follow  {_safe(event.path)}  {where}, {rest}"


def _rest(settings: TailConfig) -> Iterator[str]:
    from jwtleak.sinks.interface import open_sink

    for setting in settings.sinks:
        sink = open_sink(setting)  # connects only with its first alert
        when = "" if setting.when is UNSET else f"  when {setting.when}"
        yield f"sink    {_safe(setting.title)}  {sink.guarantee}{_safe(when)}"
        sink.close()
    yield f"state   {_safe(str(settings.state))}"
    if settings.metrics is not None:
        yield f"metrics {_safe(settings.metrics)}"


def _safe(text: str) -> str:
    return safe_text(text, _MAX_PATH)
