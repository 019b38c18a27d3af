"""The daemon: sessions one after another, signals, the endpoint.

Promises: SIGTERM and SIGINT end it in order within the deadline, a second one at once; SIGHUP reads
the configuration again, and a bad one changes nothing; `ready` is logged when everything that is
there is known and stored.
"""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from jwtleak.errors import JwtleakError
from jwtleak.runtime.clock import Clocks
from jwtleak.runtime.config import seconds
from jwtleak.runtime.service import metrics as m
from jwtleak.runtime.service.health import ServiceHealth
from jwtleak.runtime.service.log import Log
from jwtleak.runtime.service.metrics import Metrics
from jwtleak.runtime.service.notify import Notifier
from jwtleak.runtime.state_dir import subject_key
from jwtleak.runtime.tail.config import TailConfig
from jwtleak.runtime.tail.records import RecordLoop
from jwtleak.runtime.tail.session import Session, check
from jwtleak.runtime.tail.telemetry import Voices
from jwtleak.store import Store
from jwtleak.version import __version__

if TYPE_CHECKING:
    from jwtleak.runtime.service.endpoint import Endpoint


class Daemon:
    """`load` reads the configuration, at the start and again on SIGHUP."""

    def __init__(self, load: Callable[[], TailConfig]) -> None:
        self._load = load
        self._settings = load()
        check(self._settings)
        self._clocks = Clocks(time.time, time.monotonic)
        steady = self._clocks.steady
        self._voices = Voices(
            Log(time.time, steady, self._settings.log), Metrics(), ServiceHealth(steady), Notifier()
        )
        self._voices.metrics.put(m.BUILD_INFO, 1, __version__)
        self._ending = 0
        self._reload = self._once = False
        self._session: Session | None = None

    def run(self, *, once: bool = False) -> int:
        """Follow until a signal or the end of input; with `once`, catch up and end. The exit
        status.
        """
        log, self._once = self._voices.log, once
        with _Signals(self._end, self._again), self._store() as store:
            key, kept = subject_key(self._settings.state)
            if not kept:
                log.warning(
                    "key",
                    "no place to keep this installation's key: "
                    "subject hashes will differ in the next run",
                )
            endpoint = self._endpoint()
            try:
                return self._catch_up(store, key) if once else self._follow(store, key)
            finally:
                if endpoint is not None:
                    endpoint.close()

    def _store(self) -> Store:
        tail = self._settings.tail
        store = Store.open(self._settings.state, corrupt=tail.when_damaged)
        if store.set_aside is not None:
            text = "the state was damaged: it was set aside, and everything is read again"
            self._voices.log.error("store", text, str(store.set_aside))
        return store

    def _endpoint(self) -> Endpoint | None:
        if self._settings.metrics is None:
            return None
        from jwtleak.runtime.service.endpoint import Endpoint, parse

        endpoint = Endpoint(
            parse(self._settings.metrics), self._voices.metrics, self._voices.health
        )
        endpoint.start()
        self._voices.log.say("metrics", f"metrics and health are served on port {endpoint.port}")
        return endpoint

    def _catch_up(self, store: Store, key: bytes) -> int:
        session = self._begin(store, key)
        if not self._ending:
            session.loop.catch_up(self._settings.tail.settle + 1.0)
        self._finish(session)
        return self._status(session)

    def _status(self, session: Session) -> int:
        if session.reporter.leaks:
            return 1
        return 3 if session.reporter.troubles else 0

    def _follow(self, store: Store, key: bytes) -> int:
        while True:
            session = self._begin(store, key)
            # Everything that exists now lives as long as the session: a collection that searches
            # it for cycles would only delay an alert.
            gc.freeze()
            self._ready(session)
            while not self._over(session) and not (self._reload and self._renew()):
                session.loop.run()
            if self._over(session):
                self._finish(session)
                return 0 if self._ending else self._status(session)
            session.close(0)

    def _over(self, session: Session) -> bool:
        return bool(self._ending) or session.loop.ended

    def _ready(self, session: Session) -> None:
        voices = self._voices
        voices.health.phase("following")
        voices.metrics.put(m.READY, 1)
        what = "files followed" if session.source is None else "streams read"
        voices.notifier.ready(f"{len(session.loop.streams)} {what}")
        voices.log.say("ready", "ready")

    def _begin(self, store: Store, key: bytes) -> Session:
        session = Session(self._settings, store, key, self._voices, self._clocks)
        self._session = session
        # Nothing that a start makes is garbage, and searching fifty thousand streams for cycles
        # takes a tenth of its time.
        gc.disable()
        try:
            session.begin()
        except BaseException:
            session.close(0)
            raise
        finally:
            gc.enable()
        return session

    def _finish(self, session: Session) -> None:
        voices = self._voices
        if isinstance(session.loop, RecordLoop):
            session.loop.finish()
        voices.health.phase("stopping")
        voices.metrics.put(m.READY, 0)
        voices.notifier.stopping()
        voices.log.say("stopping", "stopping")
        for sink in session.close(seconds(self._settings.tail.drain)):
            text = (
                f"sink {sink.name}: {sink.queued} alerts are still to be delivered; "
                "they are kept for the next start"
            )
            voices.log.say("sink", text, "warning")

    def _renew(self) -> bool:
        """Read the configuration again. If it is bad, the running session goes on with the old
        one.
        """
        self._reload = False
        voices, session = self._voices, self._session
        assert session is not None
        # Before anything else: a signal from here on has to stop the next run again.
        session.loop.go_on()
        voices.notifier.reloading()
        if session.source is not None:
            # What a new session would read of a pipe is not there any more: its engine has it.
            voices.log.say("reload", "files of sinks are opened again; the configuration stays")
            session.reopen()
            self._ready(session)
            return False
        try:
            settings = self._load()
            check(settings)
        except JwtleakError as error:
            voices.metrics.add(m.RELOADS, 1, "failed")
            voices.log.say(
                "reload", f"the configuration was not taken, the old one stays: {error}", "error"
            )
            session.reopen()
            self._ready(session)
            return False
        voices.metrics.add(m.RELOADS, 1, "ok")
        for name in ("state", "metrics", "log"):
            if getattr(settings, name) != getattr(self._settings, name):
                voices.log.say("reload", f"a change of {name} needs a restart", "warning")
        self._settings = settings
        return True

    def _end(self) -> None:
        self._ending += 1
        if self._ending > 1:
            # Whoever asks twice does not want to wait for sinks. What is stored is delivered by the
            # next start.
            os._exit(1)
        if self._session is not None:
            self._session.loop.stop()

    def _again(self) -> None:
        if self._once:  # it ends by itself
            return
        self._reload = True
        if self._session is not None:
            self._session.loop.stop()


class _Signals:
    """SIGTERM and SIGINT call `end`, SIGHUP calls `again`."""

    def __init__(self, end: Callable[[], None], again: Callable[[], None]) -> None:
        self._calls = {signal.SIGTERM: end, signal.SIGINT: end}
        if hasattr(signal, "SIGHUP"):
            self._calls[signal.SIGHUP] = again
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        for number in self._calls:
            self._before[number] = signal.signal(number, self._handle)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _: FrameType | None) -> None:
        self._calls[signal.Signals(number)]()
