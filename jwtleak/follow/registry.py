"""Which streams there are, by name, file and path, and what is to be told of them.

Promises: each file belongs to one stream at most; a trouble is told once until it is over.
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

# When each stream is looked at next.
#
# Promises: a look costs what is due, not what is followed.

# A look at one file or directory in which nothing happened, and the work around it, takes 8 to 20
# microseconds (measured): so many in a second are 1 to 2 % of a core. Those that are idle share
# them.
LOOKS_PER_SECOND = 1000


class Schedule:
    """Names by the time when they are due."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def put(self, name: str, at: float) -> None:
        """Look at `name` at that time, and not when it was planned before."""
        if self._at.get(name) != at:
            self._at[name] = at
            heapq.heappush(self._heap, (at, name))

    def drop(self, name: str) -> None:
        """Do not look at `name` any more."""
        self._at.pop(name, None)

    def due(self, now: float) -> list[str]:
        """Take what is due."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            at, name = heapq.heappop(self._heap)
            if self._at.get(name) == at:
                del self._at[name]
                found.append(name)
        return found


T = TypeVar("T")
Mark: TypeAlias = tuple[Key, int, int]  # a file, its size and its time of change

# Distinct troubles that are remembered as told. Names are an attacker's to choose; more are counted
# and not told.
MAX_TROUBLES = 10_000
# Further names of one file that are remembered: a hard link or two, and what points at it.
MAX_ALIASES = 15
# Files that were read to their end a moment ago: more than a rotation of one log has, and 100 bytes
# each.
MAX_ENDED = 4096
# Files that were met together are all looked at again within this time (seconds).
_LONGEST = 30.0


def fresh_name() -> str:
    """A stream's name: unique for ever, and says nothing."""
    return secrets.token_hex(16)


class OrphanIndex:
    """The streams whose file was not met yet or is lost, by what they are known by."""

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
        """It has no file. Its key and head stay as they are until `remove`."""
        self.remove(stream)
        self._streams[stream.name] = stream
        self._by_key.setdefault(stream.key, []).append(stream)
        if stream.head_length:
            self._by_head.setdefault(stream.head, []).append(stream)
            self._lengths[stream.head_length] += 1

    def remove(self, stream: FollowedStream) -> None:
        """It has one, or is over."""
        if self._streams.pop(stream.name, None) is None:
            return
        _take_out(self._by_key, stream.key, stream)
        if stream.head_length:
            _take_out(self._by_head, stream.head, stream)
            self._lengths[stream.head_length] -= 1
            if not self._lengths[stream.head_length]:
                del self._lengths[stream.head_length]

    def of(self, key: Key) -> list[FollowedStream]:
        """Those that had this file."""
        return list(self._by_key.get(key, ()))

    def like(self, head: bytes) -> list[FollowedStream]:
        """Those that begin as `head` does."""
        if not self._streams:
            return []
        digests = (digest(head[:length]) for length in self._lengths if length <= len(head))
        return [stream for one in digests for stream in self._by_head.get(one, ())]


def _take_out(index: dict[T, list[FollowedStream]], key: T, stream: FollowedStream) -> None:
    streams = index.get(key, [])
    if stream in streams:
        streams.remove(stream)
    if not streams:
        index.pop(key, None)


