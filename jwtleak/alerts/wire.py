"""Encoded alerts, as they travel between processes and wait in groups; and the selection of alerts.

Promises: pure. An alert is encoded once, where it is made. The line, the column and the count are
known only when the parts of a stream are put together, so `json()` fills them in. The result is the
alert's JSON, and decodes to the alert again.

The layout of the JSON; `head` is everything up to the line:

    {"schema":"jwtleak/1","id":"<40 hex>","event":...            the id is cut out at a fixed place
     ... severity, title, token, channel, excerpt, advice ...
     "location":{"source":...,"offset":9,"length":240            head ends here
    ,"line":48213,"column":41},                                  known when the parts are joined
     "sightings":{"count":3,"first_offset":9,"last_offset":99}}  known when the group is drained
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from jwtleak.alerts.alert import Alert, to_json
from jwtleak.types import CONFIDENCES, SEVERITIES, Confidence, Severity, Status

# `line` and `column` end `location`, and `location` and `sightings` end the alert.
_OPEN = b',"line":'
_ID = len(b'{"schema":"jwtleak/1","id":"')
_REST = b',"line":%d,"column":%d},"sightings":{"count":%d,"first_offset":%d,"last_offset":%d}}'

# The statuses of `--only-live`: a verifier may accept such a token now.
LIVE: frozenset[Status] = frozenset({"live", "no_expiry", "bad_expiry", "encrypted"})


class WireAlert(msgspec.Struct, array_like=True, gc=False, kw_only=True):
    """One encoded alert: its JSON up to the line number (`head`), and the values that place, group
    and select it.

    `status` is None for a user pattern's hit. `repeat`: it sums up sightings after the first.
    `suppressed`: by the policy.
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
        """The key of its group. A suppressed sighting has a group of its own: a token that is
        allowed in one place may not hide its leak in another.
        """
        return self.sha256 + "-" if self.suppressed else self.sha256

    def baseline_name(self) -> str:
        """Its name in a baseline."""
        # Imported here: only `--write-baseline` needs the policy.
        from jwtleak.assess.policy import baseline_name

        place = self.alert().location
        parts = [part for part in (place.path, place.member) if isinstance(part, str)]
        return baseline_name(self.sha256, "!".join(parts) or "-")

    def alert(self) -> Alert:
        """The decoded alert."""
        return _decoder().decode(self.json())


@lru_cache(maxsize=1)
def _decoder() -> msgspec.json.Decoder[Alert]:
    # Not at import: building it costs start time, and most runs decode no alert.
    return msgspec.json.Decoder(Alert)


def to_wire(alert: Alert) -> WireAlert:
    """`alert`, encoded."""
    data = to_json(alert)
    status = alert.token.status
    place, sightings = alert.location, alert.sightings
    return WireAlert(
        # From the right: an excerpt with `,"line":` in it precedes the location, and a quote in a
        # string is escaped.
        head=data[: data.rindex(_OPEN)],
        sha256=alert.token.sha256,
        severity=alert.severity,
        confidence=alert.confidence,
        status=None if status is msgspec.UNSET else status,
        offset=place.offset,
        line=place.line,
        column=place.column,
        count=sightings.count,
        last_offset=sightings.last_offset,
        repeat=alert.event == "repeat",
        suppressed=alert.suppressed is not msgspec.UNSET,
    )


class Selection(msgspec.Struct, frozen=True):
    """Alerts of at least this severity and confidence, and of these statuses (all when empty).
    `suppressed`: also the alerts that the policy suppresses.
    """

    min_severity: Severity = "info"
    min_confidence: Confidence = "medium"
    statuses: frozenset[Status] = frozenset()
    suppressed: bool = False

    def wants(self, alert: WireAlert) -> bool:
        """Whether `alert` is selected. No status selects a user pattern's hit: it has none."""
        # Both tuples begin with the worst: a smaller index is worse.
        return (
            SEVERITIES.index(alert.severity) <= SEVERITIES.index(self.min_severity)
            and CONFIDENCES.index(alert.confidence) <= CONFIDENCES.index(self.min_confidence)
            and (not self.statuses or alert.status in self.statuses)
        )
