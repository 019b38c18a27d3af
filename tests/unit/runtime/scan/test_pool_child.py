"""Forked processes and their messages."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from jwtleak.runtime.scan.pool import Child, Ends


def echo(ends: Ends) -> None:
    """Send back what comes."""
    while True:
        ends.send(ends.receive())


@pytest.fixture
def start() -> Iterator[Callable[..., Child]]:
    """Starts children, and ends them after the test."""
    children: list[Child] = []

    def make(serve: Callable[[Ends], None]) -> Child:
        children.append(Child(serve, tuple(children)))
        return children[-1]

    yield make
    for child in children:
        if child.code is None:
            child.end()


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
def test_messages_arrive_whole(start, size):
    """Also empty ones, and those that no pipe holds at once."""
    message = os.urandom(size)

    def answer(ends: Ends) -> None:
        got = ends.receive()
        ends.send(got)
        ends.send(b"and more")

    child = start(answer)
    child.ends.send(message)
    assert child.ends.receive() == message
    assert child.ends.receive() == b"and more"
    assert child.join() == 0


def test_the_end_of_a_child_is_seen(start):
    """In the middle of a message too."""
    child = start(lambda ends: os.write(ends.writing, b"\x09\0\0\0half") and None)
    with pytest.raises(EOFError):
        child.ends.receive()
    assert child.join() == 0


def test_a_killed_child(start):
    """Its status is the signal; signals to it are lost without an error."""
    child = start(echo)
    child.signal(signal.SIGKILL)
    assert child.join() == -signal.SIGKILL
    child.signal(signal.SIGKILL)


def test_a_failing_child_prints_nothing(start, capfd):
    """A traceback could show what was scanned."""

    def fail(_: Ends) -> None:
        raise ValueError("secret")

    assert start(fail).join() == 1
    assert capfd.readouterr() == ("", "")


def test_the_end_of_the_parent_is_seen_beside_other_children(start):
    """A child started later holds no copy that would keep an earlier one waiting."""
    first, second = start(echo), start(echo)
    first.ends.close()
    assert first.join() == 1  # an EOFError that `serve` lets out
    second.ends.send(b"x")
    assert second.ends.receive() == b"x"


def test_what_the_parent_has_not_written_yet_is_written_once(start, capfd):
    """A child leaves without flushing what the parent had in its buffers."""
    print("once", end="")
    assert start(lambda _: None).join() == 0
    print(flush=True)
    assert capfd.readouterr().out == "once\n"
