"""Sightings: one alert per token and stream, however often it stands there.

Promises: the first sighting makes the alert, later ones only count; order is that of first sightings; memory is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from jwtleak.alerts.alert import Alert, Sightings

# Tokens remembered per stream: with about 2 KiB an alert this is 16 MiB. Beyond it the collected alerts are given out and
# counting begins anew, so a token that comes back after 8,192 others has a second alert, with its own id.
CAPACITY = 8192


class Grouping:
    """Collects the sightings of one stream."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._first: dict[str, Alert] = {}
        self._counts: dict[str, list[int]] = {}

    def add(self, alert: Alert) -> Iterator[Alert]:
        """One more sighting; gives out what no longer fits."""
        key = alert.token.sha256
        seen = self._counts.get(key)
        if seen is not None:
            seen[0] += 1
            seen[1] = alert.sightings.last_offset
            return
        if len(self._first) >= self._capacity:
            yield from self.drain()
        self._first[key] = alert
        self._counts[key] = [1, alert.sightings.last_offset]

    def drain(self) -> Iterator[Alert]:
        """All that was collected, in the order of first sightings."""
        first, counts = self._first, self._counts
        self._first, self._counts = {}, {}
        for key, alert in first.items():
            count, last = counts[key]
            if count > 1:
                alert = replace(alert, sightings=Sightings(count, alert.sightings.first_offset, last))
            yield alert


class FirstSight:
    """Gives the first sighting of each token at once, and at the end one `repeat` for each that came again."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._grouping = Grouping(capacity)
        self._known: set[str] = set()
        self._capacity = capacity

    def add(self, alert: Alert) -> Iterator[Alert]:
        """One more sighting; the alert itself when it is the first."""
        key = alert.token.sha256
        if key not in self._known:
            if len(self._known) >= self._capacity:
                yield from self.drain()
            self._known.add(key)
            yield alert
        for _ in self._grouping.add(alert):
            raise AssertionError("the set of known tokens is as large as the grouping")

    def drain(self) -> Iterator[Alert]:
        """A `repeat` for each token that came more than once."""
        self._known.clear()
        for alert in self._grouping.drain():
            if alert.sightings.count > 1:
                yield replace(alert, event="repeat")


class Every:
    """Each sighting is an alert of its own."""

    def add(self, alert: Alert) -> Iterator[Alert]:
        """The alert itself."""
        yield alert

    def drain(self) -> Iterator[Alert]:
        """Nothing is kept."""
        return iter(())
