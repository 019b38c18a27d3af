"""What following files promises to the runtime.

A *stream* is the logical content of one generation of a log. It keeps its name while its file is
renamed, copied or compressed, and it ends when everything that could be read of it was read. A
*look* compares what is known with what is there and gives events; between looks nothing changes.
All offsets are those of the logical stream: for a compressed rest, of the decompressed bytes.

The order of one round: `look`, then `read` for each stream that has bytes, then the caller stores
its cursors (made by `cursor`, and the one of each `Opened`), then `committed` for every stream that
was read. Only then may `Ended` come for it.

Every event of a stream comes between its `Opened` and its `Ended`. A stream that is known only by
its cursor and is gone, or a finished one whose file is gone, is opened and ended in one look, with
nothing to read.
"""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

import msgspec

from jwtleak.types import Cursor

Reason: TypeAlias = Literal["rotated", "truncated", "removed", "finished"]
WatchMode: TypeAlias = Literal["events", "polling"]


class Opened(msgspec.Struct, frozen=True, gc=False):
    """A stream is followed from `cursor.offset` on; `size` is how far it can be read now.

    `follows` is the stream whose place it took by rotation or truncation. `packed` says that the
    bytes come from a compressed file: such a stream never grows, and `size` is only how much is
    unpacked so far. `kept`: the cursor is stored as it is, and the file has not changed since.
    """

    stream: str
    path: str
    cursor: Cursor
    size: int
    follows: str | None = None
    packed: bool = False
    kept: bool = False


class Grown(msgspec.Struct, frozen=True, gc=False):
    """The bytes up to `size` can be read now. NUL bytes at the end that are only reserved do not
    count.
    """

    stream: str
    size: int


class Moved(msgspec.Struct, frozen=True, gc=False):
    """The same stream is now found under another name; alerts name the new one."""

    stream: str
    path: str


class Ended(msgspec.Struct, frozen=True, gc=False):
    """Everything that could be read of a stream was read, and its cursor may be forgotten.

    `lost` counts the bytes that were seen to exist and are gone unread. `rotated`: the file left
    its name and was quiet; `truncated`: the file was cut and begins anew; `removed`: the file is
    gone; `finished`: a compressed file was read whole. A compressed file is known again after a
    restart by the `cursor` that comes with `finished`: it is to be stored, and forgotten when
    `removed` comes for the same stream.
    """

    stream: str
    reason: Reason
    lost: int = 0
    cursor: Cursor | None = None


class Trouble(msgspec.Struct, frozen=True, gc=False):
    """Something could not be looked at or read. Given once for each kind and path until it works
    again; counted.
    """

    kind: str
    path: str
    reason: str


class Mode(msgspec.Struct, frozen=True, gc=False):
    """How changes in a directory are noticed; given when it is first known and when it changes."""

    directory: str
    mode: WatchMode
    reason: str


Event: TypeAlias = Opened | Grown | Moved | Ended | Trouble | Mode


class FollowStats(msgspec.Struct, kw_only=True):
    """Gauges and counters of a follower, for metrics and health."""

    followed: int = 0  # streams that are followed now
    open: int = 0  # files that are held open now
    opened: int = 0
    rotated: int = 0
    truncated: int = 0
    removed: int = 0
    finished: int = 0
    bytes_lost: int = 0
    overflows: int = 0  # of the event queue, each answered with a look at everything
    looks: int = 0
    modes: dict[WatchMode, int] = msgspec.field(default_factory=dict)  # directories by mode
    troubles: dict[str, int] = msgspec.field(default_factory=dict)  # by kind


class Following(Protocol):
    """What the loop needs of `follower.Follower`; not safe for threads but for `wake`."""

    def start(self) -> None:
        """Begin to watch. Without it everything works by polling alone."""

    def close(self) -> None:
        """Stop watching and close all files."""

    def wait(self, seconds: float) -> None:
        """Until there is reason to look (an event, `wake`), or the time is over."""

    def wake(self) -> None:
        """End the present or the next `wait`; from any thread or signal handler."""

    def look(self) -> list[Event]:
        """Compare what is due: files with a hint at once, known files by their interval, everything
        after an overflow.
        """

    def read(self, stream: str, offset: int, buffer: memoryview) -> int:
        """The bytes at `offset`, as many as there are and fit. 0: nothing there now. Raises
        `SourceError`.
        """

    def data_after(self, stream: str, offset: int) -> int:
        """The next offset that is not in a hole; `offset` itself where it is data, or where that
        cannot be told.
        """

    def cursor(
        self,
        stream: str,
        *,
        offset: int,
        told: int,
        lines: int,
        line_start: int,
        provisional: str | None,
    ) -> Cursor:
        """The cursor to be stored for a stream that was judged up to `offset`; `told` is what is
        said of it in `Cursor`.
        """

    def committed(self, stream: str, offset: int) -> None:
        """What was read so far is judged and stored, up to `offset` for good; to be called for
        every stream read.
        """

    def unsettled(self) -> int:
        """How many files wait for a decision: `--once` goes on looking until there are none."""

    def stats(self) -> FollowStats:
        """The figures as they are now."""
