"""What waits for a sink, as the sink gets it: native JSON -> Alert -> route -> format -> Message.

Promises: a letter that cannot be read is told apart from one that is not wanted; nothing here
raises for what a letter holds. The native format is passed on as it was stored, not written again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import msgspec
from msgspec import UNSET

from jwtleak.alerts.alert import Alert
from jwtleak.errors import UsageError
from jwtleak.runtime.delivery import route as routes
from jwtleak.sinks.interface import Message, Sink
from jwtleak.sinks.settings import SinkSettings

_decode = msgspec.json.Decoder(Alert).decode


class PendingEntry(Protocol):
    """A letter in a mailbox."""

    @property
    def seq(self) -> int: ...
    @property
    def id(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def at_ms(self) -> int: ...


class PendingQueue(Protocol):
    """The queue of one sink (`jwtleak.store.SinkQueue`)."""

    def pending(self, limit: int, max_bytes: int) -> Sequence[PendingEntry]: ...
    def ack(self, seqs: Sequence[int]) -> None: ...
    def dead(self, seq: int, reason: str, status: int | None = None, attempts: int = 1) -> None: ...
    def depth(self) -> int: ...
    def oldest_ms(self) -> int | None: ...
    def close(self) -> None: ...


class Unreadable(Exception):  # noqa: N818 - a fact about a letter, not an error of ours
    """The letter is no alert of this version."""


# None: the sink's route does not want it.
Opener: TypeAlias = Callable[[PendingEntry], Message | None]


def opener(settings: SinkSettings, sink: Sink) -> Opener:
    """How letters become messages for `sink`. Raises UsageError where the settings name no format
    or condition.
    """
    wanted = route_of(settings, sink)  # the condition may have changed since a letter came
    encode = _encoder(settings, sink)

    def open_letter(letter: PendingEntry) -> Message | None:
        alert = read(letter.body)
        if not wanted(alert):
            return None
        return Message(alert, letter.at_ms, letter.body if encode is None else encode(alert))

    return open_letter


def read(body: bytes) -> Alert:
    """The alert. Raises Unreadable."""
    try:
        return _decode(body)
    except msgspec.DecodeError:
        raise Unreadable from None


def route_of(settings: SinkSettings, sink: Sink) -> routes.Route:
    """What the sink wants: by its settings, and by what it is. Raises UsageError where the settings
    name no condition.
    """
    try:
        wanted = routes.everything if settings.when is UNSET else routes.parse(settings.when)
    except UsageError as error:
        raise UsageError(f"{settings.title}: {error}") from None
    return wanted if sink.only is None else routes.both(routes.parse(sink.only), wanted)


def _encoder(settings: SinkSettings, sink: Sink) -> Callable[[Alert], bytes] | None:
    """None where the letter's own bytes are what the sink wants."""
    if settings.get("format", sink.format) == "json" and _limit(settings, sink) is None:
        return None
    return encoder(settings, sink)


def _limit(settings: SinkSettings, sink: Sink) -> int | None:
    limit: int | None = (
        settings.get("max_bytes", None) if sink.max_bytes is None else sink.max_bytes
    )
    return limit


def encoder(settings: SinkSettings, sink: Sink) -> Callable[[Alert], bytes]:
    """The format of the settings, or the sink's own. Raises UsageError."""
    from jwtleak.formats.interface import EVENT_FORMATS, FormatOptions, by_name

    name = settings.get("format", sink.format)
    if name not in EVENT_FORMATS:
        raise UsageError(
            f"{settings.title}: there is no format {name!r} for sinks:"
            f" one of {', '.join(EVENT_FORMATS)}"
        )
    timestamp = settings.get("timestamp", "detected")
    return by_name(
        name, FormatOptions(timestamp=timestamp, max_bytes=_limit(settings, sink), ascii=sink.ascii)
    ).encode
