"""Joints: a line that a container runtime split, of which the rest stands in the file that took the
old one's place.

Promises: only records that say themselves that they go on are joined, to the stream that follows
theirs; what is found so belongs to the old stream, where it begins. Bounded: LOOKAHEAD bytes of the
new stream, LONGEST_WAIT seconds.
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
    """Takes what was found in a stream; `early`: more bytes could change it."""

    def __call__(
        self, stream: TailStream, seat: StreamReader, found: list[Finding], *, early: bool = False
    ) -> None: ...


class _RotationJoin:
    """`old` and what follows it. `seat` is the old one's engine once it is fed with the new one's
    bytes.
    """

    def __init__(self, old: TailStream, new: TailStream, until: float) -> None:
        self.old, self.new, self.until = old, new, until
        self.seat: StreamReader | None = None
        self.fed = 0
        self.end = 0
        self.over: Ended | None = None


class RotationJoins:
    """All that are open. `over` is called for an old stream whose end had to wait."""

    def __init__(
        self,
        source: Bytes,
        desk: ReaderPool,
        tell: EmitFindings,
        over: Callable[[TailStream, Ended], None],
    ) -> None:
        self._source = source
        self._desk = desk
        self._tell = tell
        self._over = over
        self._open: dict[str, _RotationJoin] = {}

    def opened(self, new: TailStream, old: TailStream, now: float) -> None:
        """`new` took the place of `old`."""
        self._open[old.name] = _RotationJoin(old, new, now + LONGEST_WAIT)

    def grew(self, name: str) -> None:
        """A stream is read on: what was tried with its end so far does not count."""
        joint = self._open.get(name)
        if joint is not None and joint.seat is not None:
            self._desk.give_back(joint.seat)
            joint.seat, joint.fed = None, 0

    def ended(self, stream: TailStream, ended: Ended) -> bool:
        """A stream is over; True when its end has to wait for a joint."""
        for joint in [one for one in self._open.values() if one.new is stream]:
            self._close(joint)
        joint_of = self._open.get(stream.name)
        if joint_of is None:
            return False
        if joint_of.seat is None:
            self._begin(joint_of)
        if joint_of.seat is None:
            del self._open[stream.name]
            return False
        self._tell(stream, joint_of.seat, joint_of.seat.early(), early=True)
        joint_of.over = ended
        return True

    def step(self, now: float) -> None:
        """Try those for which bytes have come, close those whose time is over."""
        for joint in list(self._open.values()):
            if joint.seat is None and joint.old.backlog == 0:
                self._begin(joint)
            if (joint.seat is not None and self._feed(joint, joint.seat)) or now >= joint.until:
                self._close(joint)

    def finish(self, now: float) -> None:
        """Nothing more will come."""
        self.step(now)
        for joint in list(self._open.values()):
            self._close(joint)

    def _begin(self, joint: _RotationJoin) -> None:
        seat = self._desk.of(joint.old.name)
        if seat is None or seat.engine.pending != "growing":
            return
        rest = seat.engine.rest()
        if rest.endswith(b"\n") and any(
            one.applies(rest[:128]) and one.extent(rest) is None for one in LINES
        ):
            self._desk.take_away(joint.old.name)
            joint.seat, joint.end, joint.fed = seat, joint.old.read, 0

    def _feed(self, joint: _RotationJoin, seat: StreamReader) -> bool:
        """Whether all that begins in the old stream is judged."""
        found: list[Finding] = []
        while joint.fed < min(joint.new.size, LOOKAHEAD) and seat.engine.resume_offset < joint.end:
            room = seat.engine.get_buffer()[: LOOKAHEAD - joint.fed]
            try:
                count = self._source.read(joint.new.name, joint.fed, room)
            except SourceError:
                count = 0
            if count == 0:
                break
            joint.fed += count
            found += seat.more(count)
        self._tell(joint.old, seat, [one for one in found if one.offset < joint.end])
        return seat.engine.resume_offset >= joint.end

    def _close(self, joint: _RotationJoin) -> None:
        del self._open[joint.old.name]
        if joint.seat is not None:
            if joint.seat.engine.resume_offset < joint.end:
                early = [one for one in joint.seat.early() if one.offset < joint.end]
                self._tell(joint.old, joint.seat, early, early=True)
            self._desk.give_back(joint.seat)
        if joint.over is not None:
            self._over(joint.old, joint.over)
