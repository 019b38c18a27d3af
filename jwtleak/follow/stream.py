"""What is known of one stream between two looks."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from jwtleak.follow.compressed import Packed
from jwtleak.follow.fingerprint import Key
from jwtleak.follow.interface import Reason
from jwtleak.types import Cursor

# sought: has a cursor, was not met yet; followed: its name is one that is asked for; leaving: it is read to its end from
# a file that has no such name any more; orphan: there is nothing to read it from, perhaps a copy is found; finished: a
# compressed file that was read whole, kept so that it is not read again.
State: TypeAlias = Literal["sought", "followed", "leaving", "orphan", "finished"]


class Stream(msgspec.Struct, kw_only=True, eq=False, gc=False):
    """A stream. `size` and times are those of the last look; `end` is how much of it is written."""

    name: str
    path: str
    stored: Cursor  # as the caller last stored it, or as it was opened
    state: State = "sought"
    reason: Reason = "rotated"

    device: int = 0
    inode: int = 0
    generation: int | None = None
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    end: int = 0
    reserved: bool = False  # NUL bytes stood behind `end` at the last look

    head_length: int = 0
    head: bytes = b""
    read_to: int = 0
    anchor_length: int = 0  # of the bytes before `read_to`
    anchor: bytes = b""

    named: bool = False  # `path` leads to the file, so that it can be opened again
    aliases: list[str] = []  # other names of the same file
    real: str = ""  # where `path` leads to, if it is a link
    fd: int = -1
    packed: Packed | None = None
    opened: bool = False  # the caller knows of it
    told: int = 0  # the size that the caller was told
    uncommitted: bool = False
    stalled: bool = False
    confirm: bool = False  # it changed, perhaps again within the same tick of the file system's clock
    changed_at: float = 0.0
    left_at: float = 0.0
    lost: int = 0
    rewrites: int = 0  # in a row, without growth between

    @property
    def key(self) -> Key:
        """Where its file is."""
        return self.device, self.inode

    @property
    def caught_up(self) -> bool:
        """Whether all that can be read was read."""
        if self.packed is not None:
            return self.packed.ended and self.read_to >= self.packed.position
        return self.read_to >= self.end
