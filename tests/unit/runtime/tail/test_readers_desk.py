"""Engines and the streams that they are on."""

from __future__ import annotations

import pytest
from tailing import Files, cursor

from jwtleak.core.channel import Channels
from jwtleak.core.engine import Engine
from jwtleak.errors import SourceError
from jwtleak.follow.interface import Opened
from jwtleak.runtime.tail.readers import ReaderPool, TailStream


class Setup:
    """A desk of two seats."""

    def __init__(self) -> None:
        self.files = Files()
        self.made = 0
        self.left: list[str] = []
        self.desk = ReaderPool(
            self.make, self.files, lambda seat: self.left.append(seat.stream.name), 2
        )  # type: ignore[union-attr]

    def make(self) -> Engine:
        """One more engine."""
        self.made += 1
        return Engine(Channels(()))

    def stream(self, name: str) -> TailStream:
        """A stream that can be read."""
        self.files.data[name] = b"x"
        return TailStream(Opened(name, f"/logs/{name}", cursor(name), 1))


def test_a_stream_keeps_its_seat() -> None:
    """Engines are made when needed, and never more than there are seats."""
    setup = Setup()
    first, second, third = (setup.stream(name) for name in "abc")
    seat = setup.desk.seat(first)
    assert setup.made == 1
    assert setup.desk.seat(first) is seat is setup.desk.of("a")
    setup.desk.seat(second)
    setup.desk.seat(third)
    assert setup.made == 2


def test_who_was_not_there_for_longest_leaves() -> None:
    """The stream whose turn was the longest ago gives up its seat, after a last word."""
    setup = Setup()
    first, second, third = (setup.stream(name) for name in "abc")
    for one in (first, second, first, third):
        setup.desk.seat(one)
    assert setup.left == ["b"]
    assert setup.desk.of("b") is None
    assert [seat.stream for seat in setup.desk.seats()] == [first, third]


def test_a_free_seat_is_used_again() -> None:
    """A stream that is over leaves no last word and an engine."""
    setup = Setup()
    setup.desk.seat(setup.stream("a"))
    setup.desk.free("a")
    setup.desk.free("nobody")
    setup.desk.seat(setup.stream("b"))
    assert (setup.made, setup.left, setup.desk.of("a")) == (1, [], None)


def test_a_stream_that_cannot_be_read_takes_no_seat() -> None:
    """The error is passed on and the engine stays free."""
    setup = Setup()
    stream = setup.stream("a")
    stream.offset = 1
    setup.files.broken.add("a")
    with pytest.raises(SourceError):
        setup.desk.seat(stream)
    setup.files.broken.clear()
    setup.desk.seat(stream)
    assert setup.made == 1


def test_a_seat_that_is_used_elsewhere() -> None:
    """A seat that was taken away is nobody's until it comes back; there never are more than seats."""
    setup = Setup()
    seat = setup.desk.seat(setup.stream("a"))
    setup.desk.take_away("a")
    assert setup.desk.of("a") is None
    setup.desk.seat(setup.stream("b"))
    setup.desk.give_back(seat)
    setup.desk.seat(setup.stream("c"))
    assert setup.made == 2
