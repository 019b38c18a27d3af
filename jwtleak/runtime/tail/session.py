"""A session: the daemon with one configuration, from the first look to the last alert.

Promises: nothing begins before everything was checked; at the end what was judged is stored and
what waits is delivered, as far as the deadline allows; all that a next session needs is in the
store.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from jwtleak.alerts.builder import AlertContext
from jwtleak.core.channel import Channels
from jwtleak.core.custom_patterns import UserPatterns
from jwtleak.core.engine import Engine
from jwtleak.follow.follower import Follower
from jwtleak.patterns import load_channels, load_user_patterns
from jwtleak.runtime.assessment import prepare, warn_expired_rules
from jwtleak.runtime.config import seconds
from jwtleak.runtime.delivery.delivery import Delivery, own_files
from jwtleak.runtime.delivery.delivery import check as check_sinks
from jwtleak.runtime.delivery.sender import SinkHealth
from jwtleak.runtime.service.limiter import Limiter
from jwtleak.runtime.tail.alerting import AlertEmitter, Rollup
from jwtleak.runtime.tail.backpressure import Backpressure
from jwtleak.runtime.tail.checkpoint import Checkpoint
from jwtleak.runtime.tail.config import TailConfig
from jwtleak.runtime.tail.heartbeat import Heartbeat
from jwtleak.runtime.tail.loop import Clocks, Loop, LoopParts
from jwtleak.runtime.tail.telemetry import Reporter, Voices
from jwtleak.store import Store

_DAY = 86400
# Standard output and error may have been sent to a file in a directory that is followed.
_STANDARD = (1, 2)


class Session:
    """Everything at work. `run` or `catch_up`, then `close`."""

    def __init__(
        self, settings: TailConfig, store: Store, key: bytes, voices: Voices, clocks: Clocks
    ) -> None:
        self._settings = settings
        tail = settings.tail
        patterns = load_user_patterns(tail.patterns)
        self._delivery = Delivery(
            store,
            settings.sinks,
            say=lambda text: voices.log.warning("sink", text),
            timestamp="event",
        )
        self._follower = Follower(
            tail,
            store.cursors(),
            clock=clocks.steady,
            own=_outputs(settings),
            sealed=store.own_files,
        )
        gate = Backpressure(
            store,
            tail.spool,
            tail.when_full,
            clocks.steady,
            self._delivery.dropped,
            self._delivery.full,
        )
        self.reporter = Reporter(voices, gate, self._delivery.health, clocks.ms, polling=tail.poll)
        rollup = Rollup(store, int(seconds(tail.window) * 1000), clocks.even())
        host = tail.host or os.uname().nodename
        alert_context = _Daily(
            settings,
            AlertContext(clocks.wall(), host, key),
            lambda text: voices.log.warning("policy", text),
        )
        self.loop = Loop(
            LoopParts(
                follower=self._follower,
                announcer=AlertEmitter(alert_context.at, settings.selection, rollup, clocks.wall),
                rollup=rollup,
                heartbeat=Heartbeat(
                    None if tail.heartbeat is None else seconds(tail.heartbeat), host
                ),
                ledger=Checkpoint(
                    store, self._follower, rollup, clocks.steady, self._delivery.addressed
                ),
                make_engine=_maker(patterns),
                gate=gate,
                limiter=Limiter(tail.rate, clocks.steady),
                watcher=self.reporter,
                poke=self._delivery.poke,
                clocks=clocks,
            )
        )

    def begin(self) -> None:
        """Watch, deliver, and look for the first time."""
        self._follower.start()
        self._delivery.start()
        self._delivery.poke()
        self.loop.begin()

    def close(self, deadline: float) -> list[SinkHealth]:
        """Store, deliver within `deadline` seconds, let go. Gives the sinks that still have
        letters.
        """
        try:
            return self._delivery.close(deadline)
        finally:
            self._follower.close()

    def reopen(self) -> None:
        """Files of sinks were rotated."""
        self._delivery.reopen()


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
    Follower(settings.tail).close()


class _Daily:
    """What alerts say beyond the finding. Rules of the policy end with a day: those that do are
    told.
    """

    def __init__(
        self, settings: TailConfig, alert_context: AlertContext, warn: Callable[[str], None]
    ) -> None:
        self._warn = warn
        self._alert_context = prepare(alert_context, settings.assessment, warn, refresh_keys=True)
        self._day = alert_context.now // _DAY

    def at(self, now: float) -> AlertContext:
        """As it is at this time."""
        if now // _DAY != self._day:
            self._day = now // _DAY
            if self._alert_context.policy is not None:
                warn_expired_rules(self._alert_context.policy, now, self._warn)
        return replace(self._alert_context, now=now)


def _maker(patterns: UserPatterns) -> Callable[[], Engine]:
    channels = Channels(load_channels())
    channels.classify(b"", b"")  # compiles them now: the first alert should not wait for that
    return lambda: Engine(channels, None, patterns)


def _outputs(settings: TailConfig) -> Callable[[], frozenset[tuple[int, int]]]:
    """Own outputs, by (device, inode): reading them would feed the program with itself."""
    written: list[Path | int] = [*own_files(settings.sinks), *_STANDARD]
    return lambda: frozenset(one for output in written for one in _identity(output))


def _identity(output: Path | int) -> list[tuple[int, int]]:
    try:
        known = os.stat(output)
    except OSError:
        return []
    return [(known.st_dev, known.st_ino)] if stat.S_ISREG(known.st_mode) else []
