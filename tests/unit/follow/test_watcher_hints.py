"""Hints from other threads."""

from __future__ import annotations

import time

import pytest

from jwtleak.follow import watcher as module
from jwtleak.follow.watcher import Hints


@pytest.fixture
def hints() -> Hints:
    """Hints that are closed by their test."""
    return Hints()


def test_hints_are_taken_once(hints: Hints) -> None:
    """What was added comes with the next `take`, once, however often it was added."""
    hints.add("/a")
    hints.add("/b")
    hints.add("/a")
    assert hints.drain() == ({"/a", "/b"}, False)
    assert hints.drain() == (set(), False)
    hints.close()


def test_they_are_bounded(hints: Hints, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many names become one hint at everything."""
    monkeypatch.setattr(module, "MAX_HINTS", 3)
    for number in range(10):
        hints.add(f"/{number}")
    paths, everything = hints.drain()
    assert len(paths) == 3
    assert everything
    hints.close()


def test_a_hint_ends_a_wait(hints: Hints) -> None:
    """Also one that came before; and nothing is left of it for the next wait."""
    for cause in (lambda: hints.add("/a"), hints.add_all, hints.wake):
        hints.drain()
        cause()
        begun = time.monotonic()
        hints.wait(60)
        assert time.monotonic() - begun < 30
        assert hints._poll.poll(0) == []
    hints.close()


def test_many_wakes_do_not_block(hints: Hints) -> None:
    """A full pipe is no reason to wait in a signal handler, and closing twice is none to fail."""
    for _ in range(100_000):
        hints.wake()
    hints.wait(0)
    assert hints._poll.poll(0) == []
    hints.close()
    hints.close()
    hints.wake()
