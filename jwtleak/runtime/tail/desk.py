"""The desk: a few engines, and which stream each one is on.

Promises: a stream that is read turn after turn keeps its engine; memory is that of SEATS engines, however many streams
there are. A stream that has to give up its engine is given a last word first, since what its engine holds is then only
in the file.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from jwtleak.core.engine import Engine
from jwtleak.runtime.tail.readers import Bytes, Seat
from jwtleak.runtime.tail.stream import Stream

# An engine's buffer is 784 KiB. A host has a few busy logs at a time; each further one costs reading 224 KiB again.
SEATS = 16


class Desk:
    """Seats for streams. `leave` is called with a seat that must be given up, while it still has its stream."""

    def __init__(
        self, make: Callable[[], Engine], source: Bytes, leave: Callable[[Seat], None], capacity: int = SEATS
    ) -> None:
        self._make = make
        self._source = source
        self._leave = leave
        self._capacity = capacity
        self._taken: OrderedDict[str, Seat] = OrderedDict()
        self._free: list[Seat] = []

    def seat(self, stream: Stream) -> Seat:
        """The seat of `stream`, a new one where it has none. Raises SourceError where it cannot be read."""
        seat = self._taken.get(stream.name)
        if seat is not None:
            self._taken.move_to_end(stream.name)
            return seat
        seat = self._another()
        try:
            seat.sit(stream)
        except BaseException:
            self._free.append(seat)
            raise
        self._taken[stream.name] = seat
        return seat

    def _another(self) -> Seat:
        if self._free:
            return self._free.pop()
        if len(self._taken) < self._capacity:
            return Seat(self._make(), self._source)
        name, seat = next(iter(self._taken.items()))
        self._leave(seat)
        del self._taken[name]
        return seat

    def of(self, name: str) -> Seat | None:
        """The seat that the stream has."""
        return self._taken.get(name)

    def free(self, name: str) -> None:
        """The stream needs its seat no more."""
        seat = self._taken.pop(name, None)
        if seat is not None:
            seat.stream = None
            self._free.append(seat)

    def take_away(self, name: str) -> None:
        """The stream's seat is used elsewhere; it will be given back."""
        del self._taken[name]

    def give_back(self, seat: Seat) -> None:
        """A seat that was taken away is free again."""
        seat.stream = None
        if len(self._free) + len(self._taken) < self._capacity:
            self._free.append(seat)

    def seats(self) -> list[Seat]:
        """All that are taken."""
        return list(self._taken.values())
