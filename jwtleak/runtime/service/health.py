"""Health: what is degraded, whether the loop turns, whether files are followed.

Promises: pure bookkeeping, usable from any thread; what is degraded is named with its reason until
it is repaired. Two questions are kept apart: `alive` (a restart would help when it is false) and
`ready` (work is done).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

from jwtleak.runtime.service.log import fit

Phase: TypeAlias = Literal["starting", "following", "stopping"]

# The loop turns every second or faster. One turn may contain a commit to a slow disk; a loop that
# takes longer than this hangs.
STALLED_SECONDS = 60.0
# Troubles shown at once. A longer list helps nobody.
MAX_TROUBLES = 64
_MAX_REASON = 200


class Degraded(NamedTuple):
    """One part that does not work. `halts`: reading waits until it is repaired."""

    reason: str
    halts: bool


class HealthAnswer(NamedTuple):
    """The answer to a probe."""

    good: bool
    body: dict[str, object]


class ServiceHealth:
    """The loop and the sinks report here; probes ask. `clock` in seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._phase: Phase = "starting"
        self._beat = clock()
        self._degraded: dict[str, Degraded] = {}

    def phase(self, phase: Phase) -> None:
        """The program enters this phase."""
        with self._lock:
            self._phase = phase

    def beat(self) -> None:
        """The loop turned once more."""
        with self._lock:
            self._beat = self._clock()

    def degrade(self, what: str, reason: str, *, halts: bool = False) -> bool:
        """Report that `what` (store, spool, sink:NAME, watch ...) does not work. Returns whether
        this is news.
        """
        with self._lock:
            known = what in self._degraded
            # A trouble that is listed already is updated even when the list is full.
            if known or len(self._degraded) < MAX_TROUBLES:
                self._degraded[fit(what, _MAX_REASON)] = Degraded(fit(reason, _MAX_REASON), halts)
            return not known

    def mend(self, what: str) -> bool:
        """Report that `what` works again. Returns whether it was degraded."""
        with self._lock:
            return self._degraded.pop(fit(what, _MAX_REASON), None) is not None

    def alive(self) -> HealthAnswer:
        """Whether the loop turns: for liveness probes."""
        with self._lock:
            since = self._clock() - self._beat
            going = since < STALLED_SECONDS
            # A degraded loop is alive: a restart repairs neither a full disk nor a dead SIEM.
            status = "stalled" if not going else "degraded" if self._degraded else "ok"
            return HealthAnswer(going, {"status": status, "phase": self._phase, **self._troubles()})

    def ready(self) -> HealthAnswer:
        """Whether files are followed and read: for readiness probes."""
        with self._lock:
            halted = any(part.halts for part in self._degraded.values())
            good = self._phase == "following" and not halted
            status = "halted" if halted else "degraded" if self._degraded else "ok"
            return HealthAnswer(good, {"status": status, "phase": self._phase, **self._troubles()})

    def _troubles(self) -> dict[str, object]:
        if not self._degraded:
            return {}
        return {"degraded": {what: part.reason for what, part in sorted(self._degraded.items())}}
