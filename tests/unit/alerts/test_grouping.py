"""Sightings: one alert for each token, counted, in order, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from minting import jws, sha256

from jwtleak.alerts.alert import Alert
from jwtleak.alerts.grouping import Every, FirstSight, Grouping
from jwtleak.alerts.wire import WireAlert, to_wire

Make = Callable[..., Alert]
See = Callable[[int, int], WireAlert]
TOKENS = [jws({"n": number}) for number in range(6)]


@pytest.fixture
def see(make: Make) -> See:
    """see(token's number, offset): one sighting."""
    return lambda number, offset: to_wire(make(TOKENS[number], offset=offset))


def summary(records: Iterator[WireAlert]) -> list[tuple[int, int, int]]:
    """(First offset, count, last offset) of each alert."""
    seen = [record.alert().sightings for record in records]
    return [(one.first_offset, one.count, one.last_offset) for one in seen]


def run(grouping: Grouping | FirstSight | Every, sightings: list[WireAlert]) -> Iterator[WireAlert]:
    for sighting in sightings:
        yield from grouping.add(sighting)
    yield from grouping.drain()


def test_grouping(see: See) -> None:
    """Each token has one alert, in the order of first sightings, with how often and where last."""
    sightings = [see(0, 1), see(1, 2), see(0, 3), see(2, 4), see(0, 5), see(2, 6)]
    assert summary(run(Grouping(), sightings)) == [(1, 3, 5), (2, 1, 2), (4, 2, 6)]


def test_a_sighting_without_a_record(see: See) -> None:
    """Of a token that is collected, where it stands is enough."""
    grouping, first = Grouping(), FirstSight()
    for one in (grouping, first):
        list(one.add(see(0, 1)))
        one.again(sha256(TOKENS[0]), 9)
        assert summary(iter(one.drain())) == [(1, 2, 9)]


def test_grouping_begins_anew(see: See) -> None:
    """At capacity the collected alerts are drained, and nothing of it is lost or counted twice."""
    sightings = [see(0, 1), see(1, 2), see(0, 3), see(2, 4), see(0, 5)]
    assert summary(run(Grouping(2), sightings)) == [(1, 2, 3), (2, 1, 2), (4, 1, 4), (5, 1, 5)]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(numbers=st.lists(st.integers(0, 5), max_size=30), capacity=st.integers(1, 7))
def test_nothing_is_lost(see: See, numbers: list[int], capacity: int) -> None:
    """Whatever comes in whatever order, all sightings are counted once, and Every gives each."""

    def sightings() -> list[WireAlert]:
        return [see(number, offset) for offset, number in enumerate(numbers)]

    counts = summary(run(Grouping(capacity), sightings()))
    assert sum(count for _, count, _ in counts) == len(numbers)
    assert [first for first, _, _ in counts] == sorted(first for first, _, _ in counts)
    assert summary(run(Every(), sightings())) == [
        (offset, 1, offset) for offset in range(len(numbers))
    ]
    first = list(run(FirstSight(capacity), sightings()))
    leaks = [record for record in first if record.alert().event == "leak"]
    assert {record.sha256 for record in leaks} == {sighting.sha256 for sighting in sightings()}


def test_first_sight(see: See) -> None:
    """The first sighting comes at once; at the end there is a repeat for each token that came
    again, with the first's id.
    """
    grouping = FirstSight()
    assert summary(grouping.add(see(0, 1))) == [(1, 1, 1)]
    assert summary(grouping.add(see(1, 2))) == [(2, 1, 2)]
    assert summary(grouping.add(see(0, 9))) == []
    (repeat,) = grouping.drain()
    alert = repeat.alert()
    assert (
        alert.event,
        alert.sightings.count,
        alert.sightings.first_offset,
        alert.sightings.last_offset,
    ) == ("repeat", 2, 1, 9)
    assert list(grouping.drain()) == []


def test_first_sight_keeps_what_it_gave(see: See) -> None:
    """An alert that was passed on does not change when its token comes again."""
    grouping = FirstSight()
    (given_out,) = grouping.add(see(0, 1))
    list(grouping.add(see(0, 5)))
    assert (given_out.count, given_out.last_offset) == (1, 1)
