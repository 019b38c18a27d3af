"""From findings to records: grouped, counted, and the same whether or not repeats are looked at."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from minting import NOW, jws, sha256
from msgspec.structs import replace

from jwtleak.alerts.builder import AlertContext
from jwtleak.alerts.grouping import Every, FirstSight, Grouping
from jwtleak.alerts.wire import WireAlert
from jwtleak.assess.policy import Policy
from jwtleak.core.channel import Channels
from jwtleak.core.custom_patterns import UserPattern, UserPatterns
from jwtleak.core.engine import Engine
from jwtleak.patterns import load_channels
from jwtleak.runtime.scan.collector import Collector
from jwtleak.types import StreamInfo

ALERT_CONTEXT = AlertContext(NOW, None, b"k" * 32)
INFO = StreamInfo("file", "/var/log/a.log")
CHANNELS = Channels(load_channels())
TOKENS = [jws({"n": number}) for number in range(6)]


def collected(data: bytes, grouping: Grouping | FirstSight, *, sparing: bool) -> list[bytes]:
    """The alerts of `data`, with repeats given as such or, for comparison, as whole findings."""
    engine = Engine(CHANNELS)
    collector = Collector(ALERT_CONTEXT, engine, INFO, grouping)
    assert collector.sighted is not None
    engine.open(sighted=collector.sighted if sparing else None)
    records: list[WireAlert] = []
    for at in range(0, len(data), 700):
        records += collector.add(engine.feed(data[at : at + 700]))
    records += collector.add(engine.close())
    return [record.json() for record in [*records, *collector.drain()]]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    numbers=st.lists(st.integers(0, 5), max_size=30),
    capacity=st.integers(1, 7),
    kind=st.sampled_from([Grouping, FirstSight]),
)
def test_repeats_are_only_counted(
    numbers: list[int], capacity: int, kind: type[Grouping | FirstSight]
) -> None:
    """What is not looked at changes no alert, and no alert begins a line later, whatever no longer
    fits in between.
    """
    data = "".join(
        f'10.0.0.{n} - - "GET /?token={TOKENS[n]} HTTP/1.1" 200\n\n' for n in numbers
    ).encode()
    assert collected(data, kind(capacity), sparing=True) == collected(
        data, kind(capacity), sparing=False
    )


def test_who_wants_each_sighting() -> None:
    """With `every`, a policy or user patterns each sighting is looked at."""
    engine = Engine(CHANNELS)
    pattern = UserPattern(id="xyz", title="x", regex="xyz[0-9]{8}", keywords=("xyz",))
    with_patterns = Engine(CHANNELS, patterns=UserPatterns([pattern]))
    policy = Policy(baseline=frozenset({f"{sha256(TOKENS[0])} /var/log/a.log"}))
    assert Collector(ALERT_CONTEXT, engine, INFO, Every()).sighted is None
    assert (
        Collector(replace(ALERT_CONTEXT, policy=policy), engine, INFO, Grouping()).sighted is None
    )
    assert Collector(ALERT_CONTEXT, with_patterns, INFO, Grouping()).sighted is None


def test_the_time_goes_on() -> None:
    """An alert says when it was found, whether or not it is the first."""
    engine = Engine(CHANNELS)
    collector = Collector(ALERT_CONTEXT, engine, INFO, Every())
    found = [record.alert() for number in (0, 1) for record in _later(collector, engine, number)]
    assert [one.detected_at for one in found] == [
        "2026-01-15T12:00:10.000Z",
        "2026-01-15T12:00:11.000Z",
    ]


def _later(collector: Collector, engine: Engine, number: int) -> list[WireAlert]:
    collector.at(ALERT_CONTEXT.now + 10 + number)
    return list(collector.add(engine.feed(f"token={TOKENS[number]} x\n".encode())))


def test_without_a_finding() -> None:
    """Nothing comes of nothing."""
    collector = Collector(ALERT_CONTEXT, Engine(CHANNELS), INFO, Grouping())
    assert (list(collector.add([])), list(collector.drain()), collector.untried) == ([], [], 0)
