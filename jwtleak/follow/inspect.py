"""Inspects known files: has it grown, was it truncated, does its path lead to another file?

Promises: collects the facts for `decide.judge` and carries out its verdict through `Lifecycle`; an
error is never a verdict. An idle file costs one `stat`.

    stat(path) --- failed --------------------> gone: left; any other error: frozen
        |
        +--- another device or inode ---------> replaced
        +--- same size and times -------------> unchanged
        |
    fstat(fd), head, anchor of the open file -> continue, truncated or frozen

    replaced, left --> leave:    the open file is read to its end; discovery gets the path
    truncated -------> truncate: the file begins a new stream; rotations look for the old rest
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
from jwtleak.follow.registry import POLLS_PER_SECOND, Registry
from jwtleak.follow.settings import TailSettings
from jwtleak.follow.stream import FollowedStream
from jwtleak.sources.interface import SNIFF

GONE = (errno.ENOENT, errno.ENOTDIR)

# A file is inspected every `file_interval` while it changes, and for so many seconds after that.
_ACTIVE = 10.0
# However many idle files there are, none waits longer for an inspection (plus the quarter by which
# they are spread out).
_RAREST = 30.0
# Where events come, idle files are inspected only for what makes none (memory-mapped writers, other
# hosts): after a tenth of the time of their silence, up to so many seconds.
_IDLE_EVENTS = 15.0
# A file system's clock ticks every 1-10 ms, some (ext3, HFS+, NFS servers) every second: a change
# within the tick of the last inspection leaves the time stamp as it was.
_TICK = 1.0
# After so many rewrites in place in a row the file is inspected ever less often: what is no log (a
# database, a journal whose header changes) must not be read whole again every second.
_REWRITES = 3
# What nearly every inspection of an idle file finds.
_UNCHANGED = Seen(presence="there", changed=False)


class Inspector:
    """Inspects the known files, and plans each one's next inspection."""

    def __init__(self, registry: Registry, lifecycle: Lifecycle, settings: TailSettings) -> None:
        self._registry = registry
        self._lifecycle = lifecycle
        self._settings = settings
        self._covered: frozenset[str] = frozenset()
        self._all_covered = False

    def set_coverage(self, directories: frozenset[str], *, everywhere: bool) -> None:
        """Record the directories that events come from; `everywhere`: all that are followed."""
        self._covered, self._all_covered = directories, everywhere

    def ignores_hints(self, stream: FollowedStream) -> bool:
        """Return whether a file is rewritten so often that a hint is no reason to inspect it."""
        return stream.rewrites >= _REWRITES

    def inspect(self, stream: FollowedStream, now: float) -> None:
        """Inspect one file, and plan its next inspection."""
        # Each step may change the state that the next one asks for: a replaced file is `leaving`
        # by the time of the last step, and gets its first check there in the same poll.
        if stream.state in ("followed", "finished"):
            self._inspect_path(stream, now)
        if stream.state == "followed" and stream.compressed is not None:
            self._unpack(stream)
        if stream.state == "leaving":
            self._inspect_leaving(stream, now)
        if stream in self._registry and stream.state not in ("orphan", "sought"):
            self._registry.poll_at(stream, now + self._interval(stream, now))

    def _interval(self, stream: FollowedStream, now: float) -> float:
        interval = self._settings.file_interval
        # Doubled with each rewrite, up to 64 times: each costs reading the whole file.
        if stream.rewrites >= _REWRITES:
            return float(interval * 2 ** min(stream.rewrites - _REWRITES + 1, 6))
        if stream.confirm or stream.state == "leaving" or now - stream.changed_at < _ACTIVE:
            return interval
        # With more files than `POLLS_PER_SECOND` the idle ones share that many a second.
        pause = len(self._registry) / POLLS_PER_SECOND
        # The common case first, which spares a `dirname` for each file.
        if self._all_covered or (
            self._covered and os.path.dirname(stream.real or stream.path) in self._covered
        ):
            pause = max(pause, min((now - stream.changed_at) / 10, _IDLE_EVENTS))
        # Files that were met together would be due together for ever: the name spreads them.
        return max(interval, min(pause, _RAREST) * (0.75 + int(stream.name[:2], 16) / 512))

    def _inspect_path(self, stream: FollowedStream, now: float) -> None:
        """Inspect a file by its path."""
        try:
            found = os.stat(stream.path)
        except (OSError, ValueError) as error:
            self._unreachable(stream, error, now)
            return
        if (found.st_dev, found.st_ino) != stream.key or not stat.S_ISREG(found.st_mode):
            self._act(stream, Seen(presence="there", same=False), found, now)
            return
        times = (found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        # Once more after a tick of the clock, whatever the time stamps say.
        confirm = stream.confirm and now - stream.changed_at >= _TICK
        if (
            times == (stream.size, stream.mtime_ns, stream.ctime_ns)
            and not confirm
            and not stream.stalled
        ):
            self._act(stream, _UNCHANGED, found, now)
        elif stream.compressed is not None or stream.state == "finished":
            self._inspect_compressed(stream, found, now)
        elif self.ensure_open(stream, now):
            self._inspect_content(stream, now, thorough=confirm)

    def _unreachable(self, stream: FollowedStream, error: OSError | ValueError, now: float) -> None:
        gone = getattr(error, "errno", None) in GONE
        presence: Presence = "gone" if gone else "unknown"
        if not gone:
            self._registry.trouble("unreadable", stream.path, reason_of(error))
            # Inspect it again even if its time stamp is unchanged once the trouble is over.
            stream.stall()
        self._act(stream, Seen(presence=presence), None, now)

    def _inspect_compressed(
        self, stream: FollowedStream, found: os.stat_result, now: float
    ) -> None:
        """Inspect a compressed file, which never grows: a changed one is another file."""
        stream.set_confirm(False)
        same = found.st_mtime_ns == stream.mtime_ns and found.st_size == stream.size
        # The inode's time alone changes with a link, a chmod or a rename: the content is the same.
        if same:
            stream.observe(found)
        else:
            self._act(stream, Seen(presence="there", same=False), found, now)

    def ensure_open(self, stream: FollowedStream, now: float) -> bool:
        """Open the stream's file unless it is open; return whether it is the right one."""
        if stream.fd >= 0:
            return True
        try:
            file = OpenedFile(stream.path, self._registry.trouble)
        except NotRegularError:
            self._act(stream, Seen(presence="there", same=False), None, now)
            return False
        except OSError as error:
            self._unreachable(stream, error, now)
            return False
        # The path may lead to another file since the `stat`, or the file was closed to make room
        # and its inode number has a new owner.
        if file.key != stream.key or not same_generation(file.generation, stream.generation):
            file.close()
            self._act(stream, Seen(presence="there", same=False), None, now)
            return False
        compressed = file.compressed
        self._registry.open_files.keep(stream, file.detach(), compressed)
        return True

    def _inspect_content(self, stream: FollowedStream, now: float, *, thorough: bool) -> None:
        """Compare the content of an open file with what was read of it."""
        # Of the descriptor, not of the path, which may lead elsewhere since `stat`.
        try:
            found = os.fstat(stream.fd)
        except OSError as error:
            self._unreachable(stream, error, now)
            return
        # The size before the content. The other way round, a file that is truncated and filled in
        # between would have the old anchor and a new size, and look like growth.
        head, anchor = self.matches(stream)
        if thorough:
            stream.set_confirm(False)
        seen = Seen(
            presence="there", size=found.st_size, read_to=stream.read_to, head=head, anchor=anchor
        )
        self._act(stream, seen, found, now, thorough=thorough)

    def matches(self, stream: FollowedStream) -> tuple[Match, Match]:
        """Compare head and anchor of an open file with those of its stream."""
        head = compare(stream.fd, 0, stream.head_length, stream.head)
        anchor = compare(
            stream.fd, stream.read_to - stream.anchor_length, stream.anchor_length, stream.anchor
        )
        return head, anchor

    def _act(
        self,
        stream: FollowedStream,
        seen: Seen,
        found: os.stat_result | None,
        now: float,
        *,
        thorough: bool = True,
    ) -> None:
        """Carry out the verdict on what was seen."""
        verdict, path = judge(seen), stream.path
        if verdict == "unchanged":
            return
        if verdict in ("replaced", "left"):
            # A hard link, or a link beside the file: the stream goes on, only its path is lost.
            if self._by_another_path(stream):
                return
            self._registry.displace(path)
            # `leave` changes the path's index, so `path` was read before.
            self._lifecycle.leave(stream, now, gone=verdict == "left")
            self._registry.queue_rest_search(stream, path)
        elif verdict == "truncated":
            fresh = self._lifecycle.truncate(stream, now)
            self._registry.queue_rest_search(stream, path)
            # It could not be opened just now; discovery tries again.
            if fresh is None:
                self._registry.displace(path)
            else:
                self._registry.poll_at(fresh, now + self._interval(fresh, now))
        elif verdict == "continue" and found is not None:
            self._grow(stream, found, now, thorough=thorough)

    def _grow(
        self, stream: FollowedStream, found: os.stat_result, now: float, *, thorough: bool
    ) -> None:
        """Update a stream whose file is the same, perhaps with more in it."""
        path, empty = stream.path, not stream.end
        try:
            # A file that was met empty may turn out to be compressed. As a stream it counted plain
            # bytes, so it is ended and discovered again.
            if empty and codec_of(os.pread(stream.fd, SNIFF, 0)) is not None:
                self._lifecycle.end(stream)
                self._registry.displace(path)
                return
            self._lifecycle.update(stream, found, now, thorough=thorough)
            # Perhaps these are not its first bytes: an empty file has no head and no anchor, so
            # nothing shows whether it was filled, copied and truncated since the last poll.
            if empty and stream.end:
                self._registry.queue_rest_search(stream, path)
            self._registry.recovered(stream.path)
        except OSError as error:
            self._unreachable(stream, error, now)

    def _by_another_path(self, stream: FollowedStream) -> bool:
        """Follow the file by another of its paths, if one still leads to it."""
        for path in stream.aliases:
            try:
                found = os.stat(path)
            except OSError:
                continue
            if (found.st_dev, found.st_ino) == stream.key:
                self._registry.displace(stream.path)
                self._registry.use_alias(stream, path)
                return True
        return False

    def _unpack(self, stream: FollowedStream) -> None:
        """Decompress on; a followed compressed file is finished when all of it was read."""
        self._lifecycle.unpack(stream)
        leaving = Leaving(caught_up=stream.caught_up, committed=not stream.uncommitted, quiet=True)
        if may_end(leaving):
            self._lifecycle.finish(stream)

    def _inspect_leaving(self, stream: FollowedStream, now: float) -> None:
        """Inspect a file without a followed path; end it after its writers had their time."""
        # Closed to make room, which only happens while its path leads to it.
        if stream.fd < 0:
            self._inspect_path(stream, now)
        elif stream.compressed is None:
            self._inspect_content(stream, now, thorough=True)
        else:
            self._lifecycle.unpack(stream)
        # The inspection may have made it an orphan, or found that it cannot be read now.
        if stream.state != "leaving" or stream.stalled:
            return
        quiet = now - max(stream.left_at, stream.changed_at) >= self._settings.rotate_quiet
        leaving = Leaving(
            caught_up=stream.caught_up,
            committed=not stream.uncommitted,
            quiet=quiet or stream.compressed is not None,  # nobody appends to a compressed file
        )
        if not may_end(leaving):
            return
        if stream.heir:
            # Its compressed form has to continue this stream, with nothing left to read. Ended
            # here, it would be a new file and be read a second time.
            self._lifecycle.pass_on(stream, now)
        else:
            self._lifecycle.end(stream)
