"""How a sink is: what metrics, the health page and the end of a scan tell."""

from __future__ import annotations

import msgspec

from jwtleak.runtime.delivery.retry import News, Step
from jwtleak.sinks.interface import Report


class Health(msgspec.Struct, frozen=True):
    """One sink. `state` is None while all is well; `dropped` counts letters that went because the spool or its queue
    was full."""

    name: str
    state: News | None = None
    queued: int = 0
    oldest_ms: int | None = None  # Unix time of the oldest letter that waits
    sent: int = 0
    retried: int = 0
    dead: int = 0
    dropped: int = 0
    last_sent_ms: int | None = None
    reason: str = ""  # of the trouble

    def after(self, report: Report, step: Step, now_ms: int) -> Health:
        """After a batch."""
        sent = len(step.acked)
        trouble = report.problem is not None or bool(step.dead)
        said = report.reason or (step.dead[0].reason if step.dead else "")
        return msgspec.structs.replace(
            self,
            state=step.state.told,
            sent=self.sent + sent,
            retried=self.retried + step.retried,
            dead=self.dead + len(step.dead),
            last_sent_ms=now_ms if sent else self.last_sent_ms,
            reason=said if trouble else (self.reason if step.state.told else ""),
        )

    def words(self, news: News) -> str:
        """What people are told, once."""
        return f"sink {self.name}: " + {
            "failing": f"cannot deliver; alerts are kept and sent later: {self.reason}",
            "blocked": f"takes nothing until this is put right; alerts are kept: {self.reason}",
            "refusing": f"refuses one alert after the other; see `jwtleak state dead-letters`: {self.reason}",
            "recovered": "delivers again",
        }[news]
