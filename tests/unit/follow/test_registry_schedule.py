"""When streams are looked at."""

from __future__ import annotations

from jwtleak.follow.registry import Schedule


def test_due_names_come_once() -> None:
    """In the order of their times, and only what is due."""
    schedule = Schedule()
    schedule.put("b", 2)
    schedule.put("a", 1)
    schedule.put("c", 3)
    assert schedule.drain(2) == ["a", "b"]
    assert schedule.drain(2) == []
    assert schedule.drain(9) == ["c"]


def test_the_last_plan_counts() -> None:
    """A name that is planned again comes then, earlier or later, and not when it was dropped."""
    schedule = Schedule()
    schedule.put("a", 5)
    schedule.put("a", 1)
    schedule.put("b", 1)
    schedule.put("b", 5)
    schedule.put("c", 1)
    schedule.drop("c")
    assert schedule.drain(1) == ["a"]
    assert schedule.drain(9) == ["b"]
