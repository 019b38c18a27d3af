"""The contract between the follower and the runtime.

A *stream* is the logical content of one generation of a log. It keeps its name while its file is
renamed, copied or compressed, and it ends when everything readable was read. A *poll* compares the
registry with the file system and returns events; between two polls nothing changes. All offsets
belong to the logical stream: in a compressed file they count decompressed bytes.

The order of one round: `poll`; `read` for each stream that has bytes; the caller stores its cursors
(those from `cursor`, and the one in each `Opened`); `committed` for every stream that was read.
Only then may `Ended` come for it.

Every event of a stream comes between its `Opened` and its `Ended`. A stream known only by its
cursor whose file is gone, or a finished one whose file is gone, is opened and ended in one poll,
with nothing to read.
"""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

import msgspec

from jwtleak.types import Cursor

Reason: TypeAlias = Literal["rotated", "truncated", "removed", "finished"]
WatchMode: TypeAlias = Literal["events", "polling"]


class Opened(msgspec.Struct, frozen=True, gc=False):
    """A stream is followed from `cursor.offset` on; `size` is how far it can be read now.

    `follows` is the previous generation of the same log, replaced by rotation or truncation.
    `compressed`: the bytes come from a compressed file; such a stream never grows, and `size` is
    only how much is decompressed so far. `kept`: the cursor equals the stored one, and the file has
    not changed since.
    """

    stream: str
    path: str
    cursor: Cursor
    size: int
    follows: str | None = None
    compressed: bool = False
    kept: bool = False


class Grown(msgspec.Struct, frozen=True, gc=False):
    """The bytes up to `size` can be read now, without reserved NUL bytes at the end of the file."""

    stream: str
    size: int


class Moved(msgspec.Struct, frozen=True, gc=False):
    """The same stream is now found at another path; alerts name the new one."""

    stream: str
    path: str


class Ended(msgspec.Struct, frozen=True, gc=False):
    """Everything readable of a stream was read, and its cursor may be forgotten.

    `lost` counts bytes that a poll saw and that are gone unread. `rotated`: the file left its path
    and was quiet; `truncated`: the file was truncated and begins a new stream; `removed`: the file
    is gone; `finished`: a compressed file was read whole. The `cursor` that comes with `finished`
    identifies that file after a restart: store it until `removed` comes for the same stream.
    """

    stream: str
    reason: Reason
    lost: int = 0
    cursor: Cursor | None = None


class Trouble(msgspec.Struct, frozen=True, gc=False):
    """A file or directory could not be inspected or read.

    Emitted once for each kind and path until it works again, and counted.
    """

    kind: str
    path: str
    reason: str


class Mode(msgspec.Struct, frozen=True, gc=False):
    """How changes in a directory are noticed. Emitted at first and at each change."""

    directory: str
    mode: WatchMode
    reason: str


Event: TypeAlias = Opened | Grown | Moved | Ended | Trouble | Mode


class FollowStats(msgspec.Struct, kw_only=True):
    """Gauges and counters of a follower, for metrics and health."""

    followed: int = 0  # streams followed now
    open: int = 0  # files open now
    opened: int = 0
    rotated: int = 0
    truncated: int = 0
    removed: int = 0
    finished: int = 0
    bytes_lost: int = 0
    overflows: int = 0  # of the event queue; each one makes the next poll inspect everything
    modes: dict[WatchMode, int] = msgspec.field(default_factory=dict)  # directories by mode
    troubles: dict[str, int] = msgspec.field(default_factory=dict)  # by kind


class Following(Protocol):
    """What the loop needs of `follower.Follower`. Only `wake` is safe from other threads."""

    def start(self) -> None:
        """Start watching. Without it everything works by polling alone."""

    def close(self) -> None:
        """Stop watching and close all files."""

    def wait(self, seconds: float) -> None:
        """Block until an event or `wake` gives a reason to poll, at most for `seconds`."""

    def wake(self) -> None:
        """End the current or the next `wait`; from any thread or signal handler."""

    def poll(self) -> list[Event]:
        """Inspect what is due and return what changed.

        A hinted file is due at once, a known file by its interval, everything after an overflow.
        """

    def read(self, stream: str, offset: int, buffer: memoryview) -> int:
        """Read the bytes at `offset` into `buffer`; return how many, 0 if none are there now.

        Raises `SourceError`.
        """

    def data_after(self, stream: str, offset: int) -> int:
        """Return the next offset outside a hole.

        That is `offset` itself where there is data, or where holes cannot be detected.
        """

    def cursor(
        self,
        stream: str,
        *,
        offset: int,
        reported: int,
        lines: int,
        line_start: int,
        provisional: str | None,
    ) -> Cursor:
        """Return the cursor to store for a stream that was judged up to `offset`.

        `reported` and the other values mean what `types.Cursor` says of them.
        """

    def committed(self, stream: str, offset: int) -> None:
        """Record that everything read so far is judged and stored, up to `offset` for good.

        Call it for every stream that was read.
        """

    def unsettled(self) -> int:
        """Return how many files wait for a decision; `--once` polls until there are none."""

    def stats(self) -> FollowStats:
        """Return the current figures."""
