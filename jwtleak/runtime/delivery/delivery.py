"""All sinks at work: one thread each, started, poked, asked and stopped together.

Promises: settings are checked before anything starts; one sink's trouble stays its own; `close`
returns within its deadline and names the sinks that still have alerts, which stay in the store. A
sink with `drop-oldest` loses its own oldest alerts, counted, and delays nobody; a sink that is
waited for loses nothing; alerts in flight are not dropped.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

import msgspec
from msgspec.structs import replace

from jwtleak.errors import StoreError, UsageError
from jwtleak.runtime.clock import Clock, SystemClock
from jwtleak.runtime.delivery.messages import AlertQueue, decode, route_of, rules_of
from jwtleak.runtime.delivery.route import Route
from jwtleak.runtime.delivery.sender import Say, Sender, SinkHealth
from jwtleak.sinks.interface import Sink, open_sink
from jwtleak.sinks.settings import SinkSettings
from jwtleak.store.interface import OutboxEntry

# Seconds for a thread to notice that it must stop, unless it hangs in a sink.
_LAST_WORD = 0.5


class DeliveryStore(Protocol):
    """What delivery needs of the store."""

    def register(self, sinks: Sequence[str]) -> object: ...
    def queue(self, sink: str) -> AlertQueue: ...
    def queue_bytes(self) -> dict[str, int]: ...
    def trim(self, sink: str, cap: int, after: int = 0) -> int: ...


class Addressing:
    """Which sinks an alert is for, decided before it enters the outbox: an alert that a sink's
    condition excludes takes no room in the sink's queue. `routes` is by sink.

    Promises: an alert that cannot be decoded where a route needs it goes to all sinks, and becomes
    a dead letter there.
    """

    def __init__(self, routes: Mapping[str, Route | None]) -> None:
        self._routes = routes if any(routes.values()) else {}

    def of(self, entries: Iterable[OutboxEntry]) -> list[OutboxEntry]:
        """The same entries, with the sinks that they are for."""
        return [self._addressed(entry) for entry in entries] if self._routes else list(entries)

    def _addressed(self, entry: OutboxEntry) -> OutboxEntry:
        sinks = []
        for name, route in self._routes.items():
            if route is None:
                wanted = True
            elif route.entry_is_enough:
                wanted = route.wants(entry)
            else:
                # `decode` remembers the alert: the senders do not decode it again.
                try:
                    wanted = route.wants(decode(entry.body))
                except msgspec.DecodeError:
                    return entry
            if wanted:
                sinks.append(name)
        return replace(entry, sinks=tuple(sinks))


class QueueBounds:
    """The bounds of single sinks, besides that of the spool, which is for all of them together.

    The thread that has the store decides alone what is dropped. A sender's own thread could only
    drop between two batches: while it hangs in `send` its queue would grow into the spool, and
    reading would wait for a sink that nobody wants to wait for.
    """

    def __init__(
        self, store: DeliveryStore, senders: Sequence[Sender], dropped: Counter[str], say: Say
    ) -> None:
        self._store = store
        self._bounded = [
            (sender, sender.queue_limit) for sender in senders if sender.queue_limit is not None
        ]
        self._dropped = dropped
        self._say = say
        self._reported: set[str] = set()

    def full(self) -> str | None:
        """Drop what may be dropped. Returns the sink whose full queue has to be waited for, or
        None.
        """
        waiting = self._store.queue_bytes() if self._bounded else {}
        full = None
        for sender, limit in self._bounded:
            size = waiting.get(sender.name, 0)
            if sender.when_full == "drop-oldest":
                self._drop_oldest(sender, limit, size)
            elif size >= limit:
                # The first is enough: reading waits for one sink at a time.
                full = full or sender.name
        return full

    def _drop_oldest(self, sender: Sender, limit: int, size: int) -> None:
        name = sender.name
        if size > limit:
            if name not in self._reported:
                self._reported.add(name)
                self._say(f"sink {name}: its queue is full: its oldest alerts are dropped")
            with suppress(StoreError):  # the disk is full: nothing is entered either
                self._dropped[name] += sender.drop_oldest(
                    lambda in_flight: self._store.trim(name, limit, in_flight)
                )
        elif size < limit // 2:
            # Half empty, not just below the limit: a queue that drops all the time would be
            # reported at every commit.
            self._reported.discard(name)


class Delivery:
    """`start`, then `poke` after each commit, `health` at any time, `close` at the end."""

    def __init__(
        self,
        store: DeliveryStore,
        settings: Sequence[SinkSettings],
        *,
        say: Say = lambda _: None,
        clock: Clock | None = None,
        timestamp: Literal["event", "detected"] = "detected",
    ) -> None:
        """`timestamp` is the time of events for sinks whose settings name none. Raises
        UsageError.
        """
        # The lines of a daemon are seconds old, those of a scan perhaps years: callers choose the
        # default, and a sink's own setting wins.
        settings = [replace(sink, timestamp=sink.get("timestamp", timestamp)) for sink in settings]
        names = [sink.title for sink in settings]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UsageError(f"two sinks are named {twice[0]}: give one of them another `name`")
        clock = clock or SystemClock()
        # All sinks are opened before anything else is done: an error leaves no thread behind.
        pairs = [(chosen, _open(chosen)) for chosen in settings]
        self._senders = [_sender(store, chosen, sink, say, clock) for chosen, sink in pairs]
        self._addressing = Addressing(
            {chosen.title: route_of(chosen, sink) for chosen, sink in pairs}
        )
        self._threads: list[threading.Thread] = []
        self._say = say
        self._unchecked = [sink.title for sink in settings if sink.get("verify", True) is False]
        self._dropped: Counter[str] = Counter()
        self._bounds = QueueBounds(store, self._senders, self._dropped, say)
        # Last: from here on alerts enter the queues of these sinks, and alerts of former sinks
        # become dead letters. After an error above the state stays as it was.
        store.register(names)

    def start(self) -> None:
        """Begin to send."""
        self._warn()
        for sender in self._senders:
            # Daemons: a sink that hangs in a system call must not keep the process from ending.
            thread = threading.Thread(target=sender.run, name=sender.name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def addressed(self, entries: Iterable[OutboxEntry]) -> list[OutboxEntry]:
        """The entries with the sinks that want them; for entries that are about to be committed."""
        return self._addressing.of(entries)

    def poke(self) -> None:
        """There are new entries in the outbox."""
        for sender in self._senders:
            sender.poke()

    def reopen(self) -> None:
        """Files were rotated, certificates or credentials renewed."""
        self._warn()
        for sender in self._senders:
            sender.reopen()

    def _warn(self) -> None:
        """At each start and reload: a setting that was meant for a test stays for years."""
        for name in self._unchecked:
            self._say(
                f"sink {name}: certificates are not checked (verify = false): "
                "alerts may go to anybody"
            )

    def health(self) -> list[SinkHealth]:
        """The figures of each sink; its queue was counted within the last second or so."""
        return [
            replace(sender.health, dropped=self._dropped[sender.name]) for sender in self._senders
        ]

    def dropped(self, counts: Mapping[str, int]) -> None:
        """Count alerts of each sink that a full spool cost (`Store.drop_oldest`)."""
        self._dropped.update(counts)

    def full(self) -> str | None:
        """Drop what sinks with `drop-oldest` may lose. Returns the sink whose full queue has to be
        waited for, or None. For the thread that has the store.
        """
        return self._bounds.full()

    def close(self, deadline: float) -> list[SinkHealth]:
        """Send what can be sent within `deadline` seconds, then stop. Returns the sinks that still
        have alerts.
        """
        if not self._threads:  # never started, because something else failed before
            for sender in self._senders:
                sender.close()
            return []
        for sender in self._senders:
            sender.drain()
        end = time.monotonic() + deadline
        # All threads drain at once: the deadline is for all of them, not for each.
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        for sender in self._senders:
            sender.stop()
        for thread in self._threads:
            thread.join(_LAST_WORD)
        # A thread that hangs in its sink has a batch in flight, whatever its figures say.
        alive = {thread.name for thread in self._threads if thread.is_alive()}
        left = [
            sender.health
            for sender in self._senders
            if sender.name in alive or sender.health.queued
        ]
        self._threads = []
        return left


def _open(settings: SinkSettings) -> Sink:
    try:
        return open_sink(settings)
    except UsageError as error:
        title = settings.title
        raise UsageError(
            str(error) if str(error).startswith(title) else f"{title}: {error}"
        ) from None


def _sender(
    store: DeliveryStore, settings: SinkSettings, sink: Sink, say: Say, clock: Clock
) -> Sender:
    rules = rules_of(settings, sink)
    return Sender(settings, sink, rules, lambda: store.queue(settings.title), say, clock)


def own_files(settings: Sequence[SinkSettings]) -> list[Path]:
    """Files that sinks write, which must never be followed."""
    return [Path(sink.address.path) for sink in settings if sink.address.scheme == "file"]


def check(settings: Sequence[SinkSettings], spool: int) -> None:
    """Raises UsageError for settings that cannot work over a spool of so many bytes; opens no
    connection.
    """
    # Queues that drop could fill the spool: then reading would wait for their sinks after all.
    drops = [sink for sink in settings if sink.get("when_full", "wait") == "drop-oldest"]
    total = sum(sink.get("queue", 0) for sink in drops)
    if total >= spool:
        names = ", ".join(sink.title for sink in drops)
        raise UsageError(
            f"the queues of {names} hold {total} bytes together: "
            f"that must be less than the spool ({spool})"
        )
    for configured in settings:
        sink = open_sink(configured)
        try:
            rules_of(configured, sink)
        finally:
            sink.close()
