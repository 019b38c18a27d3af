"""Grouping: one alert for each token and stream, however often the token occurs.

Promises: the first sighting makes the alert, later ones only count. Alerts come in the order of
first sightings. Memory is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from jwtleak.alerts.wire import WireAlert, to_wire

# Tokens of one stream: at about 2 KiB an alert this is 16 MiB. A full group is drained and counting
# restarts, so a token that comes back after 8,192 others has a second alert, with its own id.
CAPACITY = 8192


class Grouping:
    """Collects the sightings of one stream."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self._first: dict[str, WireAlert] = {}

    def add(self, record: WireAlert) -> Iterable[WireAlert]:
        """Add a sighting, or several that were grouped before. Returns the drained alerts where the
        group was full.
        """
        group = record.group
        first = self._first.get(group)
        # In place: a group holds one object a token, however many sightings come.
        if first is not None:
            # More than one where `record` was grouped in a part of the file already.
            first.count += record.count
            first.last_offset = record.last_offset
            return ()
        drained = self.drain() if len(self._first) >= self.capacity else ()
        self._first[group] = record
        return drained

    def again(self, sha256: str, offset: int) -> None:
        """Count a sighting of a token that is in the group. The engine's `SeenTokens` has the same
        capacity and drops the same tokens, so it knows without an alert being built.
        """
        # No `group`: without a policy, which `again` requires, nothing is suppressed.
        first = self._first[sha256]
        first.count += 1
        first.last_offset = offset

    def drain(self) -> Iterable[WireAlert]:
        """Remove and return all alerts, in the order of first sightings."""
        first, self._first = self._first, {}
        return first.values()


class FirstSight(Grouping):
    """Passes the first sighting of each token on at once, and at the end one `repeat` for each that
    came again.
    """

    def add(self, record: WireAlert) -> Iterable[WireAlert]:
        """Add a sighting. Returns the alert itself when it is the first."""
        first = self._first.get(record.group)
        if first is not None:
            first.count += 1
            first.last_offset = record.last_offset
            return ()
        passed = [*self.drain(), record] if len(self._first) >= self.capacity else [record]
        # A copy, since `add` counts in place: the caller may still hold the alert.
        self._first[record.group] = replace(record)
        return passed

    def drain(self) -> Iterator[WireAlert]:
        """A `repeat` for each token that came more than once."""
        first, self._first = self._first, {}
        for record in first.values():
            # The alert itself was passed on at the first sighting.
            if record.count > 1:
                yield to_wire(replace(record.alert(), event="repeat"))


class Every:
    """Each sighting is an alert (`--every`)."""

    def add(self, record: WireAlert) -> Iterable[WireAlert]:
        """The alert itself."""
        return (record,)

    def drain(self) -> Iterable[WireAlert]:
        """Nothing."""
        return ()
