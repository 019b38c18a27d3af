"""Base64 of base64 of a token."""

from __future__ import annotations

import base64
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minting import b64, jws

from jwtleak.core.scanner import Scanner
from jwtleak.core.unwrap.base64_twice import Base64Twice, decided

HEADERS = ["eyJhbGciOi", "eyJ0eXAiOi", "eyJraWQiOi"]
TOKEN = jws()
TOKENS = [
    TOKEN,
    jws(head='{"typ":"JWT","alg":"HS256"}'),
    jws(head='{"kid":"k1","alg":"HS256"}'),
]
ENCODERS = {"standard": base64.b64encode, "url": base64.urlsafe_b64encode}
GAPS = [b"\n", b"\r\n", b"\n    ", b"\\n"]


def lines(data: bytes, width: int, gap: bytes) -> bytes:
    return gap.join(data[at : at + width] for at in range(0, len(data), width))


def found(data: bytes) -> list[tuple[bytes, tuple[str, ...]]]:
    matches = Scanner().scan(data, 0, 0, len(data), final=True).matches
    return [(match.token.raw.reveal(), match.encodings) for match in matches]


def common(texts: list[bytes]) -> bytes:
    """The characters that `texts` have in common at the same places, from the first such on."""
    same = [column[0] if len(set(column)) == 1 else None for column in zip(*texts, strict=True)]
    first = next(at for at, char in enumerate(same) if char is not None)
    rest = same[first:]
    length = rest.index(None) if None in rest else len(rest)
    return bytes(char for char in rest[:length] if char is not None)


def by_brute_force(text: bytes, byte: int) -> bytes:
    """What all encodings of `text` between other bytes have in common."""
    beside = [bytes([value]) * 3 for value in (0x00, 0xFF, 0x55, 0xAA)]
    # From the group of `text` on: what precedes it only shifts it.
    return common([base64.b64encode(a[:byte] + text + b) for a in beside for b in beside])


@pytest.mark.parametrize(("inner", "outer"), list(product(range(3), repeat=2)))
@pytest.mark.parametrize("text", [*HEADERS, "eyJ"])
def test_what_a_text_decides(text: str, inner: int, outer: int) -> None:
    """The characters derived from bits are those that all encodings share; of a header 15 to 17."""
    once = by_brute_force(text.encode(), inner)
    assert decided(text.encode(), inner)[1] == once
    twice = by_brute_force(once, outer)
    assert decided(once, outer)[1] == twice
    assert text == "eyJ" or 15 <= len(twice) <= 17


@pytest.mark.parametrize(("inner", "outer"), list(product(range(3), repeat=2)))
def test_a_needle_for_each_alignment(inner: int, outer: int) -> None:
    """Each of the nine forms of `eyJ` has exactly one of the needles in it."""
    twice = by_brute_force(by_brute_force(b"eyJ", inner), outer)
    assert len([needle for needle in Base64Twice.needles if needle in twice]) == 1
    assert len(Base64Twice.needles) == 9


@pytest.mark.parametrize("token", TOKENS, ids=HEADERS)
@pytest.mark.parametrize(("inner", "outer"), list(product(range(3), repeat=2)))
@pytest.mark.parametrize("first", ENCODERS)
@pytest.mark.parametrize("second", ENCODERS)
def test_every_alignment_and_alphabet(
    token: str, inner: int, outer: int, first: str, second: str
) -> None:
    """A token or text around it is found behind both levels, and the span is the whole run."""
    once = ENCODERS[first](b"id:~"[:inner] + token.encode() + b"?>~")
    data = b"v=" + ENCODERS[second](b"QUJD"[:outer] + once) + b"\n"
    assert found(data) == [(token.encode(), ("base64", "base64"))]


def test_the_span_covers_the_outer_characters() -> None:
    """What is redacted is the encoded token, and no more than its groups."""
    once = base64.b64encode(b"before " + TOKEN.encode())
    data = b"v=" + base64.b64encode(once) + b" x"
    (match,) = Scanner().scan(data, 0, 0, len(data), final=True).matches
    first, last = len("before "), len("before " + TOKEN)
    for _ in range(2):
        first, last = first * 8 // 6, (last * 8 + 5) // 6
    assert (match.start, match.end) == (2 + first, 2 + last)


@pytest.mark.parametrize("width", [60, 76])
@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("skip", range(0, 80, 7))
def test_the_outer_level_wrapped(width: int, gap: bytes, skip: int) -> None:
    """Wherever a line break falls, also within a needle, the token is found."""
    encoded = base64.b64encode(base64.b64encode(b"x" * skip + TOKEN.encode()))
    assert (TOKEN.encode(), ("base64", "base64")) in found(lines(encoded, width, gap))


@pytest.mark.parametrize("skip", range(0, 80, 3))
def test_both_levels_wrapped(skip: int) -> None:
    """`base64 | base64` wraps each level at 76 columns."""
    inner = base64.encodebytes(b"x" * skip + TOKEN.encode())
    data = base64.encodebytes(inner)
    assert (TOKEN.encode(), ("base64", "base64")) in found(data)


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, 2000), skip=st.integers(0, 5))
def test_any_cut(cut: int, skip: int) -> None:
    """The same matches come out however the bytes are cut."""
    encoded = base64.b64encode(base64.b64encode(b"x" * skip + TOKEN.encode()))
    data = b"a=" + encoded + b" b\n"
    cut %= len(data)
    scanner = Scanner()
    first = scanner.scan(data, 0, 0, cut, final=False)
    second = scanner.scan(data, 0, first.resume, len(data), final=True, reported=0)
    whole = scanner.scan(data, 0, 0, len(data), final=True)
    assert first.matches + second.matches == whole.matches
    assert len(whole.matches) == 1


@pytest.mark.parametrize("needle", Base64Twice.needles)
def test_a_chance_hit_decodes_nothing(needle: bytes) -> None:
    """A needle among other characters is implausible, or its region has no header in it."""
    region = b"A" * 30 + needle + b"A" * 30
    view = Base64Twice().unwrap_at(region, 30)
    assert view is not None
    assert view.view.data == b""
    # `VjVT` is all that `eyJ` decides in that alignment; the others lack a character of theirs.
    assert needle in (b"VjVT", b"Y1U", b"WNV") or not Base64Twice().plausible(region, 30)


def test_other_headers_are_not_found() -> None:
    """`{"x5t":` begins with too few certain characters."""
    token = jws(head='{"x5t":"abc","alg":"HS256"}')
    data = base64.b64encode(base64.b64encode(token.encode()))
    assert found(data) == []


def test_an_encoded_object_is_no_token() -> None:
    """JSON that begins like a header, encoded twice, is decoded and refused."""
    text = b64(b'{"alg":"HS256"') + ".x.y"
    data = base64.b64encode(base64.b64encode(text.encode()))
    assert [encodings for _, encodings in found(data) if encodings != ("base64", "base64")] == []
    assert found(data) == [] or found(data)[0][0] in text.encode()


def test_a_hit_that_is_no_needle_is_declined() -> None:
    """Only places of needles are examined."""
    region = base64.b64encode(base64.b64encode(TOKEN.encode()))
    assert Base64Twice().unwrap_at(region, 3) is None
    assert not Base64Twice().plausible(region, 3)
