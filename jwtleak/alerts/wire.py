"""Records: alerts written out, as they travel between processes and wait to be grouped.

Promises: writing happens once, where the alert is made; what is known only when the parts of a
stream are put together (line, column, how often) is filled in by `json()`. The text is the alert's
JSON, so a record can become an alert again.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from jwtleak.alerts.alert import Alert, to_json
from jwtleak.types import CONFIDENCES, SEVERITIES, Confidence, Severity, Status

# `line` and `column` end an alert's location, and its location and sightings end the alert.
_OPEN = b',"line":'
_ID = len(b'{"schema":"jwtleak/1","id":"')  # which begin it
_REST = b',"line":%d,"column":%d},"sightings":{"count":%d,"first_offset":%d,"last_offset":%d}}'


class WireAlert(msgspec.Struct, array_like=True, gc=False):
    """One alert: its JSON up to the line number, and the values by which it is placed, grouped and
    selected.

    `status` is None for a user pattern's hit. `repeat` says that it sums up sightings after the
    first, `suppressed` that the policy keeps it back.
    """

    head: bytes
    sha256: str
    severity: Severity
    confidence: Confidence
    status: Status | None
    offset: int
    line: int
    column: int
    count: int
    last_offset: int
    repeat: bool = False
    suppressed: bool = False

    @property
    def id(self) -> str:
        """The alert's id."""
        return self.head[_ID : _ID + 40].decode("ascii")

    def json(self) -> bytes:
        """The alert as one line of JSON, without the newline."""
        return self.head + _REST % (
            self.line,
            self.column,
            self.count,
            self.offset,
            self.last_offset,
        )

    @property
    def group(self) -> str:
        """What its sightings are grouped by: a token that is kept back in one place may not hide
        its leaks in another.
        """
        return self.sha256 + "-" if self.suppressed else self.sha256

    def known_name(self) -> str:
        """How a baseline names it."""
        from jwtleak.assess.policy import known_name

        where = self.alert().location
        return known_name(
            self.sha256,
            "!".join(one for one in (where.path, where.member) if isinstance(one, str)) or "-",
        )

    def alert(self) -> Alert:
        """The alert itself."""
        return _decoder().decode(self.json())


@lru_cache(maxsize=1)
def _decoder() -> msgspec.json.Decoder[Alert]:
    return msgspec.json.Decoder(Alert)  # takes a while, and most runs read no alert


def to_wire(alert: Alert) -> WireAlert:
    """The record of `alert`."""
    data = to_json(alert)
    status = alert.token.status
    where, seen = alert.location, alert.sightings
    return WireAlert(
        data[: data.rindex(_OPEN)],
        alert.token.sha256,
        alert.severity,
        alert.confidence,
        None if status is msgspec.UNSET else status,
        where.offset,
        where.line,
        where.column,
        seen.count,
        seen.last_offset,
        alert.event == "repeat",
        alert.suppressed is not msgspec.UNSET,
    )


# Selection: which alerts are wanted, and which of them count as a failure.
#
# Promises: pure; the order of severities and confidences is that of the vocabulary, the worst
# first.

# What `--only-live` stands for: tokens that a verifier may accept now, and that are worth something
# to who finds them: examples and tokens that are public by design are `info`.
LIVE: frozenset[Status] = frozenset({"live", "no_expiry", "bad_expiry", "encrypted"})


class Selection(msgspec.Struct, frozen=True):
    """Alerts of at least this severity and confidence, and of these statuses (all when empty).
    `suppressed`: also show those that the policy keeps back.
    """

    min_severity: Severity = "info"
    min_confidence: Confidence = "medium"
    statuses: frozenset[Status] = frozenset()
    suppressed: bool = False

    def wants(self, alert: WireAlert) -> bool:
        """Whether `alert` is selected. A user pattern's hit has no status: naming statuses leaves
        it out.
        """
        return (
            SEVERITIES.index(alert.severity) <= SEVERITIES.index(self.min_severity)
            and CONFIDENCES.index(alert.confidence) <= CONFIDENCES.index(self.min_confidence)
            and (not self.statuses or alert.status in self.statuses)
        )
