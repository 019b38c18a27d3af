"""A follower driven by hand: real files, a clock that tests move, every byte kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from jwtleak.follow.follower import Follower
from jwtleak.follow.interface import Ended, Event, Grown, Mode, Moved, Opened, Trouble
from jwtleak.follow.settings import TailSettings
from jwtleak.types import Cursor

BUFFER = 1 << 16


class Log:
    """The bytes and events of one stream."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.path = opened.path
        self.start = self.offset = opened.cursor.offset
        self.size = opened.size
        self.data = bytearray()
        self.ended: Ended | None = None

    def __repr__(self) -> str:
        return f"<{self.path} from {self.start}: {bytes(self.data)!r} {self.ended}>"


class Driver:
    """The loop of a caller: poll, read everything, store the cursors, commit."""

    def __init__(
        self,
        *paths: Path | str,
        own: Callable[[], frozenset[tuple[int, int]]] = frozenset,
        **more: Any,
    ) -> None:
        self.settings = TailSettings(paths=[str(path) for path in paths], **more)
        self.now = 1000.0
        self.own = own
        self.cursors: dict[str, Cursor] = {}
        self.logs: dict[str, Log] = {}
        self.events: list[Event] = []
        self.follower = self._make()

    def _make(self) -> Follower:
        return Follower(self.settings, self.cursors.values(), clock=lambda: self.now, own=self.own)

    def restart(self, *paths: Path | str) -> None:
        """Stop, and start again from the stored cursors."""
        self.follower.close()
        if paths:
            self.settings = TailSettings(paths=[str(path) for path in paths])
        self.follower = self._make()

    def close(self) -> None:
        """Close all files."""
        self.follower.close()

    def poll(self, seconds: float = 1.0) -> list[Event]:
        """Let time pass and poll; nothing is read."""
        self.now += seconds
        events = self.follower.poll()
        self.events.extend(events)
        for event in events:
            self._note(event)
        return events

    def _note(self, event: Event) -> None:
        match event:
            case Opened(stream=stream):
                known = self.logs.get(stream)
                if known is None:
                    self.logs[stream] = Log(event)
                elif known.ended:
                    known.ended = None
                    known.offset, known.size = event.cursor.offset, event.size
                else:  # met again after a restart: what was read behind the cursor comes once more
                    del known.data[event.cursor.offset - known.start :]
                    known.offset, known.size, known.path = (
                        event.cursor.offset,
                        event.size,
                        event.path,
                    )
                self.cursors[stream] = event.cursor
            case Grown(stream=stream, size=size):
                self.logs[stream].size = size
            case Moved(stream=stream, path=path):
                self.logs[stream].path = path
            case Ended(stream=stream, cursor=cursor):
                assert self.logs[stream].ended is None
                self.logs[stream].ended = event
                self.cursors.pop(stream, None)
                if cursor is not None:
                    self.cursors[stream] = cursor
            case Trouble() | Mode():
                pass

    def read(self, *, commit: bool = True, step: int = BUFFER) -> None:
        """Read what can be read of all streams, and store it."""
        for stream, log in self.logs.items():
            if log.ended:
                continue
            read = False
            while log.offset < log.size and (count := self._once(stream, log, step)):
                log.offset += count
                read = True
            if log.offset < log.size:
                log.size = log.offset  # nothing there now: the next `Grown` says more
            if read and commit:
                self.commit(stream, log)

    def _once(self, stream: str, log: Log, step: int) -> int:
        buffer = bytearray(min(step, log.size - log.offset))
        ahead = self.follower.data_after(stream, log.offset)
        log.data += bytes(ahead - log.offset)
        log.offset = ahead
        count = self.follower.read(stream, log.offset, memoryview(buffer))
        log.data += buffer[:count]
        return count

    def commit(self, stream: str, log: Log) -> None:
        """Store one cursor."""
        self.cursors[stream] = self.follower.cursor(
            stream,
            offset=log.offset,
            reported=log.offset,
            lines=log.data.count(b"\n"),
            line_start=0,
            provisional=None,
        )
        self.follower.committed(stream, log.offset)

    def turn(self, seconds: float = 1.0, times: int = 1) -> None:
        """Poll and read."""
        for _ in range(times):
            self.poll(seconds)
            self.read()

    def contents(self) -> list[bytes]:
        """The bytes of each stream, in the order in which they were opened."""
        return [bytes(log.data) for log in self.logs.values()]

    def text(self) -> bytes:
        """All bytes of all streams."""
        return b"".join(self.contents())

    def ends(self) -> list[tuple[str, int]]:
        """Reason and loss of the streams that ended."""
        return [(event.reason, event.lost) for event in self.events if isinstance(event, Ended)]

    def troubles(self) -> list[tuple[str, str]]:
        """Kind and base name of each trouble."""
        return [
            (event.kind, Path(event.path).name)
            for event in self.events
            if isinstance(event, Trouble)
        ]


def append(path: Path, data: bytes) -> None:
    """Write behind what is there."""
    with path.open("ab") as file:
        file.write(data)


def lines(first: int, last: int, text: str = "line") -> bytes:
    """Lines that all differ, some 40 bytes each."""
    return b"".join(
        f"{number:08d} {text} of the log, number {number}\n".encode()
        for number in range(first, last)
    )


def settled(events: Iterable[Event]) -> list[Event]:
    """Without modes, which depend on the machine."""
    return [event for event in events if not isinstance(event, Mode)]
