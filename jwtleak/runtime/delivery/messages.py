"""What a sink gets of a waiting alert: which alerts it wants, and in which format.

Promises: an alert's JSON is decoded once in a process, however many sinks and attempts there are
(within `_RECENT` alerts); the native format is passed on as it was stored, not encoded again.
Settings that name no format or condition are refused at the start, with the sink's name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

import msgspec
from msgspec import UNSET

from jwtleak.alerts.alert import Alert
from jwtleak.errors import UsageError
from jwtleak.runtime.delivery import route as routes
from jwtleak.sinks.interface import Sink
from jwtleak.sinks.settings import SinkSettings
from jwtleak.store.interface import QueuedAlert

# Alerts remembered in decoded form: the largest batch of the sinks that send one by one or in
# parallel (2,000), at some 4 kB each. Routing, each sink and each retry read the same JSON: a
# lookup takes 0.9 us where decoding takes 15 us. Sinks that lag further behind each other than this
# decode for themselves.
_RECENT = 2000

# Raises msgspec.DecodeError for JSON that is not an alert of this version.
decode: Callable[[bytes], Alert] = lru_cache(maxsize=_RECENT)(msgspec.json.Decoder(Alert).decode)


class AlertQueue(Protocol):
    """What delivery needs of a sink's queue (`jwtleak.store.SinkQueue`)."""

    def pending(self, limit: int, max_bytes: int) -> Sequence[QueuedAlert]: ...
    def ack(self, seqs: Sequence[int]) -> None: ...
    def dead(self, seq: int, reason: str, status: int | None = None, attempts: int = 1) -> None: ...
    def depth(self) -> int: ...
    def oldest_ms(self) -> int | None: ...
    def close(self) -> None: ...


class MessageRules(NamedTuple):
    """How alerts become messages for one sink. `route` is None for a sink that wants every alert;
    `encode` is None for one that gets the stored JSON itself.
    """

    route: routes.Route | None
    encode: Callable[[Alert], bytes] | None


def rules_of(settings: SinkSettings, sink: Sink) -> MessageRules:
    """The rules for `sink`. Raises UsageError where the settings name no format or condition."""
    # With a limit of its size an alert may have to lose fields, so it is encoded again.
    native = settings.get("format", sink.format) == "json" and _limit(settings, sink) is None
    return MessageRules(route_of(settings, sink), None if native else encoder(settings, sink))


def route_of(settings: SinkSettings, sink: Sink) -> routes.Route | None:
    """The route of the settings, narrowed by what the sink is for. Raises UsageError where the
    settings name no condition.
    """
    try:
        wanted = None if settings.when is UNSET else routes.parse(settings.when)
    except UsageError as error:
        raise UsageError(f"{settings.title}: {error}") from None
    # A chat gets critical alerts whatever the settings say; `when` can only narrow that.
    return wanted if sink.only is None else routes.both(routes.parse(sink.only), wanted)


def _limit(settings: SinkSettings, sink: Sink) -> int | None:
    # A sink that computes a limit (syslog) has read the setting itself.
    limit: int | None = (
        settings.get("max_bytes", None) if sink.max_bytes is None else sink.max_bytes
    )
    return limit


def encoder(settings: SinkSettings, sink: Sink) -> Callable[[Alert], bytes]:
    """The format of the settings, or the sink's own. Raises UsageError."""
    # Here and not above: a sink of native JSON needs no format, and a start should not load one.
    from jwtleak.formats.interface import EVENT_FORMATS, FormatOptions, by_name

    name = settings.get("format", sink.format)
    if name not in EVENT_FORMATS:
        raise UsageError(
            f"{settings.title}: there is no format {name!r} for sinks: "
            f"one of {', '.join(EVENT_FORMATS)}"
        )
    timestamp = settings.get("timestamp", "detected")
    return by_name(
        name, FormatOptions(timestamp=timestamp, max_bytes=_limit(settings, sink), ascii=sink.ascii)
    ).encode
