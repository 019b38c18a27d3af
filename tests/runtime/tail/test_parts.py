"""What the loop works with."""

from __future__ import annotations

from jwtleak.runtime.tail.parts import Clocks


def test_milliseconds() -> None:
    """Unix milliseconds are those of the wall clock."""
    assert Clocks(lambda: 1.5, lambda: 99.0).ms() == 1500
