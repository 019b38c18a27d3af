"""A session: the daemon with one configuration, from the first poll to the last alert.

Promises: nothing begins before everything was checked; at the end everything that was judged is
stored, and what waits is delivered as far as the deadline allows; everything that the next session
needs is in the store.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from jwtleak.alerts.builder import AlertContext
from jwtleak.core.channel import Channels
from jwtleak.core.custom_patterns import UserPatterns
from jwtleak.core.engine import Engine
from jwtleak.errors import UsageError
from jwtleak.follow.follower import Follower
from jwtleak.patterns import load_channels, load_user_patterns
from jwtleak.runtime.assessment import prepare, warn_expired_rules
from jwtleak.runtime.clock import Clocks
from jwtleak.runtime.config import seconds
from jwtleak.runtime.delivery.delivery import Delivery, own_files
from jwtleak.runtime.delivery.delivery import check as check_sinks
from jwtleak.runtime.delivery.sender import SinkHealth
from jwtleak.runtime.service.limiter import Limiter
from jwtleak.runtime.tail.alerting import AlertEmitter, Rollup
from jwtleak.runtime.tail.backpressure import Backpressure
from jwtleak.runtime.tail.checkpoint import Checkpoint, FileMarks, Marks
from jwtleak.runtime.tail.config import TailConfig
from jwtleak.runtime.tail.heartbeat import Heartbeat
from jwtleak.runtime.tail.loop import Loop
from jwtleak.runtime.tail.output import TailOutput
from jwtleak.runtime.tail.records import RecordLoop, RecordMarks
from jwtleak.runtime.tail.telemetry import Reporter, Voices
from jwtleak.sources.interface import open_records, record_source
from jwtleak.store import Store

_DAY = 86400
# Standard output and error may have been redirected to a file in a directory that is followed.
_STANDARD = (1, 2)


class Session:
    """`begin`, then run or catch up `loop`, then `close`."""

    def __init__(
        self, settings: TailConfig, store: Store, key: bytes, voices: Voices, clocks: Clocks
    ) -> None:
        self._settings, self._store, self._clocks, self._voices = settings, store, clocks, voices
        tail = settings.tail
        self._host = tail.host or os.uname().nodename
        self._patterns = load_user_patterns(tail.patterns)
        self._delivery = Delivery(
            store,
            settings.sinks,
            say=lambda text: voices.log.warning("sink", text),
            timestamp="event",
        )
        self._backpressure = Backpressure(
            store,
            tail.spool,
            tail.when_full,
            clocks.steady,
            self._delivery.dropped,
            self._delivery.full,
        )
        self.reporter = Reporter(
            voices, self._backpressure, self._delivery.health, clocks.ms, polling=tail.poll
        )
        self._contexts = _DailyContext(
            settings,
            AlertContext(clocks.wall(), self._host, key),
            lambda text: voices.log.warning("policy", text),
        )
        self.source = source_of(settings)
        self.loop: Loop | RecordLoop
        if self.source is None:
            self._open_files()
        else:
            self._open_records(self.source)

    def _open_files(self) -> None:
        follower = Follower(
            self._settings.tail,
            self._store.cursors(),
            clock=self._clocks.steady,
            own=_outputs(self._settings),
            sealed=self._store.own_files,
        )
        self._start_source, self._close_source = follower.start, follower.close
        output = self._output(FileMarks(follower))
        self.loop = Loop(follower, output, _maker(self._patterns), self._limiter())

    def _open_records(self, url: str) -> None:
        name = url.rstrip(":")
        positions = self._store.positions(name)
        source = open_records(url, {one.stream: one.position for one in positions})
        if source.warning is not None:
            self._voices.log.warning("source", source.warning)
        self._start_source, self._close_source = (lambda: None), source.close
        self.loop = RecordLoop(
            source,
            positions,
            self._output(RecordMarks(source, name)),
            _maker(self._patterns),
            self._limiter(),
        )

    def _limiter(self) -> Limiter:
        return Limiter(self._settings.tail.rate, self._clocks.steady)

    def _output(self, marks: Marks[Any]) -> TailOutput[Any]:
        tail, store, clocks = self._settings.tail, self._store, self._clocks
        rollup = Rollup(store, int(seconds(tail.window) * 1000), clocks.even())
        heartbeat = None if tail.heartbeat is None else seconds(tail.heartbeat)
        return TailOutput(
            emitter=AlertEmitter(self._contexts.at, self._settings.selection, rollup, clocks.wall),
            rollup=rollup,
            heartbeat=Heartbeat(heartbeat, self._host),
            checkpoint=Checkpoint(store, marks, rollup, clocks.steady, self._delivery.addressed),
            backpressure=self._backpressure,
            observer=self.reporter,
            poke=self._delivery.poke,
            clocks=clocks,
        )

    def begin(self) -> None:
        """Start to watch, to deliver and to read."""
        # Watched before the first poll: what is written in between must not go unnoticed.
        self._start_source()
        self._delivery.start()
        # Alerts of the last run may wait, and nothing else would wake their sinks.
        self._delivery.poke()
        self.loop.begin()

    def close(self, deadline: float) -> list[SinkHealth]:
        """Deliver within `deadline` seconds and close everything. Sinks with undelivered alerts."""
        try:
            return self._delivery.close(deadline)
        finally:
            self._close_source()

    def reopen(self) -> None:
        """Files of sinks were rotated."""
        self._delivery.reopen()


def source_of(settings: TailConfig) -> str | None:
    """The URL of the record source that is to be read; None if files are followed. Raises
    UsageError for both at once.
    """
    paths = settings.tail.paths
    sources = [path for path in paths if record_source(path) is not None]
    if not sources:
        return None
    if len(paths) > 1:
        # Two loops would need two threads, and one writer of the state.
        raise UsageError(
            f"{sources[0]} cannot be followed together with other paths: start a second tail with "
            "a state directory of its own"
        )
    return record_source(sources[0])


def check(settings: TailConfig) -> None:
    """Raises JwtleakError for settings with which no session could begin; nothing is changed or
    connected.
    """
    check_sinks(settings.sinks, settings.tail.spool)
    if settings.metrics is not None:
        from jwtleak.runtime.service.endpoint import parse

        parse(settings.metrics)
    load_user_patterns(settings.tail.patterns)
    prepare(AlertContext(0.0, None, b""), settings.assessment, lambda _: None)
    if source_of(settings) is None:
        Follower(settings.tail).close()


class _DailyContext:
    """The context of alerts at a time. Rules of the policy expire at the end of a day, which is
    logged.
    """

    def __init__(
        self, settings: TailConfig, context: AlertContext, warn: Callable[[str], None]
    ) -> None:
        self._warn = warn
        self._context = prepare(context, settings.assessment, warn, refresh_keys=True)
        self._day = context.now // _DAY

    def at(self, now: float) -> AlertContext:
        """The context at Unix time `now`."""
        if now // _DAY != self._day:
            self._day = now // _DAY
            if self._context.policy is not None:
                warn_expired_rules(self._context.policy, now, self._warn)
        return replace(self._context, now=now)


def _maker(patterns: UserPatterns) -> Callable[[], Engine]:
    channels = Channels(load_channels())
    channels.classify(b"", b"")  # compiles them now: the first alert should not wait for that
    return lambda: Engine(channels, None, patterns)


def _outputs(settings: TailConfig) -> Callable[[], frozenset[tuple[int, int]]]:
    """Our own output files by (device, inode): the program would read its own alerts."""
    written: list[Path | int] = [*own_files(settings.sinks), *_STANDARD]
    return lambda: frozenset(place for output in written for place in _identity(output))


def _identity(output: Path | int) -> list[tuple[int, int]]:
    try:
        status = os.stat(output)
    except OSError:
        return []  # not made yet
    # A terminal or a pipe is no file that could be followed.
    return [(status.st_dev, status.st_ino)] if stat.S_ISREG(status.st_mode) else []
