"""What is known of a stream."""

from __future__ import annotations

from jwtleak.follow.stream import FollowedStream
from jwtleak.types import Cursor

CURSOR = Cursor(stream="s", path="/a", device=3, inode=4)


def test_caught_up() -> None:
    """All that is written was read; reserved space behind it does not count."""
    stream = FollowedStream(name="s", path="/a", stored=CURSOR, end=10, read_to=9, size=100)
    assert not stream.caught_up
    stream.advance(10, b"")
    assert stream.caught_up


def test_streams_are_told_apart_by_being_themselves() -> None:
    """Two with equal values are two, and each can be a key."""
    one, two = (
        FollowedStream(name="s", path="/a", stored=CURSOR, device=3, inode=4) for _ in range(2)
    )
    assert one.key == two.key == (3, 4)
    assert len({one, two}) == 2


def test_the_first_loss_of_a_path_counts() -> None:
    """`rotate_quiet` runs from there, and the reason is that of the first loss."""
    stream = FollowedStream(name="s", path="/a", stored=CURSOR, state="followed", fd=0)
    stream.leave(5.0, "rotated")
    stream.leave(9.0, "removed")
    assert (stream.state, stream.left_at, stream.reason) == ("leaving", 5.0, "rotated")
