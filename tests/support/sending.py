"""What tests of delivery share: alerts, an outbox in memory, a scripted sink, a manual clock."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jwtleak.alerts.alert import Alert, AlertChannel, Location, Sightings, TokenFacts, to_json
from jwtleak.sinks.interface import BatchLimits, Message, Report, all_accepted
from jwtleak.store import QueuedAlert


def alert(number: int = 0, **change: Any) -> Alert:
    """An alert whose id and fingerprint depend on `number`."""
    name = hashlib.sha256(b"%d" % number).hexdigest()
    values: dict[str, Any] = {
        "schema": "jwtleak/1",
        "id": name[:40],
        "event": "leak",
        "detected_at": "2026-01-15T12:00:01.123Z",
        "logged_at": "2026-01-15T12:00:00.456Z",
        "severity": "high",
        "confidence": "high",
        "title": "Live JWT in a URL query parameter",
        "token": TokenFacts(name, "jws", "live", "HS256", redacted="eyJ***.***.***", length=240),
        "channel": AlertChannel("url_query", "access_token"),
        "excerpt": f"GET /cb?access_token=[JWT {name[:8]}] HTTP/1.1",
        "location": Location(
            source="file",
            path="/var/log/a.log",
            host="web-01",
            offset=number,
            length=240,
            line=number + 1,
            column=1,
        ),
        "sightings": Sightings(1, number, number),
    }
    return Alert(**{**values, **change})


def message(number: int = 0, body: bytes | None = None, **change: Any) -> Message:
    """A message whose body is the alert's native JSON."""
    built = alert(number, **change)
    return Message(built, 1_768_478_401_123, to_json(built) if body is None else body)


def messages(count: int) -> list[Message]:
    """Messages 0 to count-1."""
    return [message(number) for number in range(count)]


class MemoryQueue:
    """A sink's queue in memory."""

    def __init__(self, clock: Callable[[], int] = lambda: 0) -> None:
        self.alerts: dict[int, QueuedAlert] = {}
        self.dead_letters: dict[int, tuple[str, int | None, int]] = {}
        self.dropped = 0
        self.closed = False
        self._clock = clock
        self._next = 0

    def put(self, bodies: Iterable[bytes]) -> None:
        """Enter alerts."""
        for body in bodies:
            self._next += 1
            name = hashlib.sha256(body).hexdigest()[:40]
            self.alerts[self._next] = QueuedAlert(self._next, name, body, self._clock())

    def pending(self, limit: int, max_bytes: int) -> list[QueuedAlert]:
        found: list[QueuedAlert] = []
        for entry in list(self.alerts.values())[:limit]:
            max_bytes -= len(entry.body)
            if found and max_bytes < 0:
                break
            found.append(entry)
        return found

    def ack(self, seqs: Sequence[int]) -> None:
        for seq in seqs:
            self.alerts.pop(seq, None)

    def dead(self, seq: int, reason: str, status: int | None = None, attempts: int = 1) -> None:
        if self.alerts.pop(seq, None) is not None:
            self.dead_letters[seq] = (reason, status, attempts)

    def depth(self) -> int:
        return len(self.alerts)

    def oldest_ms(self) -> int | None:
        return next((entry.at_ms for entry in self.alerts.values()), None)

    def close(self) -> None:
        self.closed = True


class MemoryOutbox:
    """A store in memory: one queue for each sink."""

    def __init__(self) -> None:
        self.queues: dict[str, MemoryQueue] = {}

    def register(self, sinks: Sequence[str]) -> None:
        for sink in sinks:
            self.queues.setdefault(sink, MemoryQueue())

    def queue(self, sink: str) -> MemoryQueue:
        return self.queues[sink]

    def queue_bytes(self) -> dict[str, int]:
        return {
            sink: sum(len(entry.body) for entry in queue.alerts.values())
            for sink, queue in self.queues.items()
        }

    def trim(self, sink: str, cap: int, after: int = 0) -> int:
        alerts, count = self.queues[sink].alerts, 0
        for seq in [seq for seq in alerts if seq > after]:
            if self.queue_bytes()[sink] > cap:
                del alerts[seq]
                count += 1
        return count


class ManualClock:
    """A clock that moves only when a test sets `now`."""

    def __init__(self, chance: float = 1.0) -> None:
        self.now = 1000.0
        self._chance = chance

    def monotonic(self) -> float:
        return self.now

    def wall_ms(self) -> int:
        return int(self.now * 1000)

    def chance(self) -> float:
        return self._chance


class ScriptedSink:
    """A sink that answers with these reports, then accepts everything. It remembers the ids of each
    batch.
    """

    guarantee = "none"
    format = "json"
    ascii = False
    max_bytes: int | None = None
    limits = BatchLimits(100, 1 << 20)
    only: str | None = None

    def __init__(self, *answers: Callable[[Sequence[Message]], Report] | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[list[str]] = []
        self.reopened = self.idled = 0
        self.closed = False

    def send(self, messages: Sequence[Message]) -> Report:
        self.sent.append([message.id for message in messages])
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return all_accepted(len(messages)) if answer is None else answer(messages)

    def idle(self) -> None:
        self.idled += 1

    def reopen(self) -> None:
        self.reopened += 1

    def close(self) -> None:
        self.closed = True
