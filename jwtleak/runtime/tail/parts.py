"""What the loop works with, and what it asks of each part."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from jwtleak.core.engine import Engine
from jwtleak.follow.interface import Ended, Following, Mode, Trouble
from jwtleak.runtime.service.limiter import Limiter
from jwtleak.runtime.tail.alerting import Rollup
from jwtleak.runtime.tail.announcer import Announcer
from jwtleak.runtime.tail.checkpoint import Ledger
from jwtleak.runtime.tail.heartbeat import Heartbeat
from jwtleak.runtime.tail.stream import Stream
from jwtleak.store.interface import Letter

if TYPE_CHECKING:
    from jwtleak.runtime.tail.loop import Loop


class Gate(Protocol):
    """Says whether there is room for more alerts."""

    def shut(self) -> bool: ...


class Watcher(Protocol):
    """Is told what happens: words, metrics, health."""

    def trouble(self, trouble: Trouble) -> None: ...
    def mode(self, mode: Mode) -> None: ...
    def ended(self, stream: Stream, ended: Ended) -> None: ...
    def read(self, count: int) -> None: ...
    def told(self, letters: list[Letter]) -> None: ...
    def store(self, ledger: Ledger) -> None: ...
    def tick(self, loop: Loop) -> None: ...


class Clocks(NamedTuple):
    """Unix seconds, and seconds that only grow."""

    wall: Callable[[], float]
    steady: Callable[[], float]

    def ms(self) -> int:
        """Unix milliseconds."""
        return int(self.wall() * 1000)

    def even(self) -> Callable[[], int]:
        """Unix milliseconds that go on evenly from now, whatever the wall clock is set to."""
        ahead = self.wall() - self.steady()
        return lambda: int((self.steady() + ahead) * 1000)


class Parts(NamedTuple):
    """What the loop works with."""

    follower: Following
    announcer: Announcer
    rollup: Rollup
    heartbeat: Heartbeat
    ledger: Ledger
    make_engine: Callable[[], Engine]
    gate: Gate
    limiter: Limiter
    watcher: Watcher
    poke: Callable[[], None]
    clocks: Clocks
