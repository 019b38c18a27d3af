"""The decision table: every kind of report in every state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtleak.runtime.delivery.retry import (
    LONGEST_BLOCKED_WAIT,
    LONGEST_RETRY_AFTER,
    LONGEST_WAIT,
    MANY_REFUSED,
    OPEN_AFTER,
    RetryState,
    batch_size,
    decide,
)
from jwtleak.sinks.interface import ACCEPTED, AGAIN, Outcome, Problem, Report, all_accepted, failed

REFUSED = Outcome("refused", "bad field", 400)
OPEN = RetryState(failures=OPEN_AFTER, reported="failing")

# (state, report) -> (acked, dead, wait with chance 1, what of the state)
TABLE = [
    (RetryState(), all_accepted(3), (0, 1, 2), (), 0, {}),
    (RetryState(), failed(3, "busy", "503", 503), (), (), 1, {"failures": 1}),
    (RetryState(failures=1), failed(3, "busy", "503", 503), (), (), 2, {"failures": 2}),
    (
        RetryState(failures=3),
        failed(3, "busy", "503", 503),
        (),
        (),
        8,
        {"failures": 4, "reported": None},
    ),
    (
        RetryState(failures=4),
        failed(3, "busy", "503", 503),
        (),
        (),
        16,
        {"failures": 5, "reported": "failing", "open": True},
    ),
    (RetryState(failures=40), failed(3, "busy", "503", 503), (), (), LONGEST_WAIT, {}),
    (RetryState(), failed(3, "busy", "429", 429, 7.0), (), (), 7, {"failures": 1}),
    (RetryState(), failed(3, "busy", "429", 429, 0.0), (), (), 1, {"failures": 1}),
    (RetryState(), failed(3, "busy", "429", 429, 1e9), (), (), LONGEST_RETRY_AFTER, {}),
    (
        RetryState(failures=9),
        Report((ACCEPTED, AGAIN), "busy", "429"),
        (0,),
        (),
        1,
        {"failures": 1},
    ),
    (OPEN, all_accepted(1), (0,), (), 0, {"failures": 0, "reported": None, "open": False}),
    (
        RetryState(),
        failed(3, "blocked", "401", 401),
        (),
        (),
        5,
        {"blocked": True, "reported": "blocked", "failures": 1},
    ),
    (
        RetryState(blocked=True, failures=30),
        failed(1, "blocked", "", 403),
        (),
        (),
        LONGEST_BLOCKED_WAIT,
        {"blocked": True},
    ),
    (
        RetryState(blocked=True, failures=3),
        failed(1, "busy", "", 503),
        (),
        (),
        8,
        {"blocked": False},
    ),
    (
        RetryState(blocked=True, reported="blocked"),
        all_accepted(1),
        (0,),
        (),
        0,
        {"blocked": False, "reported": None},
    ),
    (RetryState(), failed(9, "too_large", "413", 413), (), (), 0, {"limit": 4}),
    (RetryState(limit=4), all_accepted(4), (0, 1, 2, 3), (), 0, {"limit": 5}),
    (RetryState(limit=4), all_accepted(2), (0, 1), (), 0, {"limit": 4}),
    (
        RetryState(limit=1),
        failed(1, "too_large", "413", 413),
        (),
        (0,),
        0,
        {"limit": 1, "refused": 1},
    ),
    (RetryState(), failed(8, "poison", "400", 400), (), (), 0, {"suspects": 8}),
    (RetryState(suspects=8), all_accepted(4), (0, 1, 2, 3), (), 0, {"suspects": 4}),
    (RetryState(suspects=4), failed(2, "poison", "400", 400), (), (), 0, {"suspects": 2}),
    (
        RetryState(suspects=1),
        failed(1, "poison", "400", 400),
        (),
        (0,),
        0,
        {"suspects": 0, "refused": 1},
    ),
    (RetryState(), Report((ACCEPTED, REFUSED, AGAIN)), (0,), (1,), 0, {"refused": 0}),
    (
        RetryState(refused=MANY_REFUSED - 1),
        Report((REFUSED,)),
        (),
        (0,),
        1,
        {"reported": "refusing"},
    ),
    (
        RetryState(refused=MANY_REFUSED, reported="refusing"),
        all_accepted(1),
        (0,),
        (),
        0,
        {"reported": None, "refused": 0},
    ),
]


@pytest.mark.parametrize(("state", "report", "acked", "dead", "wait", "after"), TABLE)
def test_the_table(
    state: RetryState,
    report: Report,
    acked: tuple[int, ...],
    dead: tuple[int, ...],
    wait: float,
    after: dict[str, object],
) -> None:
    """Each row: what is struck off, what is put aside, how long to wait, what is remembered."""
    step = decide(state, report, 1.0)
    assert (step.acked, tuple(one.index for one in step.dead), step.wait) == (acked, dead, wait)
    assert {name: getattr(step.state, name) for name in after} == after


@pytest.mark.parametrize(
    ("state", "report", "news"),
    [
        (RetryState(failures=4), failed(1, "busy", ""), "failing"),
        (OPEN, failed(1, "busy", ""), None),
        (RetryState(), failed(1, "blocked", ""), "blocked"),
        (RetryState(reported="blocked", blocked=True), failed(1, "blocked", ""), None),
        (OPEN, failed(1, "blocked", ""), "blocked"),
        (OPEN, all_accepted(1), "recovered"),
        (RetryState(failures=2), all_accepted(1), None),
    ],
)
def test_people_are_told_once(state: RetryState, report: Report, news: str | None) -> None:
    """Trouble is reported when it begins and when it ends, not each time."""
    assert decide(state, report, 0.5).news == news


@pytest.mark.parametrize(
    ("state", "size"),
    [
        (RetryState(), 100),
        (RetryState(limit=7), 7),
        (RetryState(limit=700), 100),
        (RetryState(suspects=9), 4),
        (RetryState(suspects=1), 1),
        (OPEN, 1),
        (RetryState(blocked=True, failures=1), 1),
    ],
)
def test_the_size_of_the_next_batch(state: RetryState, size: int) -> None:
    """A probe is one message; suspects are halved; the receiver's known limit is kept."""
    assert batch_size(state, 100) == size


