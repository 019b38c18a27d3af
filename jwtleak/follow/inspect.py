"""Looks at files that are known: has it grown, was it cut, does its name lead elsewhere?

Promises: gathers what `decide.judge` asks for, and lets `Lifecycle` carry out the verdict; an
error is never a verdict.
"""

from __future__ import annotations

import errno
import os
import stat

from jwtleak.errors import reason_of
from jwtleak.follow.compressed import codec_of
from jwtleak.follow.decide import Leaving, Presence, Seen, judge, may_end
from jwtleak.follow.fingerprint import Match, compare, same_generation
from jwtleak.follow.lifecycle import Lifecycle
from jwtleak.follow.open_file import NotRegularError, OpenedFile
from jwtleak.follow.registry import LOOKS_PER_SECOND, Registry
from jwtleak.follow.settings import TailSettings
from jwtleak.follow.stream import FollowedStream
from jwtleak.sources.local import SNIFF

GONE = (errno.ENOENT, errno.ENOTDIR)

# A file is looked at as often as `file_interval` says while it changes, and for so long after that.
_ACTIVE = 10.0
# However many idle files there are, none waits longer than this for a look (and the quarter by
# which they are spread out).
_RAREST = 30.0
# Where events come, idle files are looked at only for what makes none (memory-mapped writers, other
# hosts): after a tenth of the time for which they were silent, up to this.
_IDLE_EVENTS = 15.0
# A file system's clock ticks every 1-10 ms, some (ext3, HFS+, NFS servers) every second: a change
# within the tick of the last look leaves the time stamp as it was.
_TICK = 1.0
# After so many rewrites in place in a row the file is looked at ever less often: something that is
# no log (a database, a journal whose header changes) must not be read whole again every second.
_REWRITES = 3


