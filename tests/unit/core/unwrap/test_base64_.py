"""Base64 of tokens and of text around them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwtleak.core.unwrap.base64_ import Base64
from jwtleak.core.unwrap.interface import View

TOKEN = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0." + b"x_-Z0" * 9
ENCODERS = {"standard": base64.b64encode, "url": base64.urlsafe_b64encode}
TEXT = st.text(st.characters(max_codepoint=0x7E), max_size=200).map(str.encode)


def unwrapped(region: bytes) -> View:
    hit = min(at for needle in Base64.needles if (at := region.find(needle)) >= 0)
    found = Base64().unwrap_at(region, hit)
    assert found is not None
    assert found.encoding == "base64"
    return found.view


def assert_exact(view: View, region: bytes, text: bytes, gap: bytes = b"") -> None:
    """Each byte of `text` is in the characters of the region that its span covers, and in no
    fewer.
    """
    start = view.data.index(text)
    for at in range(start, start + len(text)):
        first, last = view.span(at, at + 1)
        characters = region[first:last].replace(gap, b"") if gap else region[first:last]
        assert len(characters) == 2
    first, last = view.span(start, start + len(text))
    compact = region[first:last].replace(gap, b"") if gap else region[first:last]
    assert len(compact) == -(-(len(text) + start % 3) * 4 // 3) - (start % 3) * 4 // 3


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)
@settings(max_examples=60, deadline=None)
@given(before=TEXT, after=TEXT, padded=st.booleans())
def test_text_around_a_token_comes_back(
    encoder: object, before: bytes, after: bytes, padded: bool
) -> None:
    """Either alphabet, padded or not, at each alignment: the text is decoded whole."""
    assert callable(encoder)
    text = before + TOKEN + after
    region = encoder(text) if padded else encoder(text).rstrip(b"=")
    assert text + b" \n" in unwrapped(region).data


@pytest.mark.parametrize("skip", range(4))
@pytest.mark.parametrize("width", [20, 60, 64, 76, 128])
@pytest.mark.parametrize("gap", [b"\n", b"\r\n", b"\n    ", b"\\n", b"\\r\\n"])
def test_wrapped_base64_comes_back(skip: int, width: int, gap: bytes) -> None:
    """Wrapping, real or as JSON writes it, disappears, and the map is exact across it."""
    encoded = base64.b64encode(b"\xff" * skip + TOKEN * 3)
    region = gap.join(encoded[at : at + width] for at in range(0, len(encoded), width))
    assert_exact(unwrapped(region), region, TOKEN * 3, gap)


@pytest.mark.parametrize("first", range(4, 77, 7))
@pytest.mark.parametrize("skip", range(3))
def test_a_first_line_may_begin_late(first: int, skip: int) -> None:
    """What stands before the base64 on its line may leave any width for it; groups are then broken
    by line ends.
    """
    encoded = base64.b64encode(b"\xff" * skip + TOKEN * 3)
    lines = [encoded[:first], *(encoded[at : at + 76] for at in range(first, len(encoded), 76))]
    region = b"data: " + b"\n ".join(lines)
    assert_exact(unwrapped(region), region, TOKEN * 3, b"\n ")


@pytest.mark.parametrize("skip", range(3))
def test_escaped_slashes_are_slashes(skip: int) -> None:
    r"""PHP writes base64 into JSON with `\/`; the backslash is no character."""
    encoded = base64.b64encode(b"~~~~~~???"[: 3 * skip] + TOKEN + b"~~~" + bytes(range(200, 255)))
    region = encoded.replace(b"/", b"\\/")
    assert b"\\/" in region
    assert_exact(unwrapped(region), region, TOKEN, b"\\")


def test_tokens_one_a_line_stay_apart() -> None:
    """A list of encoded tokens, of equal or other lengths and alignments, is not one wrapped
    text.
    """
    texts = [TOKEN * 2, b"Bearer " + TOKEN * 2, b"t=" + TOKEN * 3, TOKEN * 2, TOKEN * 2]
    region = b"\n".join(base64.b64encode(text).rstrip(b"=") for text in texts)
    assert unwrapped(region).data == b" \n".join(texts) + b" \n"


def test_the_next_log_line_is_not_part_of_a_token() -> None:
    """A line longer than any wrapping ends its unit, whatever word begins the next line."""
    region = b"token " + base64.b64encode(TOKEN * 2).rstrip(b"=") + b"\n2026-11-23 INFO"
    assert unwrapped(region).data == TOKEN * 2 + b" \n"


def test_blanks_and_padding_end_a_unit() -> None:
    """Words before, words after and a second value behind padding are separate."""
    one, two = base64.b64encode(b"a" + TOKEN), base64.b64encode(b"bc" + TOKEN)
    region = b"token is " + one + two + b" and more"
    assert b"=" in one
    assert unwrapped(region).data == b"a" + TOKEN + b" \nbc" + TOKEN + b" \n"


def test_misleading_needles_add_a_reading() -> None:
    """A unit with needles of two alignments is decoded in both, so that no prefix can hide a
    token.
    """
    region = b"ZXlKa" + base64.b64encode(TOKEN)
    view = unwrapped(region)
    start = view.data.index(TOKEN)
    assert view.span(start, start + 3) == (5, 9)


@settings(max_examples=80, deadline=None)
@given(cut=st.integers(20, 400), skip=st.integers(0, 2), width=st.sampled_from([64, 76, 1000]))
def test_a_longer_region_changes_only_the_end(cut: int, skip: int, width: int) -> None:
    """What a prefix of a region decodes to is a prefix of the whole, but for its last group and
    line end.
    """
    encoded = base64.b64encode(b"\xff" * skip + TOKEN * 3)
    region = b"\n".join(encoded[at : at + width] for at in range(0, len(encoded), width))
    assert unwrapped(region).data.startswith(unwrapped(region[:cut]).data[:-12])


@pytest.mark.parametrize("byte", range(256))
def test_the_neighbours_of_a_needle_are_the_possible_ones(byte: int) -> None:
    """Whatever byte stands before `eyJ`, and whatever ASCII behind it, is not taken for chance."""
    for text in (
        bytes((byte,)) + TOKEN,
        bytes((7, byte)) + TOKEN,
        b"ab" + b"eyJ" + bytes((byte & 0x7F,)) * 20,
    ):
        assert text in unwrapped(base64.b64encode(text)).data


@pytest.mark.parametrize(
    "region",
    [b"A" * 30 + b"V5S" + b"A" * 30, b"A" * 30 + b"leU" + b"A" * 30, b"ZXlK AAAA", b"ZXlK\n" * 9],
)
def test_chance_hits_settle_their_region_with_nothing(region: bytes) -> None:
    """Needles with impossible neighbours, or in units too short for a header, give an empty
    view.
    """
    assert unwrapped(region).data == b""


def test_a_hit_that_is_no_needle_is_declined() -> None:
    """Only places of needles are looked at."""
    assert Base64().unwrap_at(base64.b64encode(TOKEN), 1) is None


@pytest.mark.parametrize(
    "unit",
    [
        b"ZXlK",
        b"ZXlK\n",
        b"ZXlK ",
        b"mV5Sg\\n",
        b"ZXlK\\/",
        b"ZXlKAAA/\\/",
        b"ZXlKAAAAAAAAAAAAAAAA\n",
    ],
)
def test_hostile_runs_cost_few_segments(unit: bytes) -> None:
    """256 KiB of needles and breaks give at most two segments for a byte, in four readings."""
    region = unit * (256 * 1024 // len(unit))
    assert len(unwrapped(region).segments) <= 2 * len(region)


def test_a_wider_line_begins_a_new_unit() -> None:
    """Wrapped lines are followed by none that is wider: what is, was written by somebody else."""
    encoded = base64.b64encode(TOKEN)
    lines = [encoded[:20], encoded[20:40], base64.b64encode(TOKEN * 2)]
    assert unwrapped(b"\n".join(lines)).data == TOKEN[:30] + b" \n" + TOKEN * 2 + b" \n"