class Registry:
    """The streams and the events that the next `take` gives."""

    def __init__(self, descriptors: OpenFiles) -> None:
        self.descriptors = descriptors
        self.schedule = Schedule()
        self.stats = FollowStats()
        self.streams: dict[str, FollowedStream] = {}
        self.by_path: dict[str, FollowedStream] = {}
        self.linked: Counter[str] = (
            Counter()
        )  # directories that links lead into, by the number of streams
        self._by_key: dict[Key, FollowedStream] = {}
        self._by_head: dict[bytes, FollowedStream] = {}
        self.homeless = OrphanIndex()
        self._events: list[Event] = []
        self._told: dict[tuple[str, str], str] = {}
        self._ended: dict[Mark, None] = {}

    def add(self, stream: FollowedStream) -> None:
        """A new stream. One without a file is homeless: see `seek`."""
        self.streams[stream.name] = stream
        if stream.state in ("sought", "orphan"):
            self.homeless.add(stream)

    def drop(self, stream: FollowedStream) -> None:
        """Forget a stream without a word."""
        self.descriptors.release(stream)
        self.unbind(stream)
        self.unname(stream)
        self._unlink(stream)
        for path in stream.aliases:
            if self.by_path.get(path) is stream:
                del self.by_path[path]
        self.homeless.remove(stream)
        if self._by_head.get(stream.head) is stream:
            del self._by_head[stream.head]
        self.streams.pop(stream.name, None)
        self.schedule.drop(stream.name)

    def soon(self, stream: FollowedStream, now: float) -> None:
        """Look at a stream again: within a second, or when there are many, spread out so that no
        look takes long.
        """
        spread = min(max(1.0, len(self.streams) / LOOKS_PER_SECOND), _LONGEST)
        self.schedule.put(stream.name, now + spread * int(stream.name[:4], 16) / 65536)

    def at(self, key: Key) -> FollowedStream | None:
        """The stream that reads this file."""
        return self._by_key.get(key)

    def bind(self, stream: FollowedStream, key: Key, generation: int | None) -> None:
        """The stream reads this file from now on."""
        self.unbind(stream)
        self.homeless.remove(stream)
        stream.device, stream.inode = key
        stream.generation = generation
        self._by_key[key] = stream

    def unbind(self, stream: FollowedStream) -> None:
        """The file is not the stream's any more."""
        if self._by_key.get(stream.key) is stream:
            del self._by_key[stream.key]

    def name(self, stream: FollowedStream, path: str) -> None:
        """The stream's file is found at `path`."""
        if stream.path != path:
            self.unname(stream)
            stream.path = path
            if stream.opened:
                self.tell(Moved(stream.name, path))
        stream.named = True
        self.by_path[path] = stream

    def link(self, stream: FollowedStream, real: str) -> None:
        """The stream's path is a link to `real`, from where its events come."""
        if stream.real != real:
            self._unlink(stream)
            if real:
                stream.real = real
                self.by_path.setdefault(real, stream)
                self.linked[os.path.dirname(real)] += 1

    def _unlink(self, stream: FollowedStream) -> None:
        if not stream.real:
            return
        directory = os.path.dirname(stream.real)
        self.linked[directory] -= 1
        if not self.linked[directory]:
            del self.linked[directory]
        if self.by_path.get(stream.real) is stream:
            del self.by_path[stream.real]
        stream.real = ""

    def alias(self, stream: FollowedStream, path: str) -> None:
        """The stream's file has this name as well."""
        if self.by_path.setdefault(path, stream) is stream and path not in stream.aliases:
            stream.aliases = [*stream.aliases[-MAX_ALIASES:], path]

    def unname(self, stream: FollowedStream) -> None:
        """The stream's file is not found at its path any more."""
        stream.named = False
        if self.by_path.get(stream.path) is stream:
            del self.by_path[stream.path]

    def orphan(self, stream: FollowedStream) -> None:
        """There is no file to read the stream from."""
        self.unbind(stream)
        self.unname(stream)
        stream.state = "orphan"
        self.homeless.add(stream)

    def know_head(self, stream: FollowedStream) -> None:
        """The head of a stream that lives, for `twin`."""
        if stream.head_length >= HEAD_STEPS[0]:
            self._by_head[stream.head] = stream

    def twin(self, heads: list[bytes], key: Key) -> FollowedStream | None:
        """A live stream of another file that begins in one of these ways."""
        for head in heads:
            stream = self._by_head.get(head)
            if (
                stream is not None
                and stream.head == head
                and stream.key != key
                and stream.state == "followed"
            ):
                return stream
        return None

    def leaving_like(self, head: bytes) -> FollowedStream | None:
        """A stream that begins so and is read to its end from a file without a name."""
        stream = self._by_head.get(head)
        return (
            stream
            if stream is not None and stream.head == head and stream.state == "leaving"
            else None
        )

    def end(self, stream: FollowedStream, event: Ended) -> None:
        """Forget a stream and tell that it ended."""
        if len(self._ended) >= MAX_ENDED:
            del self._ended[next(iter(self._ended))]
        self._ended[stream.key, stream.size, stream.mtime_ns] = None
        self.drop(stream)
        self.tell(event)

    def has_ended(self, found: os.stat_result) -> bool:
        """Whether a file was read to its end not long ago, and is as it was then."""
        return ((found.st_dev, found.st_ino), found.st_size, found.st_mtime_ns) in self._ended

    def tell(self, event: Event) -> None:
        """Give an event with the next `take`, and count it."""
        stats = self.stats
        match event:
            case Opened():
                stats.opened += 1
            case Ended(reason=reason, lost=lost):
                setattr(stats, reason, getattr(stats, reason) + 1)
                stats.bytes_lost += lost
            case Trouble(kind=kind):
                stats.troubles[kind] = stats.troubles.get(kind, 0) + 1
            case Grown() | Moved() | Mode():
                pass
        self._events.append(event)

    def trouble(self, kind: str, path: str, reason: str) -> None:
        """Something could not be done; told when it is news."""
        if self._told.get((kind, path)) == reason:
            return
        if len(self._told) >= MAX_TROUBLES:
            self.stats.troubles[kind] = self.stats.troubles.get(kind, 0) + 1
            return
        self._told[kind, path] = reason
        self.tell(Trouble(kind, path, reason))

    def well(self, path: str) -> None:
        """What was in trouble at a path works again."""
        for kind in ("unreadable", "skipped"):
            self._told.pop((kind, path), None)

    def take(self) -> list[Event]:
        """The events since the last time."""
        events, self._events = self._events, []
        return events
