"""Whose turn it is: streams with little to read go first; each backlog gets one slice per round.

Promises: a stream waits for at most one turn of each other stream; a backlog of gigabytes delays a
fresh line by one turn.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator

from jwtleak.runtime.tail.readers import TailStream

# Bytes of one turn: some milliseconds of reading if there are no tokens.
TURN = 4 * 1024 * 1024


class Turns:
    """Streams that have bytes to read."""

    def __init__(self) -> None:
        self._live: OrderedDict[str, TailStream] = OrderedDict()
        self._behind: OrderedDict[str, TailStream] = OrderedDict()

    def __len__(self) -> int:
        return len(self._live) + len(self._behind)

    def update(self, stream: TailStream) -> None:
        """`stream` has more, less or nothing to read. A stream that waits keeps its place."""
        if stream.backlog == 0:
            self.remove(stream.name)
        elif stream.backlog <= TURN:
            self._behind.pop(stream.name, None)
            self._live.setdefault(stream.name, stream)
        elif stream.name not in self._live:
            # A live stream that grew past a turn while it waited is still served as a live one, or
            # a burst would send it to the end of the other queue.
            self._behind.setdefault(stream.name, stream)

    def remove(self, name: str) -> None:
        """The stream has nothing to read, or has ended."""
        self._live.pop(name, None)
        self._behind.pop(name, None)

    def round(self, on: Callable[[], bool]) -> Iterator[TailStream]:
        """The streams of this round: live ones while `on()` is true, then one that is behind.

        Each is removed; `update` appends it again.
        """
        # The length of now: streams that `update` appends meanwhile belong to the next round.
        for _ in range(len(self._live)):
            if not self._live:
                break
            yield self._live.popitem(last=False)[1]
            if not on():
                break
        if self._behind:
            yield self._behind.popitem(last=False)[1]