def test_waits_are_spread() -> None:
    """Full jitter: the wait is anywhere below its ceiling, but never nothing."""
    assert [
        decide(RetryState(failures=3), failed(1, "busy", ""), chance).wait
        for chance in (0.0, 0.5, 1.0)
    ] == [0.4, 4, 8]


@given(st.integers(1, 64), st.sets(st.integers(0, 63)), st.booleans())
def test_every_poison_is_found_and_nothing_else(count: int, poison: set[int], sizes: bool) -> None:
    """Bisection ends with exactly the messages that the receiver refuses, whatever their number."""
    queue, accepted, dead, state = list(range(count)), [], [], RetryState()
    for _ in range(20 * count + 20):
        if not queue:
            break
        batch = queue[: batch_size(state, 16)]
        problem: Problem = "too_large" if sizes and len(batch) > 5 else "poison"
        bad = problem == "too_large" or poison & set(batch)
        step = decide(
            state, failed(len(batch), problem, "") if bad else all_accepted(len(batch)), 0.0
        )
        accepted += [batch[index] for index in step.acked]
        dead += [batch[one.index] for one in step.dead]
        queue, state = queue[len(step.acked) + len(step.dead) :], step.state
    assert (queue, set(dead), accepted) == (
        [],
        poison & set(range(count)),
        [n for n in range(count) if n not in poison],
    )


_OUTCOMES = st.lists(st.sampled_from([ACCEPTED, AGAIN, REFUSED]), min_size=1, max_size=8).map(tuple)
_REPORTS = st.builds(
    Report, _OUTCOMES, st.sampled_from([None, "busy", "blocked", "too_large", "poison"])
)


@given(st.lists(_REPORTS, max_size=30), st.floats(0, 0.999))
def test_nothing_is_lost(reports: list[Report], chance: float) -> None:
    """A message is acknowledged only when accepted, dead only when refused, and never both."""
    state = RetryState()
    for report in reports:
        step = decide(state, report, chance)
        kinds = [one.kind for one in report.outcomes]
        assert [kinds[index] for index in step.acked] == ["accepted"] * kinds.count("accepted")
        alone = len(kinds) == 1 and report.problem in ("poison", "too_large")
        assert all(kinds[one.index] == "refused" or alone for one in step.dead)
        assert step.wait >= 0
        assert batch_size(step.state, 16) >= 1
        state = step.state
