"""All followed streams: by name, file, path and head, and the queues between the steps of a poll.

Promises: a file belongs to one stream at most; the indexes change together with the stream. What is
due is found without a walk over what is not. A trouble is reported once until it is over.

                     +-- by name     all streams
    FollowedStream --+-- by file     (device, inode), for streams that have a file
                     +-- by path     path, aliases and link targets
                     +-- by head     64 bytes and more, of streams that have a file
                     +-- orphans     by file and by head, for streams that have none
                     +-- schedule    by the time of the next inspection
    queues of a poll:    displaced paths, streams that lost their place, events
"""

from __future__ import annotations

import heapq
import os
import secrets
from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias, TypeVar

from jwtleak.follow.fingerprint import HEAD_STEPS, Key, digest
from jwtleak.follow.interface import Ended, Event, FollowStats, Grown, Mode, Moved, Opened, Trouble
from jwtleak.follow.stream import FollowedStream, OpenFiles

T = TypeVar("T")
Mark: TypeAlias = tuple[Key, int, int]  # a file, its size and its time of change

# An inspection of one file or directory that finds nothing takes 8 to 20 microseconds (measured),
# with the work around it: so many a second cost 1 to 2 % of a core. Idle files share them.
POLLS_PER_SECOND = 1000
# Distinct troubles that are remembered as reported. An attacker may choose the names, so later ones
# are counted and not reported.
MAX_TROUBLES = 10_000
# Further paths of one file: a hard link or two, and links to it.
MAX_ALIASES = 15
# Streams that ended a moment ago: more than one log's rotation has, at 100 bytes each.
MAX_ENDED = 4096
# Files that were met together are all inspected again within so many seconds.
_LONGEST = 30.0


def fresh_name() -> str:
    """Return a new stream's name: unique for ever, and without meaning."""
    return secrets.token_hex(16)


class Schedule:
    """Names by the time when they are due."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def put(self, name: str, at: float) -> None:
        """Make `name` due at a time, instead of the time planned before."""
        if self._at.get(name) != at:
            self._at[name] = at
            heapq.heappush(self._heap, (at, name))

    def drop(self, name: str) -> None:
        """Make `name` never due."""
        self._at.pop(name, None)

    def drain(self, now: float) -> list[str]:
        """Remove and return what is due."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            at, name = heapq.heappop(self._heap)
            # A name with a newer time leaves its old entry in the heap: removing it there
            # would cost a search, so it is recognized here by its time.
            if self._at.get(name) == at:
                del self._at[name]
                due.append(name)
        return due


class OrphanIndex:
    """The streams whose file was not met yet or is lost, by file and by head."""

    def __init__(self) -> None:
        self._streams: dict[str, FollowedStream] = {}
        self._by_key: dict[Key, list[FollowedStream]] = {}
        self._by_head: dict[bytes, list[FollowedStream]] = {}
        self._lengths: Counter[int] = Counter()

    def __iter__(self) -> Iterator[FollowedStream]:
        return iter(list(self._streams.values()))

    def __len__(self) -> int:
        return len(self._streams)

    def add(self, stream: FollowedStream) -> None:
        """Index a stream, whose key and head must stay as they are until `remove`."""
        # It may be an orphan already, under another key or head: an entry that is left behind would
        # bring back a stream that ended.
        self.remove(stream)
        self._streams[stream.name] = stream
        self._by_key.setdefault(stream.key, []).append(stream)
        if stream.head_length:
            self._by_head.setdefault(stream.head, []).append(stream)
            self._lengths[stream.head_length] += 1

    def remove(self, stream: FollowedStream) -> None:
        """Forget a stream that has a file again or is over."""
        if self._streams.pop(stream.name, None) is None:
            return
        _discard(self._by_key, stream.key, stream)
        if stream.head_length:
            _discard(self._by_head, stream.head, stream)
            self._lengths[stream.head_length] -= 1
            if not self._lengths[stream.head_length]:
                del self._lengths[stream.head_length]

    def of(self, key: Key) -> list[FollowedStream]:
        """Return the streams that had this file."""
        return list(self._by_key.get(key, ()))

    def like(self, head: bytes) -> list[FollowedStream]:
        """Return the streams that begin as `head` does."""
        if not self._streams:
            return []
        # A digest says nothing about a prefix, so each length in use is hashed: at most five steps
        # and the lengths below the first, however many orphans there are.
        digests = (digest(head[:length]) for length in self._lengths if length <= len(head))
        return [stream for found in digests for stream in self._by_head.get(found, ())]


def _discard(index: dict[T, list[FollowedStream]], key: T, stream: FollowedStream) -> None:
    streams = index.get(key, [])
    if stream in streams:
        streams.remove(stream)
    if not streams:
        index.pop(key, None)


