"""Regions: undone once, mapped back, never judged before they are whole."""

from __future__ import annotations

import base64

import pytest
from encodings_of_tokens import TEXT
from minting import jws

from jwtleak.core.matches import TokenMatch
from jwtleak.core.regions import LOOKAHEAD, LOOKBACK, Regions, Undecided
from jwtleak.core.scanner import Scanner
from jwtleak.core.unwrap.base64_ import Base64
from jwtleak.core.unwrap.interface import WORD, UnwrappedRegion
from jwtleak.types import MAX_TOKEN

TOKEN = jws()
ENCODED = TEXT["percent"][0](TOKEN)
STOP = ENCODED.index(b"%")


def regions(
    data: bytes, *, final: bool = True, calls: list[int] | None = None, depth: int = 1
) -> Regions:
    rescan = Scanner().rescan(depth)

    def counted(view: bytes) -> list[TokenMatch]:
        if calls is not None:
            calls.append(len(view))
        return rescan(view) if rescan else []

    return Regions(data, 0, len(data), final, counted if depth else None)


def test_a_leak_covers_its_encoded_bytes() -> None:
    """What is found is mapped back to the original bytes, with the text around it decoded."""
    data = b'{"a":"t%3D' + ENCODED + b'%26x"}'
    (leak,) = regions(data).unwrapped(10, 10 + STOP)
    assert data[leak.start : leak.end] == ENCODED
    assert leak.token.raw.reveal() == TOKEN.encode()
    assert leak.encodings == ("percent",)
    assert (leak.before, leak.after) == (b'{"a":"t=', b'&x"}')


def test_a_region_is_undone_once() -> None:
    """Many anchors in one region cost one look."""
    calls: list[int] = []
    data = b"%26".join([ENCODED] * 20)
    some = regions(data, calls=calls)
    for at in range(0, len(data), len(ENCODED) + 3):
        (leak,) = some.unwrapped(at, at + STOP)
        assert leak.start == at
    assert len(calls) == 1


def test_no_stop_no_region() -> None:
    """A byte that belongs to no encoding, or the end of the data, starts nothing."""
    data = TOKEN.encode() + b"<x"
    assert list(regions(data).unwrapped(0, len(TOKEN))) == []
    assert list(regions(data).unwrapped(0, len(data))) == []


def test_the_bound_on_nesting() -> None:
    """Where the bound on nesting is reached nothing is undone."""
    data = ENCODED + b" "
    assert list(regions(data, depth=0).unwrapped(0, STOP)) == []
    assert list(regions(data, depth=0).split_lines(0)) == []


class Undecodable:
    """A region unwrapper whose needle is always chance: nothing around it decodes."""

    name = "undecodable"
    needles = (b"ZXlK",)

    def __init__(self, alphabet: bytes) -> None:
        self.alphabet = alphabet

    def plausible(self, probe: bytes, hit: int) -> bool:
        return True

    def unwrap_at(self, region: bytes, hit: int) -> UnwrappedRegion | None:
        return None


@pytest.mark.parametrize(("alphabet", "start"), [(WORD, 2), (b"", 4)], ids=["run", "window"])
def test_a_needle_around_which_nothing_decodes(alphabet: bytes, start: int) -> None:
    """Its region ends behind the needle's first byte and holds no match, so that the next needle
    has a region of its own.
    """
    region = regions(b"- aaZXlK -").encoded(Undecodable(alphabet), 4)
    assert (region.start, region.end, region.matches) == (start, 5, [])


def test_the_bound_on_nesting_holds_for_encoded_regions() -> None:
    """Where the bound on nesting is reached, an encoded region holds no match; one level before,
    it holds the token.
    """
    unwrapper = Base64()
    data = base64.b64encode(TOKEN.encode()) + b" "
    place = min(data.index(needle) for needle in unwrapper.needles if needle in data)
    assert len(regions(data, depth=1).encoded(unwrapper, place).matches) == 1
    region = regions(data, depth=0).encoded(unwrapper, place)
    assert (region.end, region.matches) == (place + 1, [])


def test_a_region_that_may_go_on_waits() -> None:
    """A region that the data ends in is not judged while more may come, and is kept from its token
    on.
    """
    with pytest.raises(Undecided) as caught:
        list(regions(b"x " + ENCODED, final=False).unwrapped(2, 2 + STOP))
    assert (caught.value.start, caught.value.growing) == (2, True)
    assert len(list(regions(b"x " + ENCODED + b" ", final=False).unwrapped(2, 2 + STOP))) == 1


def test_a_region_without_end_is_judged() -> None:
    """Beyond the bound on what may follow, a region is judged as far as it is there."""
    data = ENCODED + b"%26" + b"a" * LOOKAHEAD
    (leak,) = regions(data, final=False).unwrapped(0, STOP)
    assert data[leak.start : leak.end] == ENCODED


@pytest.mark.parametrize("name", ["stdout P", "stderr P"])
def test_split_records(name: str) -> None:
    """The halves of a record that CRI split are one token over both records."""
    stamp = f"2026-01-15T12:00:00.000000000Z {name[:6]} "
    data = f"{stamp}P t={TOKEN[:90]}\n{stamp}F {TOKEN[90:]} x\n".encode()
    place = data.index(b"eyJ")
    (leak,) = regions(data).split_lines(place)
    assert (leak.start, data[leak.end : leak.end + 3]) == (place, b" x\n")
    assert leak.token.raw.reveal() == TOKEN.encode()


def test_bounds_hold_the_largest_token() -> None:
    """What is looked at holds a token of the largest size with each byte escaped, and the largest
    split line before it.
    """
    assert LOOKAHEAD >= 3 * MAX_TOKEN
    assert LOOKBACK >= 2 * 16 * 1024
