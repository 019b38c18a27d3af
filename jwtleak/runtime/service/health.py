"""Health: what is not as it should be, whether the loop goes round, whether files are followed.

Promises: pure bookkeeping with a given clock, usable from any thread; what is degraded is named
with its reason until it is mended. Two questions are kept apart: `alive` (a restart would help when
it is false) and `ready` (work is done).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

from jwtleak.runtime.service.log import fit

Phase: TypeAlias = Literal["starting", "following", "stopping"]

# The loop goes round every second or faster. One round may hold a commit to a slow disk; after this
# long it hangs.
STALLED_SECONDS = 60.0
# Troubles shown at once; more of them say no more.
MAX_TROUBLES = 64
_MAX_REASON = 200


class Degraded(NamedTuple):
    """One thing that is not as it should be. `halts` says that reading waits until it is mended."""

    reason: str
    halts: bool


class HealthAnswer(NamedTuple):
    """What a probe is told."""

    good: bool
    body: dict[str, object]


class ServiceHealth:
    """What the loop and the sinks tell, and what probes ask."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._phase: Phase = "starting"
        self._beat = clock()
        self._degraded: dict[str, Degraded] = {}

    def phase(self, phase: Phase) -> None:
        """What the program does now."""
        with self._lock:
            self._phase = phase

    def beat(self) -> None:
        """The loop went round once more."""
        with self._lock:
            self._beat = self._clock()

    def degrade(self, what: str, reason: str, *, halts: bool = False) -> bool:
        """`what` (store, spool, sink:NAME, watch ...) is not as it should be; True when this is
        news.
        """
        with self._lock:
            known = what in self._degraded
            if known or len(self._degraded) < MAX_TROUBLES:
                self._degraded[fit(what, _MAX_REASON)] = Degraded(fit(reason, _MAX_REASON), halts)
            return not known

    def mend(self, what: str) -> bool:
        """`what` is as it should be again; True when it was not."""
        with self._lock:
            return self._degraded.pop(fit(what, _MAX_REASON), None) is not None

    def alive(self) -> HealthAnswer:
        """Whether the loop goes round: for liveness probes."""
        with self._lock:
            since = self._clock() - self._beat
            going = since < STALLED_SECONDS
            status = "stalled" if not going else "degraded" if self._degraded else "ok"
            return HealthAnswer(going, {"status": status, "phase": self._phase, **self._troubles()})

    def ready(self) -> HealthAnswer:
        """Whether files are followed and read: for readiness probes."""
        with self._lock:
            halted = any(one.halts for one in self._degraded.values())
            good = self._phase == "following" and not halted
            status = "halted" if halted else "degraded" if self._degraded else "ok"
            return HealthAnswer(good, {"status": status, "phase": self._phase, **self._troubles()})

    def _troubles(self) -> dict[str, object]:
        if not self._degraded:
            return {}
        return {"degraded": {what: one.reason for what, one in sorted(self._degraded.items())}}
