"""What became of a file, as a pure function of what was known before and what is seen now.

Promises: nothing is skipped in doubt: reading again gives alerts that have their ids already,
skipping loses them. What could not be looked at is `frozen`, never gone. A file that is still alive
is never taken for another one because their bytes are equal. The table of `docs/design/tailing.md`
is this module.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from jwtleak.follow.fingerprint import Match

Presence: TypeAlias = Literal["there", "gone", "unknown"]
Verdict: TypeAlias = Literal["unchanged", "continue", "truncated", "replaced", "left", "frozen"]
Placement: TypeAlias = Literal["here", "wait", "elsewhere"]
Welcome: TypeAlias = Literal["ignore", "alias", "resume", "wait", "open"]


class Seen(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A known file's name and content at a look. `read_to` is how far its bytes were taken.

    `same`: device, inode and generation are the ones known; `changed`: size or times are not the
    ones known.
    """

    presence: Presence
    same: bool = True
    changed: bool = True
    size: int = 0
    read_to: int = 0
    head: Match = "same"
    anchor: Match = "same"


def judge(seen: Seen) -> Verdict:
    """What became of a known file, looked at by its name."""
    if seen.presence == "unknown":
        return "frozen"
    if seen.presence == "gone":
        return "left"
    if not seen.same:
        return "replaced"
    if not seen.changed:
        return "unchanged"
    if seen.size < seen.read_to or seen.head == "differs" or seen.anchor == "differs":
        return "truncated"
    if "unread" in (seen.head, seen.anchor):
        return "frozen"
    if seen.read_to and seen.anchor == "none":
        return "truncated"  # nothing says that these are the bytes that were read
    return "continue"


class Candidate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A file that may hold what a stream that lost its place has left to read.

    `same`: the very file, by device, inode and generation; `live`: it is another stream's file, and
    not changed by anything but growth; `settled`: it has not changed for a while, so nobody is
    still copying or compressing into it.
    """

    same: bool
    live: bool = False
    settled: bool = True
    packed: bool = False
    size: int = 0
    read_to: int = 0
    head: Match = "same"
    anchor: Match = "same"


def place(candidate: Candidate) -> Placement:
    """Whether a stream goes on in a file: `here`, perhaps when it is complete (`wait`), or
    `elsewhere`.
    """
    if candidate.live:
        return "elsewhere"
    if candidate.head == "differs":
        return "elsewhere"
    if candidate.packed and not candidate.settled and not candidate.same:
        return "wait"
    if candidate.head == "none" and not candidate.same:
        return "elsewhere"  # no byte of it is known: any file would do
    if not candidate.packed and candidate.size < candidate.read_to:
        # A copy that is being made holds less than was read; the file itself cannot.
        return "elsewhere" if candidate.same or candidate.settled else "wait"
    if "unread" in (candidate.head, candidate.anchor):
        return "wait"
    if candidate.anchor == "same" or not candidate.read_to:
        return "here"
    return "elsewhere"


class NewFile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A name that was not there before, or leads to another file than before.

    `known`: another name of a file that is followed; `rest`: where a stream that lost its place
    stands with it; `twin`: all of it stands in a live file too, as of a copy that is being made
    before the original is cut.
    """

    own: bool = False
    known: bool = False
    rest: Placement = "elsewhere"
    packed: bool = False
    settled: bool = True
    twin: bool = False


def welcome(arrival: NewFile) -> Welcome:
    """What to do with a file that arrives."""
    if arrival.own:
        return "ignore"
    if arrival.known:
        return "alias"
    if arrival.rest == "here":
        return "resume"
    if arrival.rest == "wait" or (not arrival.settled and (arrival.packed or arrival.twin)):
        return "wait"
    return "open"


class Leaving(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A stream whose file has no name that is followed, or that has no file any more."""

    caught_up: bool  # all that can be read was read
    committed: bool  # and the caller has stored what came of it
    quiet: bool  # nothing was written for the time that writers are given
    frozen: bool = False  # some place where it may be could not be looked at
    waiting: bool = False  # a file that may hold its rest is not complete yet


def may_end(leaving: Leaving) -> bool:
    """Whether a stream is over."""
    return (
        leaving.caught_up
        and leaving.committed
        and leaving.quiet
        and not (leaving.frozen or leaving.waiting)
    )


def begin_at(
    *, first: bool, followed_before: bool, origin: tuple[str, float], size: int, age: float
) -> int:
    """Where to begin in a file without a cursor.

    `from` is meant for what was there before the program was first started (`first`, and its
    directory was not `followed_before`): a file that came while the program was down is read whole.
    `age`: seconds since it changed.
    """
    kind, span = origin
    if not first or followed_before or kind == "beginning":
        return 0
    return size if kind == "end" or age > span else 0
