"""All sinks at work: a thread for each, started, woken, asked and stopped together.

Promises: settings are checked before anything starts; one sink's trouble is its own; `close` ends
within its deadline and says what is still waiting, which stays in the store.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from msgspec.structs import replace

from jwtleak.errors import UsageError
from jwtleak.runtime.clock import Clock, SystemClock
from jwtleak.runtime.delivery import queues
from jwtleak.runtime.delivery.messages import PendingQueue, Unreadable, opener, read, route_of
from jwtleak.runtime.delivery.queues import Queues
from jwtleak.runtime.delivery.route import Route, everything
from jwtleak.runtime.delivery.sender import Say, Sender, SinkHealth
from jwtleak.sinks.interface import Sink, open_sink
from jwtleak.sinks.settings import SinkSettings
from jwtleak.store.interface import OutboxEntry

# Which sinks a letter is for: what a sink's condition leaves out does not come into its queue, and
# takes no room there.
#
# Promises: a letter that cannot be read goes to all, and becomes a dead letter there.


class Addressing:
    """`routes` is by sink. Where no sink has a condition nothing is read."""

    def __init__(self, routes: Mapping[str, Route]) -> None:
        self._routes = routes if any(one is not everything for one in routes.values()) else {}

    def of(self, letters: Iterable[OutboxEntry]) -> list[OutboxEntry]:
        """The same letters, with the sinks that they are for."""
        return [self._addressed(one) for one in letters] if self._routes else list(letters)

    def _addressed(self, letter: OutboxEntry) -> OutboxEntry:
        try:
            alert = read(letter.body)
        except Unreadable:
            return letter
        return replace(
            letter, sinks=tuple(name for name, wanted in self._routes.items() if wanted(alert))
        )


# Seconds for a thread to notice that it must stop, where it does not hang.
_LAST_WORD = 0.5


class Outbox(Protocol):
    """What delivery needs of the store."""

    def register(self, sinks: Sequence[str]) -> object: ...
    def queue(self, sink: str) -> PendingQueue: ...
    def queue_bytes(self) -> dict[str, int]: ...
    def trim(self, sink: str, cap: int, after: int = 0) -> int: ...


class Delivery:
    """`start`, then `poke` after each commit, `health` at any time, `close` at the end."""

    def __init__(
        self,
        store: Outbox,
        settings: Sequence[SinkSettings],
        *,
        say: Say = lambda _: None,
        clock: Clock | None = None,
        timestamp: Literal["event", "detected"] = "detected",
    ) -> None:
        """`timestamp` is for sinks whose settings do not say at which time their events stand."""
        settings = [replace(one, timestamp=one.get("timestamp", timestamp)) for one in settings]
        names = [one.title for one in settings]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UsageError(f"two sinks are named {twice[0]}: give one of them another `name`")
        self._clock = clock or SystemClock()
        sinks = [_open(one) for one in settings]
        self._workers = [
            _worker(store, one, sink, say, self._clock)
            for one, sink in zip(settings, sinks, strict=True)
        ]
        self._addressing = Addressing(
            {one.title: route_of(one, sink) for one, sink in zip(settings, sinks, strict=True)}
        )
        self._threads: list[threading.Thread] = []
        self._say = say
        self._unchecked = [one.title for one in settings if one.get("verify", True) is False]
        self._dropped: Counter[str] = Counter()
        self._queues = Queues(
            store, self._workers, lambda sink, count: self.dropped({sink: count}), say
        )
        store.register(names)

    def start(self) -> None:
        """Begin to send."""
        self._warn()
        for worker in self._workers:
            # Daemons: a sink that hangs in a system call must not keep the process from ending.
            thread = threading.Thread(target=worker.run, name=worker.name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def addressed(self, letters: Iterable[OutboxEntry]) -> list[OutboxEntry]:
        """The letters with the sinks that want them: to be done before they enter the store."""
        return self._addressing.of(letters)

    def poke(self) -> None:
        """There are new letters."""
        for worker in self._workers:
            worker.poke()

    def reopen(self) -> None:
        """Files were rotated, certificates or credentials renewed."""
        self._warn()
        for worker in self._workers:
            worker.reopen()

    def _warn(self) -> None:
        """Said again and again: what was meant for a test stays for years."""
        for name in self._unchecked:
            self._say(
                f"sink {name}: certificates are not checked (verify = false): alerts may go to anybody"
            )

    def health(self) -> list[SinkHealth]:
        """How each sink is; the queues are as they were counted within the last second or so."""
        return [
            replace(worker.health, dropped=self._dropped[worker.name]) for worker in self._workers
        ]

    def dropped(self, counts: Mapping[str, int]) -> None:
        """So many letters of each sink went because the spool was full (`Store.drop_oldest`)."""
        self._dropped.update(counts)

    def full(self) -> str | None:
        """The sink whose full queue has to be waited for; None where nothing has to wait. Drops
        what sinks' own bounds let go. For the thread that has the store.
        """
        return self._queues.full()

    def close(self, deadline: float) -> list[SinkHealth]:
        """Send what can be sent within `deadline` seconds, then stop. Returns the sinks that still
        have letters.
        """
        if not self._threads:  # never started
            for worker in self._workers:
                worker.close()
            return []
        for worker in self._workers:
            worker.drain()
        end = time.monotonic() + deadline
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        for worker in self._workers:
            worker.stop()
        for thread in self._threads:
            thread.join(_LAST_WORD)
        alive = {thread.name for thread in self._threads if thread.is_alive()}
        left = [one.health for one in self._workers if one.name in alive or one.health.queued]
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


def _worker(store: Outbox, settings: SinkSettings, sink: Sink, say: Say, clock: Clock) -> Sender:
    return Sender(
        settings, sink, opener(settings, sink), lambda: store.queue(settings.title), say, clock
    )


def own_files(settings: Sequence[SinkSettings]) -> list[Path]:
    """Files that sinks write, which must never be followed."""
    return [Path(one.address.path) for one in settings if one.address.scheme == "file"]


def check(settings: Sequence[SinkSettings], spool: int) -> None:
    """Raises UsageError for settings that cannot work over a spool of so many bytes; opens no
    connection.
    """
    queues.check(settings, spool)
    for one in settings:
        sink = open_sink(one)
        try:
            opener(one, sink)
        finally:
            sink.close()
