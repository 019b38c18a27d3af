"""Rotation joins: a line that a container runtime split across a rotation. It begins in the old
file and continues in the file that replaced it.

Promises: only records that say themselves that they continue are joined, and only with the stream
that follows theirs; a token found that way belongs to the old stream, where it begins. Bounded by
LOOKAHEAD bytes of the new stream and LONGEST_WAIT seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from jwtleak.core.regions import LOOKAHEAD
from jwtleak.core.unwrap import LINES
from jwtleak.errors import SourceError
from jwtleak.follow.interface import Ended
from jwtleak.runtime.tail.readers import LONGEST_WAIT, Bytes, ReaderPool, StreamReader, TailStream
from jwtleak.types import Finding


class EmitFindings(Protocol):
    """Reports findings in a stream; `early`: more bytes could change them."""

    def __call__(
        self, stream: TailStream, reader: StreamReader, found: list[Finding], *, early: bool = False
    ) -> None: ...


class _RotationJoin:
    """`old` and the stream that follows it. `reader` is the one of `old` once it is detached from
    the pool and reads bytes of `new`; `end` is where `old` ends in it.
    """

    def __init__(self, old: TailStream, new: TailStream, until: float) -> None:
        self.old, self.new, self.until = old, new, until
        self.reader: StreamReader | None = None
        self.fed = 0
        self.end = 0
        self.ended: Ended | None = None


class RotationJoins:
    """All open joins. `finish_stream` is called for an old stream whose end had to wait."""

    def __init__(
        self,
        source: Bytes,
        pool: ReaderPool,
        emit: EmitFindings,
        finish_stream: Callable[[TailStream, Ended], None],
    ) -> None:
        self._source = source
        self._pool = pool
        self._emit = emit
        self._finish_stream = finish_stream
        self._open: dict[str, _RotationJoin] = {}

    def opened(self, new: TailStream, old: TailStream, now: float) -> None:
        """`new` replaced `old` at its path."""
        self._open[old.name] = _RotationJoin(old, new, now + LONGEST_WAIT)

    def grew(self, name: str) -> None:
        """A stream is about to be read on. If it was joined at its former end, that was no end."""
        join = self._open.get(name)
        if join is not None and join.reader is not None:
            self._pool.recycle(join.reader)
            join.reader, join.fed = None, 0

    def ended(self, stream: TailStream, ended: Ended) -> bool:
        """A stream has ended. True if its end has to wait for a join."""
        # The other side first: nothing more comes for those that wait for this stream's bytes.
        for waiting in [join for join in self._open.values() if join.new is stream]:
            self._close(waiting)
        join = self._open.get(stream.name)
        if join is None:
            return False
        if join.reader is None:
            self._begin(join)
        if join.reader is None:
            del self._open[stream.name]
            return False
        # Its file is gone after this: what is known now is reported now, and replaced if the new
        # stream brings more.
        self._emit(stream, join.reader, join.reader.early(), early=True)
        join.ended = ended
        return True

    def step(self, now: float) -> None:
        """Feed the joins for which bytes have come, close those whose time is over."""
        for join in list(self._open.values()):
            if join.reader is None and join.old.backlog == 0:
                self._begin(join)
            if (join.reader is not None and self._feed(join, join.reader)) or now >= join.until:
                self._close(join)

    def finish(self, now: float) -> None:
        """Close all joins: nothing more will come."""
        self.step(now)
        for join in list(self._open.values()):
            self._close(join)

    def _begin(self, join: _RotationJoin) -> None:
        """Detach the reader of the old stream if its last record says that it continues."""
        reader = self._pool.get(join.old.name)
        if reader is None or reader.engine.pending != "growing":
            return
        rest = reader.engine.rest()
        # Only whole lines, and only of a runtime's format: any other end of file is just an end,
        # and text of two unrelated logs must not become one token.
        if rest.endswith(b"\n") and any(
            line.applies(rest[:128]) and line.extent(rest) is None for line in LINES
        ):
            self._pool.detach(join.old.name)
            join.reader, join.end, join.fed = reader, join.old.read, 0

    def _feed(self, join: _RotationJoin, reader: StreamReader) -> bool:
        """Whether everything that begins in the old stream is judged."""
        found: list[Finding] = []
        while join.fed < min(join.new.size, LOOKAHEAD) and reader.engine.resume_offset < join.end:
            room = reader.engine.get_buffer()[: LOOKAHEAD - join.fed]
            try:
                count = self._source.read(join.new.name, join.fed, room)
            except SourceError:
                count = 0  # the turn of the new stream reports it
            if count == 0:
                break
            join.fed += count
            found += reader.buffer_updated(count)
        # Tokens that begin behind the end are the new stream's own, with its offsets and ids.
        self._emit(join.old, reader, [finding for finding in found if finding.offset < join.end])
        return reader.engine.resume_offset >= join.end

    def _close(self, join: _RotationJoin) -> None:
        del self._open[join.old.name]
        if join.reader is not None:
            if join.reader.engine.resume_offset < join.end:
                found = [finding for finding in join.reader.early() if finding.offset < join.end]
                self._emit(join.old, join.reader, found, early=True)
            self._pool.recycle(join.reader)
        if join.ended is not None:
            self._finish_stream(join.old, join.ended)