class Inspector:
    """The known files. `displaced` collects names that lead elsewhere now, to be looked at as
    arrivals.
    """

    def __init__(self, book: Registry, transitions: Lifecycle, settings: TailSettings) -> None:
        self._book = book
        self._transitions = transitions
        self._settings = settings
        self.displaced: list[str] = []
        self.cut: list[
            tuple[FollowedStream, str]
        ] = []  # streams that lost their name or content with this look, and the name
        self.heirs: set[str] = set()  # streams whose compressed form waits for them to end
        self.events: frozenset[str] = frozenset()  # directories from which events come
        self.events_everywhere = False

    def patient(self, stream: FollowedStream) -> bool:
        """Whether a hint is no reason to look at a file that is written anew all the time."""
        return stream.rewrites >= _REWRITES

    def examine(self, stream: FollowedStream, now: float) -> None:
        """Look at one file, and plan the next look."""
        if stream.state in ("followed", "finished"):
            self._named(stream, now)
        if stream.state == "followed" and stream.packed is not None:
            self._unpack(stream)
        if stream.state == "leaving":
            self._leaving(stream, now)
        if stream.name in self._book.streams and stream.state not in ("orphan", "sought"):
            self._book.schedule.put(stream.name, now + self._interval(stream, now))

    def _interval(self, stream: FollowedStream, now: float) -> float:
        interval = self._settings.file_interval
        if stream.rewrites >= _REWRITES:
            return float(interval * 2 ** min(stream.rewrites - _REWRITES + 1, 6))
        if stream.confirm or stream.state == "leaving" or now - stream.changed_at < _ACTIVE:
            return interval
        pause = len(self._book.streams) / LOOKS_PER_SECOND
        if self.events_everywhere or (
            self.events and os.path.dirname(stream.real or stream.path) in self.events
        ):
            pause = max(pause, min((now - stream.changed_at) / 10, _IDLE_EVENTS))
        # Those that were found together are spread out.
        return max(interval, min(pause, _RAREST) * (0.75 + int(stream.name[:2], 16) / 512))

    def _named(self, stream: FollowedStream, now: float) -> None:
        """A file that is looked at by its name."""
        try:
            found = os.stat(stream.path)
        except (OSError, ValueError) as error:
            self._absent(stream, error, now)
            return
        if (found.st_dev, found.st_ino) != stream.key or not stat.S_ISREG(found.st_mode):
            self._decide(stream, Seen(presence="there", same=False), found, now)
            return
        times = (found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        confirm = stream.confirm and now - stream.changed_at >= _TICK
        if (
            times == (stream.size, stream.mtime_ns, stream.ctime_ns)
            and not confirm
            and not stream.stalled
        ):
            return
        if stream.packed is not None or stream.state == "finished":
            self._archive(stream, found, now)
        elif self.opened(stream, now):
            self._content(stream, now, thorough=confirm)

    def _absent(self, stream: FollowedStream, error: OSError | ValueError, now: float) -> None:
        gone = getattr(error, "errno", None) in GONE
        presence: Presence = "gone" if gone else "unknown"
        if not gone:
            self._book.trouble("unreadable", stream.path, reason_of(error))
            stream.stalled = True
        self._decide(stream, Seen(presence=presence), None, now)

    def _archive(self, stream: FollowedStream, found: os.stat_result, now: float) -> None:
        """A compressed file does not grow: when its size or time moved, it is another one."""
        stream.confirm = False
        same = found.st_mtime_ns == stream.mtime_ns and found.st_size == stream.size
        stream.ctime_ns = found.st_ctime_ns
        if not same:
            self._decide(stream, Seen(presence="there", same=False), found, now)
            return

    def opened(self, stream: FollowedStream, now: float) -> bool:
        """Have the file open, and be sure that it is the one."""
        if stream.fd >= 0:
            return True
        try:
            handle = OpenedFile(stream.path, self._book.trouble)
        except NotRegularError:
            self._decide(stream, Seen(presence="there", same=False), None, now)
            return False
        except OSError as error:
            self._absent(stream, error, now)
            return False
        if handle.key != stream.key or not same_generation(handle.generation, stream.generation):
            handle.close()
            self._decide(stream, Seen(presence="there", same=False), None, now)
            return False
        packed = handle.packed
        self._book.descriptors.keep(stream, handle.give())
        stream.packed = packed
        return True

    def _content(self, stream: FollowedStream, now: float, *, thorough: bool) -> None:
        """Compare what is in an open file with what was read of it."""
        try:
            found = os.fstat(stream.fd)
        except OSError as error:
            self._absent(stream, error, now)
            return
        head, anchor = self.matches(stream)
        if thorough:
            stream.confirm = False
        seen = Seen(
            presence="there", size=found.st_size, read_to=stream.read_to, head=head, anchor=anchor
        )
        self._decide(stream, seen, found, now, thorough=thorough)

    def matches(self, stream: FollowedStream) -> tuple[Match, Match]:
        """Head and anchor of an open file against those of its stream."""
        head = compare(stream.fd, 0, stream.head_length, stream.head)
        anchor = compare(
            stream.fd, stream.read_to - stream.anchor_length, stream.anchor_length, stream.anchor
        )
        return head, anchor

    def _decide(
        self,
        stream: FollowedStream,
        seen: Seen,
        found: os.stat_result | None,
        now: float,
        *,
        thorough: bool = True,
    ) -> None:
        verdict, path = judge(seen), stream.path
        if verdict in ("replaced", "left"):
            if self._by_another_name(stream):
                return
            self.displaced.append(path)
            self._transitions.leave(stream, now, gone=verdict == "left")
            self.cut.append((stream, path))
        elif verdict == "truncated":
            fresh = self._transitions.truncate(stream, now)
            self.cut.append((stream, path))
            if fresh is None:
                self.displaced.append(path)
            else:
                self._book.schedule.put(fresh.name, now + self._interval(fresh, now))
        elif verdict == "continue" and found is not None:
            empty = not stream.end
            try:
                if empty and codec_of(os.pread(stream.fd, SNIFF, 0)) is not None:
                    self._compressed(stream)
                    return
                self._transitions.update(stream, found, now, thorough=thorough)
                if (
                    empty and stream.end
                ):  # perhaps not its first bytes: nothing tells that it was not copied and cut
                    self.cut.append((stream, path))
                self._book.well(stream.path)
            except OSError as error:
                self._absent(stream, error, now)

    def _compressed(self, stream: FollowedStream) -> None:
        """A file that was met while it was empty turns out to be a compressed one: it arrives as
        such.
        """
        path = stream.path
        self._transitions.end(stream)
        self.displaced.append(path)

    def _by_another_name(self, stream: FollowedStream) -> bool:
        """Whether the file is still followed under a second name that it has."""
        for path in stream.aliases:
            try:
                found = os.stat(path)
            except OSError:
                continue
            if (found.st_dev, found.st_ino) == stream.key:
                self.displaced.append(stream.path)
                stream.aliases = [other for other in stream.aliases if other != path]
                self._book.name(stream, path)
                return True
        return False

    def _unpack(self, stream: FollowedStream) -> None:
        """A compressed file that is followed ends when all of it was read."""
        self._transitions.unpack(stream)
        if may_end(
            Leaving(caught_up=stream.caught_up, committed=not stream.uncommitted, quiet=True)
        ):
            self._transitions.finish(stream)

    def _leaving(self, stream: FollowedStream, now: float) -> None:
        """A file without a name that is followed: read to its end, then given the time that its
        writers may need.
        """
        if stream.fd < 0:
            self._named(stream, now)
        elif stream.packed is None:
            self._content(stream, now, thorough=True)
        else:
            self._transitions.unpack(stream)
        if stream.state != "leaving" or stream.stalled:
            return
        quiet = now - max(stream.left_at, stream.changed_at) >= self._settings.rotate_quiet
        leaving = Leaving(
            caught_up=stream.caught_up,
            committed=not stream.uncommitted,
            quiet=quiet or stream.packed is not None,
        )
        if not may_end(leaving):
            return
        if stream.name in self.heirs:
            # Its compressed form is to be remembered as read: it goes on there, with nothing left.
            self.heirs.discard(stream.name)
            # Its patience begins now: the time since it left its name is over already, and the
            # compressed form, which may have been renamed since, is only compared later in the poll.
            stream.left_at = now
            self._book.descriptors.release(stream)
            self.cut.append((stream, stream.path))
            self._book.orphan(stream)
        else:
            self._transitions.end(stream)
