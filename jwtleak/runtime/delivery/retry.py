"""What to do with a sink's report: a pure function from (state, report) to the next state and acts.

Promises: a message leaves the queue only when it was accepted, refused by name, or alone in a batch
that was refused as a whole. What a `Step` neither acknowledges nor declares dead stays in the queue
and is sent again. A receiver in trouble gets one message after each wait, and the waits grow.

                      +------------------- again, after a wait -------------------+
                      v                                                           |
    queued --fill--> in flight --send--+-- accepted ----> acknowledged            |
                      ^                +-- refused -----> dead letter             |
                      |                +-- busy --------> wait 1 s ... 60 s ------+
                      |                +-- blocked -----> wait 5 s ... 300 s -----+
                      |                +-- too large, more than one message --+
                      |                +-- poison, more than one message -----+
                      +------------- again at once, half as many -------------+
    (too large and poison in a batch of one message: dead letter)
    Five `busy` in a row, or one `blocked`, open the circuit: one message a batch, as a probe.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from jwtleak.sinks.interface import Report

# Waits double from a second, for a server that restarts, to a minute, so that a receiver's return
# is noticed soon.
FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
# A server may ask for more patience, but not for a silence in which nobody knows whether alerts
# still arrive.
LONGEST_RETRY_AFTER = 600.0
# People repair credentials and addresses, and that takes them minutes.
FIRST_BLOCKED_WAIT = 5.0
LONGEST_BLOCKED_WAIT = 300.0
# After so many failures in a row the circuit is open: a single message goes out as a probe.
OPEN_AFTER = 5
# After so many refusals in a row the receiver is to blame, not the messages: refusals come at
# growing intervals.
MANY_REFUSED = 10

News: TypeAlias = Literal["failing", "blocked", "refusing", "recovered"]


class RetryState(msgspec.Struct, frozen=True):
    """What is remembered from batch to batch.

    `limit` is the most messages that the receiver accepted at once, after it refused more (None: no
    limit known). `suspects` counts the messages at the head of the queue that were refused
    together: at least one of them is poison. `refused` counts refusals in a row. `reported` is the
    trouble that people know of.
    """

    failures: int = 0
    blocked: bool = False
    limit: int | None = None
    suspects: int = 0
    refused: int = 0
    reported: News | None = None

    @property
    def open(self) -> bool:
        """Whether the circuit is open."""
        return self.blocked or self.failures >= OPEN_AFTER


class DeadEntry(msgspec.Struct, frozen=True):
    """The message at `index` of the batch will never be accepted."""

    index: int
    reason: str
    status: int | None


class Step(msgspec.Struct, frozen=True):
    """What to do: acknowledge messages (by index), make dead letters, wait (seconds), report news.
    `retried` counts the messages that are sent again.
    """

    state: RetryState
    acked: tuple[int, ...] = ()
    dead: tuple[DeadEntry, ...] = ()
    wait: float = 0.0
    news: News | None = None
    retried: int = 0


def batch_size(state: RetryState, most: int) -> int:
    """How many messages the next batch may hold, of `most`."""
    # The probe of an open circuit is small: a receiver that struggles must not get a full batch.
    if state.open:
        return 1
    size = most if state.limit is None else min(most, state.limit)
    return min(size, max(1, state.suspects // 2)) if state.suspects else size


def decide(state: RetryState, report: Report, chance: float) -> Step:
    """The next state and what to do. `chance` in [0, 1) spreads the waits (full jitter)."""
    count = len(report.outcomes)
    acked = tuple(
        index for index, outcome in enumerate(report.outcomes) if outcome.kind == "accepted"
    )
    dead = tuple(
        DeadEntry(index, outcome.reason, outcome.status)
        for index, outcome in enumerate(report.outcomes)
        if outcome.kind == "refused"
    )
    # `busy` and `blocked` come with outcomes too: part of the batch may be settled (`_bulk`).
    if count == 1 and report.problem in ("poison", "too_large"):
        # Alone in its batch: now it is known which message is to blame.
        dead = (DeadEntry(0, report.reason, report.status),)
    done = Step(state, acked, dead, retried=count - len(acked) - len(dead))
    if report.problem == "busy":
        return _busy(done, report, chance)
    if report.problem == "blocked":
        return _blocked(done, report, chance)
    if report.problem == "too_large" and count > 1:
        # Half of what was sent, not of the limit: a batch bounded by bytes may have been smaller.
        return replace(done, state=replace(state, limit=max(1, count // 2)))
    if report.problem == "poison" and count > 1:
        # The queue keeps its order, so the suspects are its first messages: `batch_size` halves
        # them until one is alone.
        return replace(done, state=replace(state, suspects=count))
    return _progress(done, chance, count)


def _busy(done: Step, report: Report, chance: float) -> Step:
    state = done.state
    # A receiver that accepted part of the batch is alive: the waits begin again.
    failures = 1 if done.acked else state.failures + 1
    news: News | None = None
    if failures >= OPEN_AFTER and state.reported is None:
        news = "failing"
    after = replace(
        state,
        failures=failures,
        # A receiver that answers `busy` no longer complains of the credentials.
        blocked=False,
        reported=news or state.reported,
        refused=0,
    )
    return replace(
        done,
        state=after,
        wait=_wait(report, failures, chance, FIRST_WAIT, LONGEST_WAIT),
        news=news,
    )


def _blocked(done: Step, report: Report, chance: float) -> Step:
    state = done.state
    # Counted on its own: a receiver that was down and now refuses the credentials starts with the
    # short waits, since somebody may be at work on it.
    failures = state.failures + 1 if state.blocked else 1
    return replace(
        done,
        state=replace(state, failures=failures, blocked=True, reported="blocked", refused=0),
        wait=_wait(report, failures, chance, FIRST_BLOCKED_WAIT, LONGEST_BLOCKED_WAIT),
        # Reported at the first time, not after OPEN_AFTER: only people can put it right.
        news=None if state.reported == "blocked" else "blocked",
    )


def _progress(done: Step, chance: float, count: int) -> Step:
    """The receiver works: it accepted messages, or said which it refuses."""
    state, acked = done.state, done.acked
    refused = 0 if acked else state.refused + len(done.dead)
    limit = state.limit
    if limit is not None and count >= limit and acked:
        # Grow by one: a receiver that accepts more than it once did is found out without many
        # refusals of whole batches.
        limit += 1
    news: News | None = None
    reported = state.reported
    wait = 0.0
    if refused >= MANY_REFUSED:
        # Without these waits a receiver that refuses everything would empty the queue into the
        # dead letters within seconds.
        wait = chance * min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(refused - MANY_REFUSED, 16))
        if reported is None:
            news = reported = "refusing"
    elif acked and reported is not None:
        news, reported = "recovered", None
    # Settled messages were the first of the suspects: the rest of them is next in the queue.
    suspects = max(0, state.suspects - len(acked) - len(done.dead))
    after = RetryState(limit=limit, suspects=suspects, refused=refused, reported=reported)
    return replace(done, state=after, wait=wait, news=news)


def _wait(report: Report, failures: int, chance: float, first: float, longest: float) -> float:
    if report.retry_after is not None:
        # No jitter: the receiver spreads its clients itself. Zero would be a tight loop.
        return min(max(report.retry_after, FIRST_WAIT), LONGEST_RETRY_AFTER)
    ceiling = min(longest, first * 2.0 ** min(failures - 1, 16))
    # Full jitter, but never zero: without a wait the sender would try again in a tight loop.
    return max(0.05 * ceiling, chance * ceiling)
