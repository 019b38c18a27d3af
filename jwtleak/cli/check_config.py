"""`jwtleak check-config`: says what `tail` would do with these settings. Changes nothing and
connects to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from msgspec import UNSET

from jwtleak.cli import voice
from jwtleak.cli.tail import options, settings_of
from jwtleak.core.redaction import redact_text
from jwtleak.core.sanitize import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jwtleak.follow.interface import Event
    from jwtleak.runtime.tail.config import TailConfig
    from jwtleak.types import Cursor

_MAX_PATH = 1000


@click.command("check-config")
@options
def command(**given: Any) -> int:
    """Say what tail would follow, from where, and where alerts would go. Nothing is changed, sent
    or connected.

    Exit status: 0 the settings can be used, 1 they can, but nothing would be followed now, 2 they
    cannot.
    """
    from jwtleak.runtime.tail.session import check

    settings: TailConfig = settings_of(given)
    check(settings)
    events = _look(settings)
    lines = list(_files(events))
    for line in [*lines, *_rest(settings)]:
        click.echo(line)
    if not lines:
        voice.warning("nothing is there to be followed now")
    return 0 if lines else 1


def _look(settings: TailConfig) -> list[Event]:
    """What a first look gives."""
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
    """What an earlier run knows; a daemon that runs now is not disturbed."""
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

    for event in sorted(
        (one for one in events if isinstance(one, Opened)), key=lambda one: one.path
    ):
        known = event.cursor.offset
        rest = max(0, event.size - known)
        where = f"from byte {known}" if known else "from the beginning"
        yield f"follow  {_safe(event.path)}  {where}, {'packed' if event.compressed else f'{rest} bytes to read'}"


def _rest(settings: TailConfig) -> Iterator[str]:
    from jwtleak.sinks.interface import open_sink

    for one in settings.sinks:
        sink = open_sink(one)
        when = "" if one.when is UNSET else f"  when {one.when}"
        yield f"sink    {_safe(one.title)}  {sink.guarantee}{_safe(when)}"
        sink.close()
    yield f"state   {_safe(str(settings.state))}"
    if settings.metrics is not None:
        yield f"metrics {_safe(settings.metrics)}"


def _safe(text: str) -> str:
    return clean(redact_text(text), _MAX_PATH)
