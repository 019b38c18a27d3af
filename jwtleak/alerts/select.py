"""Selection: which alerts are wanted, and which of them count as a failure.

Promises: pure; the order of severities and confidences is that of the vocabulary, the worst first.
"""

from __future__ import annotations

import msgspec

from jwtleak.alerts.wire import Record
from jwtleak.types import CONFIDENCES, SEVERITIES, Confidence, Severity, Status

# What `--only-live` stands for: tokens that a verifier may accept now, and that are worth something to who finds them:
# examples and tokens that are public by design are `info`.
LIVE: frozenset[Status] = frozenset({"live", "no_expiry", "bad_expiry", "encrypted"})


class Selection(msgspec.Struct, frozen=True):
    """Alerts of at least this severity and confidence, and of these statuses (all when empty). `suppressed`: also show
    those that the policy keeps back."""

    min_severity: Severity = "info"
    min_confidence: Confidence = "medium"
    statuses: frozenset[Status] = frozenset()
    suppressed: bool = False

    def wants(self, alert: Record) -> bool:
        """Whether `alert` is selected. A user pattern's hit has no status: naming statuses leaves it out."""
        return (
            SEVERITIES.index(alert.severity) <= SEVERITIES.index(self.min_severity)
            and CONFIDENCES.index(alert.confidence) <= CONFIDENCES.index(self.min_confidence)
            and (not self.statuses or alert.status in self.statuses)
        )
