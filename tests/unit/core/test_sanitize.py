"""Excerpts: enough to recognise the place, nothing that could be a piece of a token or move a
cursor.
"""

from __future__ import annotations

import re
import unicodedata

import pytest
from encodings_of_tokens import TEXT
from hypothesis import example, given, settings
from hypothesis import strategies as st
from minting import b64, jws, kinds, noise

from jwtleak.core import sanitize
from jwtleak.core.sanitize import MAX_TEXT, clean, excerpt, mask

LABEL = "[JWT 0123abcd]"
KINDS = list(kinds().values())
ENCODERS = [encode for encode, _ in TEXT.values()]
NEIGHBOURS = [
    b" ",
    b"=",
    b"%3D",
    b'"',
    b"&t=",
    b"_",
    b"x",
    b"\\u0022",
    b".",
    b"Bearer ",
    b"",
    b"\xff",
    b"/",
]


RUN = re.compile(r"[A-Za-z0-9_=~-]+")
WORD = r"([A-Z]?[a-z]+|[A-Z]+|[0-9]+)"
WORDS = re.compile(rf"[-_=~]*{WORD}([-_=~]+{WORD})*[-_=~]*")


def leaked(text: str, token: str) -> list[str]:
    """The pieces of eight characters of the token's payload, signature and what follows that stand
    in `text`. What reads as words is not told from words: a piece that is cut out so is one of some
    hundreds.
    """
    text = RUN.sub(lambda run: "" if WORDS.fullmatch(run[0]) else run[0], text)
    rest = token.partition(".")[2]
    return [
        rest[at : at + 8]
        for at in range(len(rest) - 7)
        if "." not in rest[at : at + 8] and rest[at : at + 8] in text
    ]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.sampled_from(ENCODERS),
    st.integers(0, 700),
    st.integers(0, 700),
    st.sampled_from(NEIGHBOURS),
    st.booleans(),
)
@example(
    next(kind for kind in KINDS if "OKINAYPJ" in kind),
    TEXT["wrapped and indented"][0],
    479,
    491,
    b" ",
    False,
)  # reads as a word
def test_no_piece_of_a_token_nearby_survives(
    token: str, encode: object, first: int, last: int, neighbour: bytes, before: bool
) -> None:
    """Whatever piece of whatever token stands before or behind, in any textual encoding, no eight
    characters of it survive.
    """
    encoded: bytes = encode(token)  # type: ignore[operator]
    first, last = sorted((first % (len(encoded) + 1), last % (len(encoded) + 1)))
    piece = encoded[first:last]
    text = (
        excerpt(b"GET /?a=1&t=" + piece + neighbour, LABEL, b"")
        if before
        else excerpt(b"", LABEL, neighbour + piece + b" x")
    )
    assert leaked(text, token) == []


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_no_bytes_get_through_that_move_a_cursor(before: bytes, after: bytes) -> None:
    """Of any bytes the excerpt is one short line without controls, bidirectional marks or lone
    surrogates.
    """
    text = excerpt(before, LABEL, after)
    assert LABEL in text
    for char in text:
        assert unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp")
        assert (
            char
            not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\ufeff\u200b"  # noqa: E501
        )
    assert len(text) <= 72 + 32 + len(LABEL)
    text.encode()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (b"GET /cb?access_token=", b" HTTP/1.1", f"GET /cb?access_token={LABEL} HTTP/1.1"),
        (b"line\nAuthorization: Bearer ", b"\nnext", f"Authorization: Bearer {LABEL}"),
        (b'{"level":"info","id_token":"', b'"}', f'{{"level":"info","id_token":"{LABEL}"}}'),
        (b"a\tb\x1b[31m", b"\x1b[0m", f"a b [31m{LABEL} [0m"),
        ("ключ=".encode(), "é".encode(), f"ключ={LABEL}é"),
        (b"\xff\xfe", b"", f"\ufffd\ufffd{LABEL}"),
        ("\u202egnp.exe ".encode(), b"", f"\ufffdgnp.exe {LABEL}"),
        (b"", b"", LABEL),
        (b"x=1 " + b"y" * 200 + b" ", b"", None),
    ],
)
def test_what_people_see(before: bytes, after: bytes, expected: str | None) -> None:
    """The end of the line before, the label, the beginning of what follows, as text."""
    text = excerpt(before, LABEL, after)
    assert text == expected if expected is not None else text.endswith(LABEL)


@pytest.mark.parametrize(
    "text",
    [
        *(
            b"access_token",
            b"GET",
            b"Authorization",
            b"x-forwarded-for",
            b"2026",
            b"1768478400",
            b"healthz",
        ),
        *(b"HTTP", b"user-agent", b"client_id=42"),
    ],
)
def test_words_stay(text: bytes) -> None:
    """Names, words and numbers of a log stay readable."""
    assert mask(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *(b64(noise(30, "m")).encode(), b"aB3dE6gH", b"QUJDREVGR0g1"),
        *(b"%61%62%63%64%65%66", b"\\u0061" * 8, b"&#97;" * 8, b"=61" * 8),
    ],
)
def test_noise_goes(text: bytes) -> None:
    """Runs that could be part of a token, bare or spelt in escapes, are masked."""
    assert text not in mask(b"a " + text + b" b")
    assert b"[...]" in mask(text)


@given(st.text(max_size=400))
def test_clean(text: str) -> None:
    """Cleaned text is short, encodes, and holds nothing that moves a cursor or hides."""
    cleaned = clean(text)
    assert len(cleaned) <= MAX_TEXT
    cleaned.encode()
    assert clean(cleaned) == cleaned
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in cleaned)


def test_clean_cuts() -> None:
    """A limit counts characters; what fits stays as it is."""
    assert clean("a" * 300) == "a" * 256
    assert clean("a\x00b\u202e\ud800", 4) == "a\ufffdb\ufffd"
    assert clean("plain") == "plain"


def test_hostile_text_is_masked_in_time() -> None:
    """Long runs and many escapes are linear."""
    for text in (
        b"a_" * 50_000,
        b"%41" * 50_000,
        b"\\u0041" * 30_000,
        b"Aa1" * 50_000,
        jws().encode() * 100,
    ):
        mask(text)


def test_a_run_inside_a_longer_one_leaves_nothing_of_it() -> None:
    """Where one run to mask ends another, the longer one is masked whole."""
    assert mask(b"a7ZY4NDgy ZXhwIjoxNa7ZY4NDgy") == b"[...] [...]"


def test_a_full_cache_of_words_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache of harmless words is cleared when it is full, and the same words stay."""
    monkeypatch.setattr("jwtleak.core.sanitize._MAX_HARMLESS", 2)
    monkeypatch.setattr("jwtleak.core.sanitize._HARMLESS", set())
    text = b"connection established successfully afterwards without interruption"
    for _ in range(2):
        assert mask(text) == text
        assert len(sanitize._HARMLESS) <= 2
