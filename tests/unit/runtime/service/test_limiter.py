"""The limit of bytes a second."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jwtleak.runtime.service.limiter import Limiter


class Clock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_no_limit() -> None:
    """Without a rate there is never a wait."""
    limiter = Limiter(None, Clock())
    limiter.spend(1 << 40)
    assert limiter.wait() == 0


def test_debt_is_waited_for() -> None:
    """A read beyond the burst is allowed; the wait after it pays for it."""
    clock = Clock()
    limiter = Limiter(1000, clock)
    limiter.spend(3000)
    assert limiter.wait() == pytest.approx(2.0)
    clock.now += 1.5
    assert limiter.wait() == pytest.approx(0.5)
    clock.now += 0.5
    assert limiter.wait() == 0


def test_a_silence_saves_one_burst_only() -> None:
    """After an hour of silence there is room for one second of bytes, not for an hour's."""
    clock = Clock()
    limiter = Limiter(1000, clock)
    clock.now += 3600
    limiter.spend(1000)
    assert limiter.wait() == 0
    limiter.spend(500)
    assert limiter.wait() == pytest.approx(0.5)


def test_a_clock_that_is_set_back() -> None:
    """A clock that jumps back neither adds room nor removes it."""
    clock = Clock()
    limiter = Limiter(1000, clock)
    limiter.spend(1500)
    clock.now -= 3600
    assert limiter.wait() == pytest.approx(0.5)
    clock.now += 0.5
    assert limiter.wait() == 0


def test_a_rate_is_more_than_nothing() -> None:
    """A rate of 0 would stop reading for ever."""
    with pytest.raises(ValueError, match="more than 0"):
        Limiter(0, Clock())


@settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # time is that of the machine, not of the code
@given(st.lists(st.integers(1, 10_000), max_size=30), st.integers(1, 100_000))
def test_the_rate_holds(reads: list[int], rate: int) -> None:
    """A reader that waits as asked reads, over the whole time, no more than a burst and one read
    beyond the rate.
    """
    clock = Clock()
    limiter = Limiter(rate, clock)
    for count in reads:
        clock.now += limiter.wait()
        assert limiter.wait() == pytest.approx(0, abs=1e-6)
        limiter.spend(count)
    passed = clock.now - 100
    assert sum(reads) <= rate * (passed + 1) + max(reads, default=0) + 1


def test_whether_there_is_a_limit() -> None:
    """A rate is a limit, none is none."""
    assert [Limiter(rate, lambda: 0.0).limited for rate in (None, 1.0)] == [False, True]
