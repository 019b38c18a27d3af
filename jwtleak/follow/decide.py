"""What became of a file, as pure functions of the registry's facts and what is there now.

Promises: in doubt bytes are read again, never skipped: reading again repeats alerts under their old
ids, skipping loses them. A file that could not be inspected is `frozen`, never gone. A file that
another stream reads is never mistaken for a rotated one because their bytes are equal.
Every verdict of the follower on a known file (`judge`), on a file that may continue a stream
(`place`), on a new file (`admit`) and on the end of a stream (`may_end`) is made here; the tables
in `docs/design/tailing.md` list the same rows in the same order.
Refuses: I/O. `inspect`, `rotations` and `discovery` gather the facts, `lifecycle` acts.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from jwtleak.follow.fingerprint import Match

Presence: TypeAlias = Literal["there", "gone", "unknown"]
Verdict: TypeAlias = Literal["unchanged", "continue", "truncated", "replaced", "left", "frozen"]
Placement: TypeAlias = Literal["here", "wait", "elsewhere"]
Admission: TypeAlias = Literal["ignore", "alias", "resume", "wait", "open"]


class Seen(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a poll finds at the path of a known file.

    `same`: device, inode and generation are the stream's; `changed`: size or times differ from the
    last poll; `read_to`: how far the stream was read.
    """

    presence: Presence
    same: bool = True
    changed: bool = True
    size: int = 0
    read_to: int = 0
    head: Match = "same"
    anchor: Match = "same"


def judge(seen: Seen) -> Verdict:
    """Return what became of a known file."""
    # EMFILE, EACCES and EIO come first: a tailer for which they are deletions forgets its cursors
    # and reads everything again (elastic/beats#51766).
    if seen.presence == "unknown":
        return "frozen"
    if seen.presence == "gone":
        return "left"
    if not seen.same:
        return "replaced"
    if not seen.changed:
        return "unchanged"
    # Any of the three proves a new generation. An unread head or anchor must not hide the proof
    # that the other one found, so they come after.
    if seen.size < seen.read_to or seen.head == "differs" or seen.anchor == "differs":
        return "truncated"
    if "unread" in (seen.head, seen.anchor):
        return "frozen"
    if seen.read_to and seen.anchor == "none":
        return "truncated"  # nothing says that these are the bytes that were read
    return "continue"


class Candidate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A file that may hold the unread rest of a stream that lost its file.

    `same`: the very file, by device, inode and generation; `live`: another stream reads it;
    `settled`: it has not changed for a while, so nobody is still copying or compressing into it.
    """

    same: bool
    live: bool = False
    settled: bool = True
    compressed: bool = False
    size: int = 0
    read_to: int = 0
    head: Match = "same"
    anchor: Match = "same"


def place(candidate: Candidate) -> Placement:
    """Return whether a stream continues in a file: `here`, `elsewhere`, or `wait` to find out."""
    # Two live logs often begin alike (banners, headers). Whoever merges them by content loses one.
    if candidate.live:
        return "elsewhere"
    if candidate.head == "differs":
        return "elsewhere"
    # Half a gzip file decompresses to a prefix: its end would be mistaken for the stream's end.
    if candidate.compressed and not candidate.settled and not candidate.same:
        return "wait"
    if candidate.head == "none" and not candidate.same:
        return "elsewhere"  # not one byte is known: any file would do
    if not candidate.compressed and candidate.size < candidate.read_to:
        # A copy in the making is shorter than what was read; the stream's own file cannot be.
        return "elsewhere" if candidate.same or candidate.settled else "wait"
    if "unread" in (candidate.head, candidate.anchor):
        return "wait"
    # Nothing was read, so nothing can be skipped: the head, or the very file, is enough.
    if candidate.anchor == "same" or not candidate.read_to:
        return "here"
    return "elsewhere"


class NewFile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A path that is new, or leads to another file than before.

    `own`: this program writes or wrote it; `known`: another path of a file that a stream reads;
    `rest`: the placement of the best match among the streams without a file; `heir`: the compressed
    form of a file that is still being read to its end; `twin`: all of its bytes are in a live file
    too, as in a copy that is made before the original is truncated.
    """

    own: bool = False
    known: bool = False
    rest: Placement = "elsewhere"
    heir: bool = False
    compressed: bool = False
    settled: bool = True
    twin: bool = False


def admit(new: NewFile) -> Admission:
    """Return what to do with a new file."""
    if new.own:
        return "ignore"
    if new.known:
        return "alias"
    if new.rest == "here":
        return "resume"
    # Opened now, an heir would be read a second time: the stream that it continues still has a
    # file, so nothing could match the two.
    if new.rest == "wait" or new.heir:
        return "wait"
    if not new.settled and (new.compressed or new.twin):
        return "wait"
    return "open"


class Leaving(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A stream whose file has no followed path, or that has no file any more."""

    caught_up: bool  # everything readable was read
    committed: bool  # and the caller has stored the results
    quiet: bool  # nothing was written for as long as a writer may pause
    frozen: bool = False  # a directory that may hold its rest could not be listed
    waiting: bool = False  # a file that may hold its rest is not complete yet


def may_end(leaving: Leaving) -> bool:
    """Return whether a stream is over."""
    # `Ended` makes the caller forget the cursor. Before its commit, a crash after that would lose
    # what was found.
    return (
        leaving.caught_up
        and leaving.committed
        and leaving.quiet
        and not (leaving.frozen or leaving.waiting)
    )


def begin_at(
    *, first: bool, followed_before: bool, origin: tuple[str, float], size: int, age: float
) -> int:
    """Return the offset to begin at in a file without a cursor.

    The setting `from` is about files that existed before the very first start: `first`, in a
    directory that was not `followed_before`. A file that came while the program was down is read
    whole. `age` is the number of seconds since the file changed.
    """
    kind, span = origin
    # A directory with a cursor was followed before: with `from = "end"` a log that was created
    # while the program was down would be skipped, which is what cursors are for.
    if not first or followed_before or kind == "beginning":
        return 0
    return size if kind == "end" or age > span else 0
