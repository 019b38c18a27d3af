"""Sightings: one alert per token and stream, however often it stands there.

Promises: the first sighting makes the alert, later ones only count; order is that of first
sightings; memory is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from jwtleak.alerts.wire import WireAlert, to_wire

# Tokens remembered per stream: with about 2 KiB a record this is 16 MiB. Beyond it the collected
# alerts are given out and counting begins anew, so a token that comes back after 8,192 others has a
# second alert, with its own id.
CAPACITY = 8192


class Grouping:
    """Collects the sightings of one stream."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self._first: dict[str, WireAlert] = {}

    def add(self, record: WireAlert) -> Iterable[WireAlert]:
        """One more sighting, or several that were grouped before; gives out what no longer fits."""
        group = record.group
        first = self._first.get(group)
        if first is not None:
            first.count += record.count
            first.last_offset = record.last_offset
            return ()
        given = self.drain() if len(self._first) >= self.capacity else ()
        self._first[group] = record
        return given

    def again(self, sha256: str, offset: int) -> None:
        """One more sighting of a token that was added and is still collected: a `Sighted` of the
        same capacity knows.
        """
        first = self._first[sha256]
        first.count += 1
        first.last_offset = offset

    def drain(self) -> Iterable[WireAlert]:
        """All that was collected, in the order of first sightings."""
        first, self._first = self._first, {}
        return first.values()


class FirstSight(Grouping):
    """Gives the first sighting of each token at once, and at the end one `repeat` for each that
    came again.
    """

    def add(self, record: WireAlert) -> Iterable[WireAlert]:
        """One more sighting; the alert itself when it is the first."""
        first = self._first.get(record.group)
        if first is not None:
            first.count += 1
            first.last_offset = record.last_offset
            return ()
        given = [*self.drain(), record] if len(self._first) >= self.capacity else [record]
        # A copy: what was given out does not change any more.
        self._first[record.group] = replace(record)
        return given

    def drain(self) -> Iterator[WireAlert]:
        """A `repeat` for each token that came more than once."""
        first, self._first = self._first, {}
        for record in first.values():
            if record.count > 1:
                yield to_wire(replace(record.alert(), event="repeat"))


class Every:
    """Each sighting is an alert of its own."""

    def add(self, record: WireAlert) -> Iterable[WireAlert]:
        """The alert itself."""
        return (record,)

    def drain(self) -> Iterable[WireAlert]:
        """Nothing is kept."""
        return ()
