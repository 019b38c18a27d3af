"""The machine's clock."""

from __future__ import annotations

from jwtleak.runtime.clock import SystemClock


def test_time_and_chance() -> None:
    """Seconds grow, milliseconds are those since 1970, chance stays below one."""
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()
    assert clock.wall_ms() > 1_768_478_400_000
    assert all(0 <= clock.chance() < 1 for _ in range(100))
