"""The events that cross the seam."""

from __future__ import annotations

import msgspec
import pytest

from jwtleak.follow.interface import Ended, FollowStats, Grown, Moved, Opened
from jwtleak.types import Cursor

CURSOR = Cursor(stream="ab", path="/x", device=1, inode=2)


@pytest.mark.parametrize(
    "event",
    [Opened("ab", "/x", CURSOR, 5), Grown("ab", 6), Moved("ab", "/y"), Ended("ab", "rotated")],
)
def test_events_cannot_be_changed(event: msgspec.Struct) -> None:
    """An event says what one poll saw, and never changes."""
    with pytest.raises(AttributeError):
        event.stream = "cd"  # type: ignore[attr-defined]


def test_figures_are_not_shared() -> None:
    """Each follower counts for itself."""
    changed, other = FollowStats(), FollowStats()
    changed.modes["events"] = 3
    assert other.modes == {}
