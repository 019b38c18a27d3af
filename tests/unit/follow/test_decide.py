"""The decisions, as tables that leave nothing out."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from jwtleak.follow.decide import (
    Admission,
    Candidate,
    Leaving,
    NewFile,
    Placement,
    Seen,
    Verdict,
    admit,
    begin_at,
    judge,
    may_end,
    place,
)
from jwtleak.follow.fingerprint import Match

MATCHES: tuple[Match, ...] = ("same", "differs", "none", "unread")
BOOLS = (False, True)

# Rows are tried from the top; the first whose conditions hold is the verdict. What is not named may
# be anything.
KNOWN: list[tuple[dict[str, tuple[object, ...]], Verdict]] = [
    ({"presence": ("unknown",)}, "frozen"),
    ({"presence": ("gone",)}, "left"),
    ({"same": (False,)}, "replaced"),
    ({"changed": (False,)}, "unchanged"),
    ({"size": (50,), "read_to": (100,)}, "truncated"),
    ({"head": ("differs",)}, "truncated"),
    ({"anchor": ("differs",)}, "truncated"),
    ({"head": ("unread",)}, "frozen"),
    ({"anchor": ("unread",)}, "frozen"),
    ({"read_to": (100,), "anchor": ("none",)}, "truncated"),
    ({}, "continue"),
]

PLACES: list[tuple[dict[str, tuple[object, ...]], Placement]] = [
    ({"live": (True,)}, "elsewhere"),
    ({"head": ("differs",)}, "elsewhere"),
    ({"compressed": (True,), "settled": (False,), "same": (False,)}, "wait"),
    ({"head": ("none",), "same": (False,)}, "elsewhere"),
    ({"compressed": (False,), "size": (50,), "read_to": (100,), "same": (True,)}, "elsewhere"),
    ({"compressed": (False,), "size": (50,), "read_to": (100,), "settled": (True,)}, "elsewhere"),
    ({"compressed": (False,), "size": (50,), "read_to": (100,)}, "wait"),
    ({"head": ("unread",)}, "wait"),
    ({"anchor": ("unread",)}, "wait"),
    ({"read_to": (0,)}, "here"),
    ({"anchor": ("same",)}, "here"),
    ({}, "elsewhere"),
]

ARRIVALS: list[tuple[dict[str, tuple[object, ...]], Admission]] = [
    ({"own": (True,)}, "ignore"),
    ({"known": (True,)}, "alias"),
    ({"rest": ("here",)}, "resume"),
    ({"rest": ("wait",)}, "wait"),
    ({"heir": (True,)}, "wait"),
    ({"settled": (False,), "compressed": (True,)}, "wait"),
    ({"settled": (False,), "twin": (True,)}, "wait"),
    ({}, "open"),
]


def expected(
    table: list[tuple[dict[str, tuple[object, ...]], str]], facts: dict[str, object]
) -> str:
    """The verdict of the first row that fits."""
    for conditions, verdict in table:
        if all(facts[name] in values for name, values in conditions.items()):
            return verdict
    raise AssertionError(facts)


def combinations(**values: tuple[object, ...]) -> list[dict[str, object]]:
    """Every combination."""
    return [
        dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())
    ]


def test_every_known_file() -> None:
    """What became of a known file, for every combination of what can be seen of it."""
    every = combinations(
        presence=("there", "gone", "unknown"),
        same=BOOLS,
        changed=BOOLS,
        size=(50, 100, 150),
        read_to=(0, 100),
        head=MATCHES,
        anchor=MATCHES,
    )
    assert len(every) == 3 * 2 * 2 * 3 * 2 * 4 * 4
    for facts in every:
        assert judge(msgspec.convert(facts, Seen)) == expected(KNOWN, facts), facts


def test_every_candidate() -> None:
    """Where a stream goes on, for every combination of what can be seen of a file."""
    every = combinations(
        same=BOOLS,
        live=BOOLS,
        settled=BOOLS,
        compressed=BOOLS,
        size=(50, 150),
        read_to=(0, 100),
        head=MATCHES,
        anchor=MATCHES,
    )
    for facts in every:
        assert place(msgspec.convert(facts, Candidate)) == expected(PLACES, facts), facts


def test_every_arrival() -> None:
    """What to do with a file that arrives, for every combination."""
    every = combinations(
        own=BOOLS,
        known=BOOLS,
        rest=("here", "wait", "elsewhere"),
        heir=BOOLS,
        compressed=BOOLS,
        settled=BOOLS,
        twin=BOOLS,
    )
    for facts in every:
        assert admit(msgspec.convert(facts, NewFile)) == expected(ARRIVALS, facts), facts


def test_every_leaving_stream() -> None:
    """A stream ends only when all of it was read, stored and quiet, and nothing prevents it."""
    for facts in combinations(
        caught_up=BOOLS, committed=BOOLS, quiet=BOOLS, frozen=BOOLS, waiting=BOOLS
    ):
        wanted = facts == {
            "caught_up": True,
            "committed": True,
            "quiet": True,
            "frozen": False,
            "waiting": False,
        }
        assert may_end(msgspec.convert(facts, Leaving)) == wanted


def test_what_cannot_be_inspected_is_never_gone() -> None:
    """A failed inspection has no verdict but `frozen`."""
    for facts in combinations(same=BOOLS, changed=BOOLS, head=MATCHES, anchor=MATCHES):
        assert judge(msgspec.convert({"presence": "unknown", **facts}, Seen)) == "frozen"


def test_a_live_file_is_never_the_rest_of_another() -> None:
    """However alike they are."""
    for facts in combinations(
        same=BOOLS, settled=BOOLS, compressed=BOOLS, head=MATCHES, anchor=MATCHES
    ):
        assert place(msgspec.convert({"live": True, **facts}, Candidate)) == "elsewhere"


@pytest.mark.parametrize(
    ("first", "before", "origin", "age", "offset"),
    [
        (False, False, ("end", 0.0), 9e9, 0),
        (True, True, ("end", 0.0), 9e9, 0),
        (True, False, ("beginning", 0.0), 9e9, 0),
        (True, False, ("end", 0.0), 0, 100),
        (True, False, ("since", 60.0), 59, 0),
        (True, False, ("since", 60.0), 61, 100),
    ],
)
def test_where_to_begin(
    first: bool, before: bool, origin: tuple[str, float], age: float, offset: int
) -> None:
    """`from` counts only for what was there before the program was ever started."""
    assert begin_at(first=first, followed_before=before, origin=origin, size=100, age=age) == offset
