"""The machine's clock."""

from __future__ import annotations

from jwtleak.runtime.clock import Clocks, SystemClock


def test_time_and_chance() -> None:
    """Seconds grow, milliseconds are those since 1970, chance stays below one."""
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()
    assert clock.wall_ms() > 1_768_478_400_000
    assert all(0 <= clock.chance() < 1 for _ in range(100))


def test_milliseconds() -> None:
    """Unix milliseconds are those of the wall clock."""
    assert Clocks(lambda: 1.5, lambda: 99.0).ms() == 1500


def test_even_time() -> None:
    """It begins with the wall clock and goes on with the steady one."""
    now = {"wall": 100.0, "steady": 5.0}
    even = Clocks(lambda: now["wall"], lambda: now["steady"]).even()
    now.update(wall=-3500.0, steady=6.0)
    assert even() == 101_000
