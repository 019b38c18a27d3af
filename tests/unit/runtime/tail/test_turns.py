"""Whose turn it is."""

from __future__ import annotations

from tailing import cursor

from jwtleak.follow.interface import Opened
from jwtleak.runtime.tail.readers import TailStream
from jwtleak.runtime.tail.turns import TURN, Turns


def stream(name: str, size: int = 1) -> TailStream:
    """A stream with `size` bytes to read."""
    return TailStream(Opened(name, f"/logs/{name}", cursor(name), size))


def names(turns: Turns, on: bool = True) -> list[str]:
    """One round."""
    return [one.name for one in turns.round(lambda: on)]


def test_quick_ones_in_order_then_one_backlog() -> None:
    """A round is every stream with little to read, in the order in which they came, and one that is
    far behind.
    """
    turns = Turns()
    for one in (stream("big1", TURN + 1), stream("a"), stream("big2", TURN + 1), stream("b")):
        turns.update(one)
    assert names(turns) == ["a", "b", "big1"]
    assert names(turns) == ["big2"]
    assert len(turns) == 0


def test_a_round_that_takes_long_is_broken_off() -> None:
    """When time is over the rest waits for the next round, in its place; a backlog has its turn all
    the same.
    """
    turns = Turns()
    for one in (stream("a"), stream("b"), stream("big", TURN + 1)):
        turns.update(one)
    assert names(turns, on=False) == ["a", "big"]
    assert names(turns) == ["b"]


def test_nobody_comes_twice() -> None:
    """Growing more does not give another place, nor lose the one that there is."""
    turns = Turns()
    first, second = stream("a"), stream("b")
    for one in (first, second, first):
        turns.update(one)
    first.size = TURN + 5
    turns.update(first)
    assert names(turns) == ["a", "b"]
    first.size = 3 * TURN
    turns.update(first)
    first.size = 1
    turns.update(first)
    assert names(turns) == ["a"]


def test_nothing_to_read_is_no_turn() -> None:
    """A stream that has been read, or is over, is not in the queue."""
    turns = Turns()
    one, two = stream("a"), stream("b", TURN + 1)
    turns.update(one)
    turns.update(two)
    one.read = 1
    turns.update(one)
    turns.remove("b")
    assert (len(turns), names(turns)) == (0, [])
