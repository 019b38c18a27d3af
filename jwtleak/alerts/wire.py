"""Records: alerts written out, as they travel between processes and wait to be grouped.

Promises: writing happens once, where the alert is made; what is known only when the parts of a stream are put together
(line, column, how often) is filled in by `json()`. The text is the alert's JSON, so a record can become an alert again.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from jwtleak.alerts.alert import Alert, to_json
from jwtleak.types import Confidence, Severity, Status

# `line` and `column` end an alert's location, and its location and sightings end the alert.
_OPEN = b',"line":'
_ID = len(b'{"schema":"jwtleak/1","id":"')  # which begin it
_REST = b',"line":%d,"column":%d},"sightings":{"count":%d,"first_offset":%d,"last_offset":%d}}'


class Record(msgspec.Struct, array_like=True, gc=False):
    """One alert: its JSON up to the line number, and the values by which it is placed, grouped and selected.

    `status` is None for a user pattern's hit. `repeat` says that it sums up sightings after the first, `suppressed` that
    the policy keeps it back.
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
        return self.head + _REST % (self.line, self.column, self.count, self.offset, self.last_offset)

    @property
    def group(self) -> str:
        """What its sightings are grouped by: a token that is kept back in one place may not hide its leaks in another."""
        return self.sha256 + "-" if self.suppressed else self.sha256

    def known_name(self) -> str:
        """How a baseline names it."""
        from jwtleak.assess.policy import known_name

        where = self.alert().location
        return known_name(self.sha256, "!".join(one for one in (where.path, where.member) if isinstance(one, str)) or "-")

    def alert(self) -> Alert:
        """The alert itself."""
        return _decoder().decode(self.json())


@lru_cache(maxsize=1)
def _decoder() -> msgspec.json.Decoder[Alert]:
    return msgspec.json.Decoder(Alert)  # takes a while, and most runs read no alert


def write(alert: Alert) -> Record:
    """The record of `alert`."""
    data = to_json(alert)
    status = alert.token.status
    where, seen = alert.location, alert.sightings
    return Record(
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
