"""The ledger: what the next transaction will hold, and writing it.

Promises: cursors, sightings and alerts of a round go to disk together, and only then is the
follower told; a store that cannot be written loses nothing: the batch is kept, bounded by
HELD_BYTES, and tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

from msgspec.structs import replace

from jwtleak.errors import StoreError
from jwtleak.follow.interface import Ended
from jwtleak.runtime.tail.alerting import Rollup
from jwtleak.runtime.tail.readers import TailStream
from jwtleak.store.interface import Commit, OutboxEntry
from jwtleak.types import Cursor

# Without alerts a crash costs only reading again what one second brought.
IDLE_SECONDS = 1.0
# A store that could not be written is tried again so soon.
RETRY_SECONDS = 1.0
# Alerts that wait in memory for a disk that is full. Beyond it nothing more is read.
HELD_BYTES = 16 * 1024 * 1024
# What is too old is taken out of the store at the start and this often.
PRUNE_SECONDS = 3600.0


class Writing(Protocol):
    """What the ledger needs of the store."""

    def commit(self, batch: Commit) -> None: ...
    def prune(self, now_ms: int) -> object: ...


class Marking(Protocol):
    """What the ledger needs of the follower."""

    def cursor(
        self,
        stream: str,
        *,
        offset: int,
        reported: int,
        lines: int,
        line_start: int,
        provisional: str | None,
    ) -> Cursor: ...
    def committed(self, stream: str, offset: int) -> None: ...


class Checkpoint:
    """Collects and commits. `steady` gives seconds that only grow, `addressed` letters with the
    sinks that they are for.
    """

    def __init__(
        self,
        store: Writing,
        follower: Marking,
        rollup: Rollup,
        steady: Callable[[], float],
        addressed: Callable[[Iterable[OutboxEntry]], list[OutboxEntry]] = list,
    ) -> None:
        self._store = store
        self._follower = follower
        self._rollup = rollup
        self._steady = steady
        self._addressed = addressed
        self._letters: list[OutboxEntry] = []
        self._bytes = 0
        self._judged: dict[str, TailStream] = {}
        self._over: dict[str, Cursor | None] = {}
        self._last = self._tried = self._prune = steady()
        self.trouble: StoreError | None = None
        self.commits = 0

    def letters(self, letters: Iterable[OutboxEntry]) -> int:
        """Alerts that are to be delivered; gives their number."""
        before = len(self._letters)
        self._letters += self._addressed(letters)
        self._bytes += sum(len(one.body) for one in self._letters[before:])
        return len(self._letters) - before

    def judged(self, stream: TailStream) -> None:
        """Bytes of the stream were taken, or its cursor moved."""
        self._judged[stream.name] = stream

    def left(self, stream: TailStream) -> None:
        """The stream cannot be asked any more; its end is still to come."""
        self._judged.pop(stream.name, None)

    def over(self, stream: TailStream, ended: Ended) -> None:
        """The stream has ended, and its last letters are here. What was unpacked is remembered as
        finished.
        """
        self._judged.pop(stream.name, None)
        kept = replace(stream.cursor, state="finished") if ended.reason == "finished" else None
        self._over[stream.name] = kept

    @property
    def full(self) -> bool:
        """Too much waits for the disk."""
        return self._bytes >= HELD_BYTES

    @property
    def due(self) -> float | None:
        """When to write; None when there is nothing to write."""
        if self.trouble is not None:
            return self._tried + RETRY_SECONDS
        if self._letters:
            return 0.0
        return (
            self._last + IDLE_SECONDS
            if self._judged or self._over or self._rollup.waiting
            else None
        )

    def commit(self, now_ms: int) -> int | None:
        """Write what is there. The number of letters; None where the store cannot be written now."""
        self._tried = self._steady()
        cursors = {stream.name: (stream, self._cursor(stream)) for stream in self._judged.values()}
        batch = Commit(
            cursors=[cursor for _, cursor in cursors.values()]
            + [one for one in self._over.values() if one],
            forget=[name for name, kept in self._over.items() if kept is None],
            sightings=self._rollup.changed(),
            alerts=self._letters,
            at_ms=now_ms,
        )
        try:
            self._store.commit(batch)
        except StoreError as error:
            self.trouble = error
            return None
        count, self._letters, self._bytes = len(self._letters), [], 0
        self._judged, self._over, self.trouble = {}, {}, None
        self._last = self._tried
        self.commits += 1
        self._rollup.settled()
        for stream, cursor in cursors.values():
            stream.stored(cursor)
            self._follower.committed(stream.name, stream.offset)
        if self._tried >= self._prune:
            self._prune = self._tried + PRUNE_SECONDS
            with suppress(StoreError):  # there is another hour
                self._store.prune(now_ms)
        return count

    def _cursor(self, stream: TailStream) -> Cursor:
        provisional = stream.early[min(stream.early)] if stream.early else None
        return self._follower.cursor(
            stream.name,
            offset=stream.offset,
            reported=stream.told,
            lines=stream.lines,
            line_start=stream.line_start,
            provisional=provisional,
        )
