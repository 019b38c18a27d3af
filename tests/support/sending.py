"""Alerts, an outbox in memory, a scripted sink and a clock that tests turn: what tests of delivery
share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from jwtleak.alerts.alert import Alert, AlertChannel, Location, Sightings, TokenFacts, to_json
from jwtleak.sinks.interface import BatchLimits, Message, Report, all_taken


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
    made = alert(number, **change)
    return Message(made, 1_768_478_401_123, to_json(made) if body is None else body)


def messages(count: int) -> list[Message]:
    """Messages 0 to count-1."""
    return [message(number) for number in range(count)]


class Letter(msgspec.Struct, frozen=True):
    """What a mailbox gives."""

    seq: int
    id: str
    body: bytes
    at_ms: int


class Box:
    """A mailbox in memory."""

    def __init__(self, clock: Callable[[], int] = lambda: 0) -> None:
        self.letters: dict[int, Letter] = {}
        self.buried: dict[int, tuple[str, int | None, int]] = {}
        self.dropped = 0
        self.closed = False
        self._clock = clock
        self._next = 0

    def put(self, bodies: Iterable[bytes]) -> None:
        """Letters arrive."""
        for body in bodies:
            self._next += 1
            name = hashlib.sha256(body).hexdigest()[:40]
            self.letters[self._next] = Letter(self._next, name, body, self._clock())

    def pending(self, limit: int, max_bytes: int) -> list[Letter]:
        found: list[Letter] = []
        for letter in list(self.letters.values())[:limit]:
            max_bytes -= len(letter.body)
            if found and max_bytes < 0:
                break
            found.append(letter)
        return found

    def ack(self, seqs: Sequence[int]) -> None:
        for seq in seqs:
            self.letters.pop(seq, None)

    def dead(self, seq: int, reason: str, status: int | None = None, attempts: int = 1) -> None:
        if self.letters.pop(seq, None) is not None:
            self.buried[seq] = (reason, status, attempts)

    def depth(self) -> int:
        return len(self.letters)

    def oldest_ms(self) -> int | None:
        return next((letter.at_ms for letter in self.letters.values()), None)

    def close(self) -> None:
        self.closed = True


class Outbox:
    """A store in memory: one mailbox for each sink."""

    def __init__(self) -> None:
        self.boxes: dict[str, Box] = {}

    def register(self, sinks: Sequence[str]) -> None:
        for sink in sinks:
            self.boxes.setdefault(sink, Box())

    def queue(self, sink: str) -> Box:
        return self.boxes[sink]

    def queue_bytes(self) -> dict[str, int]:
        return {
            sink: sum(len(one.body) for one in box.letters.values())
            for sink, box in self.boxes.items()
        }

    def trim(self, sink: str, cap: int, after: int = 0) -> int:
        letters, count = self.boxes[sink].letters, 0
        for seq in [seq for seq in letters if seq > after]:
            if self.queue_bytes()[sink] > cap:
                del letters[seq]
                count += 1
        return count


class Turned:
    """A clock that stands still until it is turned."""

    def __init__(self, chance: float = 1.0) -> None:
        self.now = 1000.0
        self._chance = chance

    def monotonic(self) -> float:
        return self.now

    def wall_ms(self) -> int:
        return int(self.now * 1000)

    def chance(self) -> float:
        return self._chance


class Scripted:
    """A sink that answers with the given reports, then takes everything. It remembers what it was
    sent.
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
        self.sent.append([one.id for one in messages])
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return all_taken(len(messages)) if answer is None else answer(messages)

    def idle(self) -> None:
        self.idled += 1

    def reopen(self) -> None:
        self.reopened += 1

    def close(self) -> None:
        self.closed = True
