"""What is known of a stream."""

from __future__ import annotations

from jwtleak.follow.stream import FollowedStream
from jwtleak.types import Cursor

CURSOR = Cursor(stream="s", path="/a", device=3, inode=4)


def test_caught_up() -> None:
    """All that is written was read; reserved space behind it does not count."""
    stream = FollowedStream(name="s", path="/a", stored=CURSOR, end=10, read_to=9, size=100)
    assert not stream.caught_up
    stream.read_to = 10
    assert stream.caught_up


def test_streams_are_told_apart_by_being_themselves() -> None:
    """Two with equal values are two, and each can be a key."""
    one, two = (
        FollowedStream(name="s", path="/a", stored=CURSOR, device=3, inode=4) for _ in range(2)
    )
    assert one.key == two.key == (3, 4)
    assert len({one, two}) == 2


def test_lists_are_not_shared() -> None:
    """Each has its own names."""
    one, two = (FollowedStream(name="s", path="/a", stored=CURSOR) for _ in range(2))
    one.aliases.append("/b")
    assert two.aliases == []