class Registry:
    """The streams, and the queues of a poll."""

    def __init__(self, open_files: OpenFiles) -> None:
        self.open_files = open_files
        self.orphans = OrphanIndex()
        self.stats = FollowStats()
        self._schedule = Schedule()
        self._streams: dict[str, FollowedStream] = {}
        self._by_path: dict[str, FollowedStream] = {}
        self._by_key: dict[Key, FollowedStream] = {}
        self._by_head: dict[bytes, FollowedStream] = {}
        self._linked: Counter[str] = Counter()
        self._displaced: list[str] = []
        self._cut: list[tuple[FollowedStream, str]] = []
        self._events: list[Event] = []
        self._reported: dict[tuple[str, str], str] = {}
        self._ended: dict[Mark, None] = {}

    def __iter__(self) -> Iterator[FollowedStream]:
        return iter(list(self._streams.values()))

    def __len__(self) -> int:
        return len(self._streams)

    def __contains__(self, stream: FollowedStream) -> bool:
        return stream.name in self._streams

    def get(self, name: str) -> FollowedStream | None:
        """Return the stream of that name, unless it ended."""
        return self._streams.get(name)

    def at(self, key: Key) -> FollowedStream | None:
        """Return the stream that reads this file."""
        return self._by_key.get(key)

    def at_path(self, path: str) -> FollowedStream | None:
        """Return the stream whose file has this path."""
        return self._by_path.get(path)

    def linked_directories(self) -> frozenset[str]:
        """Return the directories into which links of streams lead."""
        return frozenset(self._linked)

    def twin(self, heads: list[bytes], key: Key) -> FollowedStream | None:
        """Return a followed stream of another file than `key` that begins in one of these ways."""
        for head in heads:
            stream = self._by_head.get(head)
            if (
                stream is not None
                # The index keeps a head that has grown since: the stream itself is asked.
                and stream.head == head
                and stream.key != key
                and stream.state == "followed"
            ):
                return stream
        return None

    def leaving_like(self, head: bytes) -> FollowedStream | None:
        """Return a stream with this head that is read to its end from a file without a path."""
        stream = self._by_head.get(head)
        if stream is not None and stream.head == head and stream.state == "leaving":
            return stream
        return None

    def has_ended(self, found: os.stat_result) -> bool:
        """Return whether a file was read to its end not long ago, and is as it was then."""
        return ((found.st_dev, found.st_ino), found.st_size, found.st_mtime_ns) in self._ended

    # Changes of the indexes, each with the stream's own.

    def add(self, stream: FollowedStream) -> None:
        """Register a stream. One without a file is an orphan until its file is met."""
        self._streams[stream.name] = stream
        if stream.state in ("sought", "orphan"):
            self.orphans.add(stream)

    def drop(self, stream: FollowedStream) -> None:
        """Forget a stream without an event."""
        # Every index, or a path or an inode number that is used again leads to a dead stream.
        self.open_files.release(stream)
        self.unbind(stream)
        self.unname(stream)
        self._unlink(stream)
        for path in stream.aliases:
            self._forget_path(path, stream)
        self.orphans.remove(stream)
        # Only the newest stream with a head is indexed: another may have replaced it.
        if self._by_head.get(stream.head) is stream:
            del self._by_head[stream.head]
        self._streams.pop(stream.name, None)
        self._schedule.drop(stream.name)

    def end(self, stream: FollowedStream, event: Ended) -> None:
        """Forget a stream and emit that it ended."""
        if len(self._ended) >= MAX_ENDED:
            del self._ended[next(iter(self._ended))]
        # A rotation that moves the file once more must not make it a new one.
        self._ended[stream.key, stream.size, stream.mtime_ns] = None
        self.drop(stream)
        self.emit(event)

    def bind(self, stream: FollowedStream, key: Key, generation: int | None) -> None:
        """Read the stream from this file from now on."""
        # Both indexes find the stream by the key that `bind` replaces.
        self.unbind(stream)
        self.orphans.remove(stream)
        stream.bind(key, generation)
        self._by_key[key] = stream

    def unbind(self, stream: FollowedStream) -> None:
        """Forget which file the stream reads."""
        if self._by_key.get(stream.key) is stream:
            del self._by_key[stream.key]

    def name(self, stream: FollowedStream, path: str) -> None:
        """Set the path of the stream's file; emit `Moved` when that is news to the caller."""
        # `unname` removes only the stream's own entry: when files are renamed in a circle, another
        # stream has its old path already.
        moved = stream.path != path
        if moved:
            self.unname(stream)
        stream.rename(path)
        if moved and stream.opened:
            self.emit(Moved(stream.name, path))
        self._by_path[path] = stream

    def unname(self, stream: FollowedStream) -> None:
        """Record that the stream's path does not lead to its file any more."""
        stream.unname()
        self._forget_path(stream.path, stream)

    def link(self, stream: FollowedStream, real: str) -> None:
        """Record where the stream's path leads, since events come from there; empty: no link."""
        if stream.real != real:
            self._unlink(stream)
            if real:
                stream.link(real)
                # A stream that follows the file by its own path keeps the entry.
                self._by_path.setdefault(real, stream)
                self._linked[os.path.dirname(real)] += 1

    def _unlink(self, stream: FollowedStream) -> None:
        if not stream.real:
            return
        directory = os.path.dirname(stream.real)
        self._linked[directory] -= 1
        if not self._linked[directory]:
            del self._linked[directory]
        self._forget_path(stream.real, stream)
        stream.link("")

    def alias(self, stream: FollowedStream, path: str) -> None:
        """Add another path of the stream's file."""
        if self._by_path.setdefault(path, stream) is stream and path not in stream.aliases:
            stream.set_aliases((*stream.aliases[-MAX_ALIASES:], path))

    def use_alias(self, stream: FollowedStream, path: str) -> None:
        """Follow the stream's file by another of its paths."""
        stream.set_aliases(tuple(other for other in stream.aliases if other != path))
        self.name(stream, path)

    def _forget_path(self, path: str, stream: FollowedStream) -> None:
        # Another stream may have the path by now: a log's next generation.
        if self._by_path.get(path) is stream:
            del self._by_path[path]

    def orphan(self, stream: FollowedStream) -> None:
        """Make a stream without a file findable by its file and its head."""
        # Its own key stays, unlike the index's: its file is recognized if it is met again.
        self.unbind(stream)
        self.unname(stream)
        stream.lose()
        self.orphans.add(stream)

    def index_head(self, stream: FollowedStream) -> None:
        """Let `twin` and `leaving_like` find a stream by its head."""
        # Shorter ones are those of logs that have hardly begun: too many are equal.
        if stream.head_length >= HEAD_STEPS[0]:
            self._by_head[stream.head] = stream

    # Queues.

    def poll_at(self, stream: FollowedStream, at: float) -> None:
        """Inspect a stream at that time, and not when it was planned before."""
        self._schedule.put(stream.name, at)

    def poll_soon(self, stream: FollowedStream, now: float) -> None:
        """Inspect a stream within a second; spread out when there are many."""
        # Fifty thousand files are met in the first poll, and must not stay due together. The random
        # name spreads them evenly.
        spread = min(max(1.0, len(self._streams) / POLLS_PER_SECOND), _LONGEST)
        self.poll_at(stream, now + spread * int(stream.name[:4], 16) / 65536)

    def due(self, now: float) -> list[FollowedStream]:
        """Drain the streams whose time has come."""
        # A stream that ended since it was planned is not in the registry any more.
        names = self._schedule.drain(now)
        return [stream for name in names if (stream := self._streams.get(name)) is not None]

    def displace(self, path: str) -> None:
        """Queue a path that leads to another file now, for discovery."""
        self._displaced.append(path)

    def drain_displaced(self) -> list[str]:
        """Remove and return the displaced paths."""
        paths, self._displaced = self._displaced, []
        return paths

    def queue_rest_search(self, stream: FollowedStream, path: str) -> None:
        """Queue a stream that lost its path or content, for the search for its rest."""
        self._cut.append((stream, path))

    def drain_rest_searches(self) -> list[tuple[FollowedStream, str]]:
        """Remove and return the streams that lost their place, with the path that each had."""
        cut, self._cut = self._cut, []
        return cut

    # Events and troubles.

    def emit(self, event: Event) -> None:
        """Queue an event for the caller, and count it."""
        stats = self.stats
        match event:
            case Opened():
                stats.opened += 1
            # The counters have the names of the reasons.
            case Ended(reason=reason, lost=lost):
                setattr(stats, reason, getattr(stats, reason) + 1)
                stats.bytes_lost += lost
            case Trouble(kind=kind):
                stats.troubles[kind] = stats.troubles.get(kind, 0) + 1
            case Grown() | Moved() | Mode():
                pass
        self._events.append(event)

    def drain_events(self) -> list[Event]:
        """Remove and return the events."""
        events, self._events = self._events, []
        return events

    def trouble(self, kind: str, path: str, reason: str) -> None:
        """Report that an operation failed, when that is news."""
        if self._reported.get((kind, path)) == reason:
            return
        # Counted all the same, so that metrics show a storm that the log does not.
        if len(self._reported) >= MAX_TROUBLES:
            self.stats.troubles[kind] = self.stats.troubles.get(kind, 0) + 1
            return
        self._reported[kind, path] = reason
        self.emit(Trouble(kind, path, reason))

    def recovered(self, path: str) -> None:
        """Record that a path works again, so that its next trouble is news."""
        # Not "damaged": a damaged file stays damaged, and is not read again.
        for kind in ("unreadable", "skipped"):
            self._reported.pop((kind, path), None)

    def count_states(self) -> Counter[str]:
        """Return the number of streams by state."""
        return Counter(stream.state for stream in self._streams.values())
