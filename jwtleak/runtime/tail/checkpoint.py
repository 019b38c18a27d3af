"""The checkpoint: collects what the next transaction holds, and writes it.

Promises: positions, sightings and alerts of a round go to disk together, and the source hears of a
position only after that; a store that cannot be written loses nothing: the batch is kept, bounded
by HELD_BYTES, and tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from msgspec.structs import replace

from jwtleak.errors import StoreError
from jwtleak.follow.interface import Ended
from jwtleak.runtime.tail.alerting import Rollup
from jwtleak.runtime.tail.readers import StreamState, TailStream
from jwtleak.store.interface import Commit, OutboxEntry, Position
from jwtleak.types import Cursor

# Seconds between commits without alerts: a crash then costs only rereading a second's worth.
IDLE_SECONDS = 1.0
# Seconds until a store that could not be written is tried again.
RETRY_SECONDS = 1.0
# Bytes of alerts that wait in memory for a full disk. Beyond that reading stops.
HELD_BYTES = 16 * 1024 * 1024
# Seconds between two deletions of old rows; the first is at the start.
PRUNE_SECONDS = 3600.0

_Stream = TypeVar("_Stream", bound=StreamState)
_StreamIn = TypeVar("_StreamIn", bound=StreamState, contravariant=True)


class CheckpointStore(Protocol):
    """What the checkpoint needs of the store."""

    def commit(self, batch: Commit) -> None: ...
    def prune(self, now_ms: int) -> object: ...


class Marks(Protocol[_StreamIn]):
    """How streams of one kind are stored: files by cursor, records by position."""

    def mark(self, stream: _StreamIn) -> Cursor | Position | None:
        """Where reading resumes; None if the stream cannot be read again."""

    def committed(self, stream: _StreamIn, mark: Cursor | Position | None) -> None:
        """`mark` is on disk."""


class CursorMaker(Protocol):
    """What `FileMarks` needs of the follower."""

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


class FileMarks:
    """Cursors of followed files."""

    def __init__(self, follower: CursorMaker) -> None:
        self._follower = follower

    def mark(self, stream: TailStream) -> Cursor:
        """The follower adds what it recognises the file by."""
        return self._follower.cursor(
            stream.name,
            offset=stream.offset,
            reported=stream.reported,
            lines=stream.lines,
            line_start=stream.line_start,
            provisional=stream.early[min(stream.early)] if stream.early else None,
        )

    def committed(self, stream: TailStream, mark: Cursor | Position | None) -> None:
        """The follower may now close or forget what lies before the offset."""
        assert isinstance(mark, Cursor)
        stream.stored(mark)
        self._follower.committed(stream.name, stream.offset)


class Checkpoint(Generic[_Stream]):
    """Collects and commits. `steady` gives seconds of a clock that nobody sets; `addressed` adds to
    each entry the sinks that want it.
    """

    def __init__(
        self,
        store: CheckpointStore,
        marks: Marks[_Stream],
        rollup: Rollup,
        steady: Callable[[], float],
        addressed: Callable[[Iterable[OutboxEntry]], list[OutboxEntry]] = list,
    ) -> None:
        self._store = store
        self._marks = marks
        self._rollup = rollup
        self._steady = steady
        self._addressed = addressed
        self._alerts: list[OutboxEntry] = []
        self._bytes = 0
        self._judged: dict[str, _Stream] = {}
        self._ended: dict[str, Cursor | None] = {}
        self._last = self._tried = self._prune = steady()
        self.trouble: StoreError | None = None
        self.commits = 0

    def add(self, entries: Iterable[OutboxEntry]) -> int:
        """Add alerts that are to be delivered; their number."""
        before = len(self._alerts)
        self._alerts += self._addressed(entries)
        self._bytes += sum(len(entry.body) for entry in self._alerts[before:])
        return len(self._alerts) - before

    def judged(self, stream: _Stream) -> None:
        """Bytes of the stream were read, or its offset moved."""
        self._judged[stream.name] = stream

    def left(self, stream: _Stream) -> None:
        """The follower does not know the stream any more; `ended` is still to come."""
        self._judged.pop(stream.name, None)

    def ended(self, stream: TailStream, ended: Ended) -> None:
        """The stream has ended, and its last alerts were added. A compressed file that was read
        whole is kept as finished, or it would be read again after a restart.
        """
        # The follower makes no cursor for it any more.
        self._judged.pop(stream.name, None)
        kept = replace(stream.cursor, state="finished") if ended.reason == "finished" else None
        self._ended[stream.name] = kept

    def forget(self, stream: str) -> None:
        """Nothing of the stream is needed after a restart."""
        self._judged.pop(stream, None)
        self._ended[stream] = None

    @property
    def full(self) -> bool:
        """Whether too much waits for the disk."""
        return self._bytes >= HELD_BYTES

    @property
    def due(self) -> float | None:
        """When to write; None if there is nothing to write."""
        if self.trouble is not None:
            return self._tried + RETRY_SECONDS
        if self._alerts:
            return 0.0  # a sink can send an alert only when it is on disk
        if self._judged or self._ended or self._rollup.waiting:
            return self._last + IDLE_SECONDS
        return None

    def commit(self, now_ms: int) -> int | None:
        """Write the batch. The number of alerts; None if the store cannot be written now."""
        self._tried = self._steady()
        # Marks are made now and not when bytes were read: they must cover exactly the findings that
        # are in this batch.
        marks = [(stream, self._marks.mark(stream)) for stream in self._judged.values()]
        try:
            self._store.commit(self._batch([mark for _, mark in marks], now_ms))
        except StoreError as error:
            # Everything stays where it is. The marks are made again at the next try, when more may
            # have been judged.
            self.trouble = error
            return None
        count, self._alerts, self._bytes = len(self._alerts), [], 0
        self._judged, self._ended, self.trouble = {}, {}, None
        self._last = self._tried
        self.commits += 1
        self._rollup.settled()
        # Last: a follower may close a file, a queue may drop records, and neither can be undone.
        for stream, mark in marks:
            self._marks.committed(stream, mark)
        if self._tried >= self._prune:
            self._prune = self._tried + PRUNE_SECONDS
            with suppress(StoreError):  # the next hour tries again
                self._store.prune(now_ms)
        return count

    def _batch(self, marks: Sequence[Cursor | Position | None], now_ms: int) -> Commit:
        finished = [cursor for cursor in self._ended.values() if cursor]
        return Commit(
            cursors=[mark for mark in marks if isinstance(mark, Cursor)] + finished,
            positions=[mark for mark in marks if isinstance(mark, Position)],
            forget=[name for name, kept in self._ended.items() if kept is None],
            sightings=self._rollup.changed(),
            alerts=self._alerts,
            at_ms=now_ms,
        )
