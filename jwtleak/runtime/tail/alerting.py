"""Roll-ups: the first sight of a token in a stream is told at once, its repeats once a window.

Promises: what was counted before is not counted again, whoever re-reads; a higher severity than was
told is told at once; counts, windows and the alert that will sum them up are in the store with the
cursor that covers them. Memory is bounded: what is not in it is asked of the store.
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
from jwtleak.core.engine import Engine
from jwtleak.runtime.scan.collector import safe_info
from jwtleak.runtime.tail.readers import TailStream
from jwtleak.store.interface import OutboxEntry, Sighting
from jwtleak.types import SEVERITIES, Finding, StreamInfo

# Tokens remembered outside the store, about a kilobyte each with the alert that would sum them up.
REMEMBERED = 16_384

# Repeats that are told in one round; more of them wait for the next, which follows at once.
AT_ONCE = 1000

_decode = msgspec.json.Decoder(Alert).decode


class Memory(Protocol):
    """What the store knows of sightings."""

    def sighting(self, stream: str, sha256: str) -> Sighting | None: ...
    def sightings(self, stream: str | None = None) -> list[Sighting]: ...
    def due(self, now_ms: int, limit: int = 1000) -> list[Sighting]: ...


class _Known:
    """What is known of one token in one stream. `newest` is the last sighting that was not told,
    `opened` the time of the first such, `place` its offset.
    """

    __slots__ = ("newest", "opened", "place", "sighting")

    def __init__(self, sighting: Sighting) -> None:
        self.sighting = sighting
        self.newest: WireAlert | None = None
        self.opened = 0
        self.place = 0


class Rollup:
    """Decides which sightings become letters. `changed` goes into the next commit, then `settled`
    is to be called.

    `even_ms` gives Unix milliseconds that do not jump while the program runs: windows end by it.
    Alerts show the times that they are given.
    """

    def __init__(
        self, memory: Memory, window_ms: int, even_ms: Callable[[], int], capacity: int = REMEMBERED
    ) -> None:
        self._memory = memory
        self._even_ms = even_ms
        self._window = window_ms
        self._capacity = capacity
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._changed: dict[tuple[str, str], _Known] = {}
        self.suppressed = 0  # sightings that had no alert of their own

    def see(
        self, stream: str, name: str, record: WireAlert, now_ms: int, *, always: bool = False
    ) -> OutboxEntry | None:
        """One more sighting, named `name`. `always`: it is told even where its token is known."""
        key = (stream, record.sha256)
        known = self._recall(key)
        if known is None:
            self._put(key, _Known(_first(stream, name, record, now_ms)))
            return _letter(name, record)
        seen = known.sighting
        if record.offset <= seen.last_offset and not always:
            return None
        worse = SEVERITIES.index(record.severity) < SEVERITIES.index(seen.severity)
        told = always or worse or self._window == 0
        self._count(key, known, name, record, now_ms, told=told)
        return _letter(name, record) if told else None

    def _count(
        self,
        key: tuple[str, str],
        known: _Known,
        name: str,
        record: WireAlert,
        now_ms: int,
        *,
        told: bool,
    ) -> None:
        seen = known.sighting
        if not told:
            self.suppressed += 1
            if seen.since == 0:
                known.opened, known.place = now_ms, record.offset
            known.newest = record
        known.sighting = replace(
            seen,
            last_id=name,
            since=seen.since + (not told),
            total=seen.total + 1,
            last_offset=max(seen.last_offset, record.offset),
            last_ms=now_ms,
            severity=min(seen.severity, record.severity, key=SEVERITIES.index),
            window_end_ms=self._even_ms() + self._window
            if not told and seen.since == 0
            else seen.window_end_ms,
        )
        self._put(key, known)

    def due(self) -> Iterator[OutboxEntry]:
        """One `repeat` for each token whose window is over, at most AT_ONCE of them."""
        for one in self._memory.due(self._even_ms(), AT_ONCE):
            letter = self._sum_up((one.stream, one.sha256), one)
            if letter is not None:
                yield letter

    def end(self, stream: str) -> Iterator[OutboxEntry]:
        """The stream is over: what is still to be summed up. Nothing of it is remembered."""
        keys = {key: known.sighting for key, known in self._known.items() if key[0] == stream}
        for one in self._memory.sightings(stream):
            keys.setdefault((stream, one.sha256), one)
        for key, one in keys.items():
            letter = self._sum_up(key, one)
            if letter is not None:
                yield letter
            self._known.pop(key, None)
            self._changed.pop(key, None)

    def _sum_up(self, key: tuple[str, str], stored: Sighting) -> OutboxEntry | None:
        known = self._recall(key, stored)
        assert known is not None
        seen = known.sighting
        if seen.since == 0:  # told meanwhile, and not stored yet
            return None
        body = _body(known)
        known.newest = None
        known.sighting = replace(seen, since=0, body=b"")
        self._put(key, known)
        alert = _decode(body)
        return OutboxEntry(
            id=alert.id, fingerprint=seen.sha256, severity=alert.severity, event="repeat", body=body
        )

    def early(self, stream: str, offset: int) -> dict[int, str]:
        """Alerts given for tokens at or behind `offset`, where a cursor stayed for them: their ids
        by offset.
        """
        return {
            one.last_offset: one.last_id
            for one in self._memory.sightings(stream)
            if one.last_offset >= offset
        }

    def changed(self) -> list[Sighting]:
        """What is to be stored."""
        for known in self._changed.values():
            if known.newest is not None:
                known.sighting = replace(known.sighting, body=_body(known))
                known.newest = None
        return [known.sighting for known in self._changed.values()]

    @property
    def waiting(self) -> bool:
        """Whether something is to be stored."""
        return bool(self._changed)

    def settled(self) -> None:
        """All of `changed` is stored: what is too much for the memory is left to the store."""
        self._changed.clear()
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)

    def _recall(self, key: tuple[str, str], stored: Sighting | None = None) -> _Known | None:
        known = self._known.get(key)
        if known is None:
            stored = stored or self._memory.sighting(*key)
            if stored is None:
                return None
            known = _Known(stored)
        self._known[key] = known
        self._known.move_to_end(key)
        return known

    def _put(self, key: tuple[str, str], known: _Known) -> None:
        self._known[key] = self._changed[key] = known
        self._known.move_to_end(key)


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


def _letter(name: str, record: WireAlert) -> OutboxEntry:
    return OutboxEntry(
        id=name,
        fingerprint=record.sha256,
        severity=record.severity,
        event="leak",
        body=record.json(),
    )


def _body(known: _Known) -> bytes:
    """The alert that sums up what was not told: the newest sighting, with the count, the first
    place and the times.
    """
    seen = known.sighting
    if known.newest is None:
        return seen.body
    if seen.body:  # of this window, and stored before
        before = _decode(seen.body)
        opened, place = before.first_seen, before.sightings.first_offset
    else:
        opened, place = rfc3339(known.opened), known.place
    return to_json(
        replace(
            known.newest.alert(),
            event="repeat",
            first_seen=opened,
            last_seen=rfc3339(seen.last_ms),
            sightings=Sightings(seen.since, place, seen.last_offset),
        )
    )


# From findings to letters: builds the alert, names what it replaces, asks the roll-up whether it is
# told.
#
# Promises: an alert that was given before its token had ended is not given again when nothing came
# after it, and is replaced, by name, when more did.

# Makers of alerts that are kept, each for one stream: those of the streams that leak now.
BUILDERS = 256


class AlertEmitter:
    """Makes letters. `alert_context` gives what alerts say beyond the finding, for a time; `clock` gives
    Unix seconds.
    """

    def __init__(
        self,
        alert_context: Callable[[float], AlertContext],
        selection: Selection,
        rollup: Rollup,
        clock: Callable[[], float],
    ) -> None:
        self._alert_context = alert_context
        self._selection = selection
        self._rollup = rollup
        self._clock = clock
        self._builders: OrderedDict[tuple[str, str], Builder] = OrderedDict()
        self.kept_back = 0  # sightings that the policy keeps back

    def tell(
        self, stream: TailStream, engine: Engine, found: list[Finding], *, early: bool = False
    ) -> Iterator[OutboxEntry]:
        """The letters for what was found in `stream`; `early`: more bytes could change it."""
        if found:
            yield from self._letters(stream, engine, found, early)
        if stream.early:
            stream.early = {at: name for at, name in stream.early.items() if at >= stream.offset}

    def _letters(
        self, stream: TailStream, engine: Engine, found: list[Finding], early: bool
    ) -> Iterator[OutboxEntry]:
        now = self._clock()
        builder = self._builder(stream, self._alert_context(now))
        for one in found:
            name = engine.occurrence(one)
            before = stream.early.get(one.offset)
            if before == name:
                continue
            alert = builder.build(one, name)
            if before is not None:
                alert = replace(alert, supersedes=before)
            record = to_wire(alert)
            if not self._wants(record):
                continue
            if early:
                stream.early[one.offset] = name
            letter = self._rollup.see(
                stream.name, name, record, int(now * 1000), always=before is not None
            )
            if letter is not None:
                yield letter

    def _wants(self, record: WireAlert) -> bool:
        if record.suppressed:
            self.kept_back += 1
            return False
        return self._selection.wants(record)

    def _builder(self, stream: TailStream, alert_context: AlertContext) -> Builder:
        """One for each stream, since it remembers; another one when the stream has another path."""
        key = stream.name, stream.path
        builder = self._builders.get(key)
        if builder is None:
            builder = Builder(safe_info(StreamInfo("file", stream.path)), alert_context)
            if len(self._builders) >= BUILDERS:
                self._builders.popitem(last=False)
            self._builders[key] = builder
        self._builders.move_to_end(key)
        builder.at(alert_context)
        return builder
