"""What to do with a report: a pure function from (state, report) to the next state and the acts.

Promises: a message leaves the outbox only when it was taken or, alone in its batch, refused;
everything else is sent again. A receiver in trouble gets one message after each wait, and the waits
grow.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from jwtleak.sinks.interface import Report

# Waits double from a second, for a server that restarts, to a minute, so that one that came back is
# noticed soon.
FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
# A server may ask for more patience, but not for a silence in which nobody knows whether alerts
# still arrive.
LONGEST_RETRY_AFTER = 600.0
# Credentials and addresses are put right by people.
FIRST_BLOCKED_WAIT = 5.0
LONGEST_BLOCKED_WAIT = 300.0
# After so many failures in a row the circuit is open: a single message goes out as a probe.
OPEN_AFTER = 5
# After so many messages refused in a row the receiver, not the messages, is to blame: refusals come
# at growing intervals.
MANY_REFUSED = 10

News: TypeAlias = Literal["failing", "blocked", "refusing", "recovered"]


class RetryState(msgspec.Struct, frozen=True):
    """What is remembered from batch to batch.

    `limit` is the most messages that the receiver took at once, where it refused more (None: no
    limit known). `suspects` are the first messages of the queue that were refused together: one of
    them at least is poison.
    """

    failures: int = 0
    blocked: bool = False
    limit: int | None = None
    suspects: int = 0
    refused: int = 0  # in a row
    told: News | None = None  # the trouble that people know of

    @property
    def open(self) -> bool:
        """Whether the circuit is open."""
        return self.blocked or self.failures >= OPEN_AFTER


class DeadEntry(msgspec.Struct, frozen=True):
    """The message at `index` of the batch will never be taken."""

    index: int
    reason: str
    status: int | None


class Step(msgspec.Struct, frozen=True):
    """What to do: forget the acknowledged, put the dead aside, wait (seconds), tell people."""

    state: RetryState
    acked: tuple[int, ...] = ()
    dead: tuple[DeadEntry, ...] = ()
    wait: float = 0.0
    news: News | None = None
    retried: int = 0


def batch_size(state: RetryState, most: int) -> int:
    """How many messages the next batch may hold, of `most`."""
    if state.open:
        return 1
    size = most if state.limit is None else min(most, state.limit)
    return min(size, max(1, state.suspects // 2)) if state.suspects else size


def decide(state: RetryState, report: Report, chance: float) -> Step:
    """The next state and what to do. `chance` in [0, 1) spreads the waits (full jitter)."""
    count = len(report.outcomes)
    acked = tuple(index for index, one in enumerate(report.outcomes) if one.kind == "taken")
    dead = tuple(
        DeadEntry(index, one.reason, one.status)
        for index, one in enumerate(report.outcomes)
        if one.kind == "refused"
    )
    if count == 1 and report.problem in ("poison", "too_large"):
        dead = (DeadEntry(0, report.reason, report.status),)
    retried = count - len(acked) - len(dead)
    if report.problem == "busy":
        return _busy(state, report, chance, acked, dead, retried)
    if report.problem == "blocked":
        return _blocked(state, report, chance, acked, dead, retried)
    if report.problem == "too_large" and count > 1:
        smaller = msgspec.structs.replace(state, limit=max(1, count // 2))
        return Step(smaller, acked, dead, retried=retried)
    if report.problem == "poison" and count > 1:
        return Step(msgspec.structs.replace(state, suspects=count), acked, dead, retried=retried)
    return _progress(state, chance, count, acked, dead, retried)


def _busy(
    state: RetryState,
    report: Report,
    chance: float,
    acked: tuple[int, ...],
    dead: tuple[DeadEntry, ...],
    retried: int,
) -> Step:
    failures = 1 if acked else state.failures + 1
    told = state.told
    news: News | None = None
    if failures >= OPEN_AFTER and told is None:
        news = told = "failing"
    # What was answered busy is no longer blocked: the credentials were not what it complained of.
    after = msgspec.structs.replace(state, failures=failures, blocked=False, told=told, refused=0)
    return Step(
        after, acked, dead, _wait(report, failures, chance, FIRST_WAIT, LONGEST_WAIT), news, retried
    )


def _blocked(
    state: RetryState,
    report: Report,
    chance: float,
    acked: tuple[int, ...],
    dead: tuple[DeadEntry, ...],
    retried: int,
) -> Step:
    failures = state.failures + 1 if state.blocked else 1
    news: News | None = None if state.told == "blocked" else "blocked"
    after = msgspec.structs.replace(
        state, failures=failures, blocked=True, told="blocked", refused=0
    )
    wait = _wait(report, failures, chance, FIRST_BLOCKED_WAIT, LONGEST_BLOCKED_WAIT)
    return Step(after, acked, dead, wait, news, retried)


def _progress(
    state: RetryState,
    chance: float,
    count: int,
    acked: tuple[int, ...],
    dead: tuple[DeadEntry, ...],
    retried: int,
) -> Step:
    """The receiver works: it took messages, or said which it does not want."""
    refused = 0 if acked else state.refused + len(dead)
    limit = state.limit
    if limit is not None and count >= limit and acked:
        limit += 1  # a receiver that takes more than it once did is found out without many refusals
    news: News | None = None
    told = state.told
    wait = 0.0
    if refused >= MANY_REFUSED:
        wait = chance * min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(refused - MANY_REFUSED, 16))
        if told is None:
            news = told = "refusing"
    elif acked and told is not None:
        news, told = "recovered", None
    after = RetryState(
        0, False, limit, max(0, state.suspects - len(acked) - len(dead)), refused, told
    )
    return Step(after, acked, dead, wait, news, retried)


def _wait(report: Report, failures: int, chance: float, first: float, longest: float) -> float:
    if report.retry_after is not None:
        return min(max(report.retry_after, FIRST_WAIT), LONGEST_RETRY_AFTER)
    ceiling = min(longest, first * 2.0 ** min(failures - 1, 16))
    # Full jitter, though never nothing: a loop without a wait would be a loop without a pause.
    return max(0.05 * ceiling, chance * ceiling)
