"""From findings to outbox entries: the first sighting of a token in a stream is an alert at once,
its repeats are summed up once a window.

Promises: a sighting is counted once, however often its bytes are read again; a severity higher than
any reported before is reported at once; counts, windows and the alert that will sum them up are
stored with the cursor that covers them. An alert that was sent before its token had ended is not
sent again if nothing followed; if something did, the new alert names the one that it replaces.
Memory is bounded: what is not in memory is read from the store.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec
from msgspec.structs import replace

from jwtleak.alerts.alert import Alert, Sightings, to_json
from jwtleak.alerts.builder import AlertContext, Builder
from jwtleak.alerts.fields import rfc3339
from jwtleak.alerts.wire import Selection, WireAlert, to_wire
from jwtleak.runtime.scan.collector import safe_info
from jwtleak.runtime.tail.readers import StreamState
from jwtleak.store.interface import OutboxEntry, Sighting
from jwtleak.types import SEVERITIES, Finding, StreamInfo

# Tokens in memory, about a kilobyte each with the alert that would sum them up.
REMEMBERED = 16_384

# Repeats that one round sends; the rest goes with the next round, which follows at once.
AT_ONCE = 1000

# Alert builders in memory, one per stream: those of the streams that leak now.
BUILDERS = 256

_decode = msgspec.json.Decoder(Alert).decode


class SightingStore(Protocol):
    """What the roll-up reads from the store."""

    def sighting(self, stream: str, sha256: str) -> Sighting | None: ...
    def sightings(self, stream: str | None = None) -> list[Sighting]: ...
    def due(self, now_ms: int, limit: int = 1000) -> list[Sighting]: ...


class _Repeats:
    """One token in one stream. Since the last commit: `newest` is the last sighting without an
    alert, `opened` the time of the first such sighting and `first` its offset.
    """

    __slots__ = ("first", "newest", "opened", "sighting")

    def __init__(self, sighting: Sighting) -> None:
        self.sighting = sighting
        self.newest: WireAlert | None = None
        self.opened = 0
        self.first = 0


# One token in one stream, with a window of 60 s:
#
#     time       0 s         7 s       20 s                67 s       95 s
#     sighting   1           2         3                   |          4
#     sent       leak (1)    -         -                   repeat:    -        ... repeat at 155 s
#                                                          2 sightings
#     window                 [--------- 60 s --------------]          [------ 60 s ...
#     `since`    0           1         2                   0          1
#
# The window opens with the first sighting that has no alert of its own, so that a token seen once
# costs nothing later. A sighting that is more severe than `severity` is sent at once as a leak and
# is not part of the repeat. A sighting at or before `last_offset` was counted before a crash.


class Rollup:
    """Decides which sightings become outbox entries. `changed` goes into the next commit; call
    `settled` after it.

    `even_ms` is a clock of Unix milliseconds that does not jump: windows end by it. Alerts show the
    times that the caller passes in.
    """

    def __init__(
        self,
        store: SightingStore,
        window_ms: int,
        even_ms: Callable[[], int],
        capacity: int = REMEMBERED,
    ) -> None:
        self._store = store
        self._even_ms = even_ms
        self._window = window_ms
        self._capacity = capacity
        self._tokens: OrderedDict[tuple[str, str], _Repeats] = OrderedDict()
        self._changed: dict[tuple[str, str], _Repeats] = {}
        self.suppressed = 0  # sightings without an alert of their own

    def see(
        self, stream: str, name: str, record: WireAlert, now_ms: int, *, always: bool = False
    ) -> OutboxEntry | None:
        """Count one sighting with the id `name`; its alert if it is to be sent. `always` sends it
        even if the token was seen before.
        """
        key = (stream, record.sha256)
        repeats = self._recall(key)
        if repeats is None:
            self._put(key, _Repeats(_first(stream, name, record, now_ms)))
            return _entry(name, record)
        seen = repeats.sighting
        # After a crash bytes behind the stored offset are read again, and their sightings may be
        # stored already. A replacement of an early alert has the offset of what it replaces.
        if record.offset <= seen.last_offset and not always:
            return None
        worse = SEVERITIES.index(record.severity) < SEVERITIES.index(seen.severity)
        sent = always or worse or self._window == 0
        first_of_window = not sent and seen.since == 0
        if not sent:
            self.suppressed += 1
            if first_of_window:
                repeats.opened, repeats.first = now_ms, record.offset
            repeats.newest = record
        repeats.sighting = replace(
            seen,
            last_id=name,
            since=seen.since + (not sent),
            total=seen.total + 1,
            last_offset=max(seen.last_offset, record.offset),
            last_ms=now_ms,
            severity=min(seen.severity, record.severity, key=SEVERITIES.index),
            window_end_ms=self._even_ms() + self._window if first_of_window else seen.window_end_ms,
        )
        self._put(key, repeats)
        return _entry(name, record) if sent else None

    def due(self) -> Iterator[OutboxEntry]:
        """A `repeat` for each token whose window is over, at most AT_ONCE of them."""
        # From the store and not from memory, which has only the tokens seen last. A window that was
        # opened since the last commit is found after the next one.
        for sighting in self._store.due(self._even_ms(), AT_ONCE):
            entry = self._sum_up((sighting.stream, sighting.sha256), sighting)
            if entry is not None:
                yield entry

    def sum_up(self, stream: str) -> Iterator[OutboxEntry]:
        """A `repeat` for each token of the stream that waits for one, before its window is over."""
        for key, sighting in self._sightings_of(stream):
            entry = self._sum_up(key, sighting)
            if entry is not None:
                yield entry

    def end(self, stream: str) -> Iterator[OutboxEntry]:
        """The same for a stream that has ended. The caller deletes its sightings."""
        for key, sighting in self._sightings_of(stream):
            entry = self._sum_up(key, sighting)
            if entry is not None:
                yield entry
            self._tokens.pop(key, None)
            self._changed.pop(key, None)

    def _sightings_of(self, stream: str) -> list[tuple[tuple[str, str], Sighting]]:
        # What is in memory is newer than the store.
        found = {key: known.sighting for key, known in self._tokens.items() if key[0] == stream}
        for sighting in self._store.sightings(stream):
            found.setdefault((stream, sighting.sha256), sighting)
        return list(found.items())

    def _sum_up(self, key: tuple[str, str], stored: Sighting) -> OutboxEntry | None:
        repeats = self._recall(key, stored)
        assert repeats is not None
        seen = repeats.sighting
        if seen.since == 0:  # summed up since the last commit: the store does not know it yet
            return None
        body = _body(repeats)
        # The window closes here: the next sighting opens another one.
        repeats.newest = None
        repeats.sighting = replace(seen, since=0, body=b"")
        self._put(key, repeats)
        alert = _decode(body)
        return OutboxEntry(
            id=alert.id, fingerprint=seen.sha256, severity=alert.severity, event="repeat", body=body
        )

    def early(self, stream: str, offset: int) -> dict[int, str]:
        """Ids by offset of the alerts for tokens at or behind `offset`: a cursor stays before a
        token that was reported before it had ended.
        """
        return {
            sighting.last_offset: sighting.last_id
            for sighting in self._store.sightings(stream)
            if sighting.last_offset >= offset
        }

    def changed(self) -> list[Sighting]:
        """The sightings to be stored."""
        for repeats in self._changed.values():
            if repeats.newest is not None:
                # Encoded once per commit and not per sighting: only the last one is ever read.
                repeats.sighting = replace(repeats.sighting, body=_body(repeats))
                repeats.newest = None
        return [repeats.sighting for repeats in self._changed.values()]

    @property
    def waiting(self) -> bool:
        """Whether something is to be stored."""
        return bool(self._changed)

    def settled(self) -> None:
        """All of `changed` is stored."""
        self._changed.clear()
        # Only now: a token that is forgotten before its sighting is stored would be new again.
        while len(self._tokens) > self._capacity:
            self._tokens.popitem(last=False)

    def _recall(self, key: tuple[str, str], stored: Sighting | None = None) -> _Repeats | None:
        repeats = self._tokens.get(key)
        if repeats is None:
            stored = stored or self._store.sighting(*key)
            if stored is None:
                return None
            repeats = _Repeats(stored)
        self._tokens[key] = repeats
        self._tokens.move_to_end(key)
        return repeats

    def _put(self, key: tuple[str, str], repeats: _Repeats) -> None:
        self._tokens[key] = self._changed[key] = repeats
        self._tokens.move_to_end(key)


def _first(stream: str, name: str, record: WireAlert, now_ms: int) -> Sighting:
    return Sighting(
        stream=stream,
        sha256=record.sha256,
        first_id=name,
        last_id=name,
        since=0,
        total=1,
        first_offset=record.offset,
        last_offset=record.offset,
        first_ms=now_ms,
        last_ms=now_ms,
        severity=record.severity,
        window_end_ms=0,
    )


def _entry(name: str, record: WireAlert) -> OutboxEntry:
    return OutboxEntry(
        id=name,
        fingerprint=record.sha256,
        severity=record.severity,
        event="leak",
        body=record.json(),
    )


def _body(repeats: _Repeats) -> bytes:
    """The alert that sums up a window: the newest sighting with the count, the first offset and the
    times.
    """
    seen = repeats.sighting
    if repeats.newest is None:
        return seen.body
    if seen.body:  # the window began before the last commit, and the first sighting is in the body
        before = _decode(seen.body)
        opened, first = before.first_seen, before.sightings.first_offset
    else:
        opened, first = rfc3339(repeats.opened), repeats.first
    return to_json(
        replace(
            repeats.newest.alert(),
            event="repeat",
            first_seen=opened,
            last_seen=rfc3339(seen.last_ms),
            sightings=Sightings(seen.since, first, seen.last_offset),
        )
    )


class AlertEmitter:
    """Makes outbox entries of findings. `context_at` is the context of alerts at a time, `clock`
    gives Unix seconds.
    """

    def __init__(
        self,
        context_at: Callable[[float], AlertContext],
        selection: Selection,
        rollup: Rollup,
        clock: Callable[[], float],
    ) -> None:
        self._context_at = context_at
        self._selection = selection
        self._rollup = rollup
        self._clock = clock
        self._builders: OrderedDict[tuple[str, StreamInfo], Builder] = OrderedDict()
        self.kept_back = 0  # sightings that the policy keeps back

    def emit(
        self,
        stream: StreamState,
        name_of: Callable[[Finding], str],
        found: list[Finding],
        *,
        early: bool = False,
    ) -> Iterator[OutboxEntry]:
        """The entries for findings in `stream`. `name_of` gives the id of an occurrence; `early`:
        more bytes could change the findings.
        """
        if found:
            yield from self._entries(stream, name_of, found, early)
        if stream.early:
            # Behind the offset nothing can be found again: only those ids are still needed.
            stream.early = {at: name for at, name in stream.early.items() if at >= stream.offset}

    def _entries(
        self,
        stream: StreamState,
        name_of: Callable[[Finding], str],
        found: list[Finding],
        early: bool,
    ) -> Iterator[OutboxEntry]:
        now = self._clock()
        builder = self._builder(stream, self._context_at(now))
        for finding in found:
            name = name_of(finding)
            before = stream.early.get(finding.offset)
            if before == name:
                continue  # the early alert was right: nothing was appended to its token
            alert = builder.build(finding, name)
            if before is not None:
                alert = replace(alert, supersedes=before)
            record = to_wire(alert)
            # The selection comes before the roll-up: a sighting that nobody wants must not make a
            # later one, which is more severe, look like a repeat.
            if not self._wants(record):
                continue
            if early:
                stream.early[finding.offset] = name
            entry = self._rollup.see(
                stream.name, name, record, int(now * 1000), always=before is not None
            )
            if entry is not None:
                yield entry

    def _wants(self, record: WireAlert) -> bool:
        if record.suppressed:
            self.kept_back += 1
            return False
        return self._selection.wants(record)

    def _builder(self, stream: StreamState, context: AlertContext) -> Builder:
        """The builder of the stream. A stream that was renamed gets a new one, since the builder
        keeps the cleaned path.
        """
        key = stream.name, stream.info
        builder = self._builders.get(key)
        if builder is None:
            builder = Builder(safe_info(stream.info), context)
            if len(self._builders) >= BUILDERS:
                self._builders.popitem(last=False)
            self._builders[key] = builder
        self._builders.move_to_end(key)
        builder.at(context)
        return builder
