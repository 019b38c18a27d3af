"""The engine: the same findings however the bytes are cut, flushed, resumed or shared out."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise

import pytest
from encodings_of_tokens import BINARY, TEXT
from generated_logs import lines, logs, mixed_log
from hypothesis import example, given, settings
from hypothesis import strategies as st
from minting import jws, kinds, noise, sd_jwt, sha256
from msgspec.structs import replace
from reference_detector import plain_tokens

from jwtleak.core.channel import Channels
from jwtleak.core.custom_patterns import UserPattern, UserPatterns
from jwtleak.core.engine import READ_SIZE, Engine, Owned
from jwtleak.core.fingerprint import HEAD, SeenTokens
from jwtleak.core.regions import LOOKAHEAD, LOOKBACK
from jwtleak.patterns import load_channels
from jwtleak.types import Channel, Context, Finding, Token

KINDS = kinds()
ENCODINGS = {**TEXT, **BINARY}
COMBINATIONS = [(kind, encoding) for kind in KINDS for encoding in ENCODINGS]
UNSECURED = b"t=" + TEXT["newline between segments"][0](KINDS["unsecured"]) + b'" HTTP/1.1\n'
LINE = "2026-01-15T12:00:01Z web-01 GET /healthz 200 12\n"
LEAK = "2026-01-15T12:00:02Z web-01 GET /cb?access_token="
AROUND = 64
MTIME = 1_768_478_500_000
ENGINE = Engine(Channels(load_channels()))


def run(data: bytes, cuts: Iterable[int] = (), engine: Engine = ENGINE) -> list[Finding]:
    """The findings of `data`, fed in pieces that end at `cuts`."""
    engine.open(mtime_ms=MTIME)
    found = []
    for first, last in pairwise([0, *cuts, len(data)]):
        found += engine.feed(data[first:last])
    return found + engine.close()


@lru_cache(maxsize=1024)
def placed(kind: str, encoding: str) -> tuple[bytes, int, int]:
    """A log in which one token stands, and the token's span."""
    encode, _ = ENCODINGS[encoding]
    wide = next(
        (
            name
            for name in ("utf-16le", "utf-16be", "utf-32le", "utf-32be")
            if encoding.startswith(name)
        ),
        "ascii",
    )
    before = (LINE + LEAK).encode(wide)
    encoded = encode(KINDS[kind])
    after = ('" HTTP/1.1\n' + LINE + LINE).encode(wide)
    return before + encoded + after, len(before), len(before) + len(encoded)


def check_cuts(kind: str, encoding: str, cuts: Iterable[int]) -> None:
    data, _, _ = placed(kind, encoding)
    whole = run(data)
    assert [one.sha256 for one in whole] == [sha256(KINDS[kind])]
    for cut in cuts:
        assert run(data, [cut]) == whole, f"cut at {cut}"


def borders(kind: str, encoding: str) -> list[int]:
    """Every offset within 64 bytes of the beginning or the end of the token."""
    data, start, end = placed(kind, encoding)
    near = {*range(start - AROUND, start + AROUND + 1), *range(end - AROUND, end + AROUND + 1)}
    return sorted(at for at in near if 0 < at < len(data))


@pytest.mark.parametrize(("kind", "encoding"), COMBINATIONS)
def test_a_cut_near_a_border_changes_nothing(kind: str, encoding: str) -> None:
    """Cut right at its borders and at a few places around them, a token is found as in one
    piece.
    """
    data, start, end = placed(kind, encoding)
    near = [
        start - 2,
        start,
        start + 1,
        start + 5,
        end - 1,
        end,
        end + 1,
        *borders(kind, encoding)[:: 29 + len(kind)],
    ]
    check_cuts(kind, encoding, [at for at in near if 0 < at < len(data)])


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "encoding"), COMBINATIONS)
def test_no_cut_near_a_border_changes_anything(kind: str, encoding: str) -> None:
    """Cut at any offset within 64 bytes of its borders, a token is found as in one piece."""
    check_cuts(kind, encoding, borders(kind, encoding))


@pytest.mark.parametrize(("kind", "encoding"), COMBINATIONS[::9])
def test_one_byte_at_a_time(kind: str, encoding: str) -> None:
    """A stream that comes byte by byte gives what it gives in one piece."""
    data, _, _ = placed(kind, encoding)
    assert run(data, range(1, len(data))) == run(data)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "encoding"), COMBINATIONS)
def test_everything_one_byte_at_a_time(kind: str, encoding: str) -> None:
    """Every kind in every encoding, byte by byte."""
    data, _, _ = placed(kind, encoding)
    assert run(data, range(1, len(data))) == run(data)


def test_text_behind_a_decoded_token() -> None:
    """What an alert says of a decoded token does not depend on where the bytes behind it were
    cut.
    """
    assert run(UNSECURED, [len(UNSECURED) - 8]) == run(UNSECURED)


def test_times_behind_a_token() -> None:
    """A date that stands far behind a token in its line is the line's time however the bytes came,
    or never.
    """
    data = (
        b"token "
        + jws().encode()
        + b" was refused by the gateway, which is not unusual for it, so that nobody has looked "
        * 2
    )
    data += b" since 2026-01-15T12:00:00Z\n"
    assert [one.logged_at for one in run(data, [len(data) - 30])] == [
        one.logged_at for one in run(data)
    ]


def test_nothing_is_given_twice() -> None:
    """An unsecured token at the end of a line is given once, though its next line could belong to
    it.
    """
    data = KINDS["unsecured"].encode() + b"\neyJ\neyJ"
    assert len(run(data)) == 1


def cuts_of(data: bytes, places: list[int]) -> list[int]:
    return sorted({place % (len(data) + 1) for place in places})


@settings(max_examples=150, deadline=None)
@example(UNSECURED, [len(UNSECURED) - 8])
@given(logs(), st.lists(st.integers(0, 1 << 30), max_size=12))
def test_any_cuts_of_any_log(data: bytes, places: list[int]) -> None:
    """However a log of tokens, junk, wide text, base64 and split records is cut, the findings are
    the same.
    """
    assert run(data, cuts_of(data, places)) == run(data)


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@example(UNSECURED, [len(UNSECURED) - 8])
@given(logs(), st.lists(st.integers(0, 1 << 30), max_size=40))
def test_many_cuts_of_many_logs(data: bytes, places: list[int]) -> None:
    """The same, for longer."""
    assert run(data, cuts_of(data, places)) == run(data)


@settings(max_examples=150, deadline=None)
@example([KINDS["unsecured"].encode(), b"eyJ", b"eyJ"])
@given(st.lists(lines(plain=True), max_size=12))
def test_equal_to_the_reference(parts: list[bytes]) -> None:
    """In logs of plain tokens the engine finds what a slow, obvious detector finds."""
    data = b"\n".join(parts)
    whole = [
        one
        for one in run(data)
        if isinstance(one.token, Token) and one.token.integrity != "clipped"
    ]
    assert places(whole) == plain_tokens(data)


NEEDLES = [
    b"eyJ",
    b"ImFsZ",
    b"JhbGci",
    b"iYWxn",
    b"ZXlK",
    b"V5S",
    b"leU",
    b"e\0y\0J\0",
    b"eyJhbGciOiJIUzI1NiJ9",
    b"{",
    b"}",
    b".",
]
ESCAPES = [
    b"%",
    b"%2E",
    b"\\",
    b"\\u00",
    b"\\x2",
    b"&#",
    b";",
    b"=",
    b"=\n",
    b"\r\n",
    b"\0",
    b"~",
    b'"protected":"',
]
ESCAPES += [b'{"log":"', b" stdout P "]


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=400),
        st.lists(st.one_of(st.sampled_from(NEEDLES + ESCAPES), st.binary(max_size=3))).map(
            b"".join
        ),
    )
)
def test_no_bytes_raise(data: bytes) -> None:
    """Arbitrary bytes, and the alphabet of needles and escapes, give findings with sane places and
    no exception.
    """
    last = 0
    for one in run(data):
        assert last <= one.offset < one.offset + one.length <= len(data)
        assert one.line == data.count(b"\n", 0, one.offset) + 1
        assert one.column == one.offset - data.rfind(b"\n", 0, one.offset)
        last = one.offset + one.length


@settings(max_examples=100, deadline=None)
@given(logs())
def test_places_are_those_of_the_bytes(data: bytes) -> None:
    """Lines and columns count as `count` and `rfind` do, and spans are in order and apart."""
    last = 0
    for one in run(data):
        assert last <= one.offset
        last = one.offset + one.length
        assert last <= len(data)
        assert (one.line, one.column) == (
            data.count(b"\n", 0, one.offset) + 1,
            one.offset - data.rfind(b"\n", 0, one.offset),
        )


def filler(count: int) -> bytes:
    """About `count` bytes of log lines without a token."""
    return LINE.encode() * (count // len(LINE))


@pytest.mark.parametrize("shift", [-300, -40, -3, -1, 0, 1, 40])
@pytest.mark.parametrize("encoding", ["plain", "percent", "base64", "utf-16le", "wrapped at 76"])
def test_tokens_across_reads(shift: int, encoding: str) -> None:
    """Tokens that stand across the borders of full reads are found, with their lines and
    columns.
    """
    encode, _ = ENCODINGS[encoding]
    parts, size = [], 0
    for number in range(1, 5):
        fill = filler(number * READ_SIZE + shift - size)
        fill = fill[:-1] + b"x" * (number * READ_SIZE + shift - size - len(fill)) + b" "
        token = encode(jws({"n": number}))
        parts += [fill, token, b'"\n']
        size += len(fill) + len(token) + 2
    data = b"".join([*parts, filler(1000)])
    found = run(data)
    assert [one.sha256 for one in found] == [sha256(jws({"n": number})) for number in range(1, 5)]
    for one in found:
        assert (one.line, one.column) == (
            data.count(b"\n", 0, one.offset) + 1,
            one.offset - data.rfind(b"\n", 0, one.offset),
        )
    assert run(data, range(99_991, len(data), 99_991)) == found


def places(found: Iterable[Finding]) -> list[tuple[int, int, str]]:
    return [(one.offset, one.length, one.sha256) for one in found]


def test_openings_that_touch() -> None:
    """A token right behind a piece of another (`eyJhbGcieyJhbGci...`) is found, at every distance
    of the two.
    """
    token = jws()
    for count in range(1, 24):
        (found,) = run(b"t=" + token[:count].encode() + token.encode() + b"\n")
        assert (found.offset, found.sha256) == (2 + count, sha256(token))


def test_wrapped_above_a_line_of_words() -> None:
    """A token wrapped at 76 columns ends with its last, short line, whatever the next line begins
    with.
    """
    data = b"token:\n" + TEXT["wrapped at 76"][0](jws()) + b"\n2026-01-15T12:00:00Z next\n"
    assert [one.sha256 for one in run(data)] == [sha256(jws())]


def resumed(data: bytes, cut: int, back: int = 0) -> tuple[list[Finding], list[Finding]]:
    """What a run gives that ends at `cut` without a word, and what a second one gives that begins
    `back` bytes before the first's `resume_offset`.
    """
    ENGINE.open(mtime_ms=MTIME)
    first = ENGINE.feed(data[:cut])
    at = max(0, ENGINE.resume_offset - back)
    ENGINE.open(offset=at, head=data[:HEAD], mtime_ms=MTIME)
    return first, ENGINE.feed(data[at:]) + ENGINE.close()


NEAR_NEEDLE = [kind for kind in KINDS if kind != "jws pretty"]


@pytest.mark.parametrize("kind", NEAR_NEEDLE)
def test_resuming_anywhere_in_a_token(kind: str) -> None:
    """Broken off at any byte of a line with a token, a run resumes at `resume_offset` without
    losing or repeating it.
    """
    data, start, end = placed(kind, "plain")
    whole = places(run(data))
    for cut in range(start - 8, end + 24, 5):
        first, second = resumed(data, cut)
        assert places(first + second) == whole, f"broken off at {cut}"


def test_resuming_anywhere_in_a_pretty_token() -> None:
    """The same for a header that begins with white space and names `alg` last, which is found from
    the inside.
    """
    data, start, end = placed("jws pretty", "plain")
    whole = places(run(data))
    for cut in range(start - 8, end + 24, 5):
        first, second = resumed(data, cut)
        assert places(first + second) == whole, f"broken off at {cut}"


@settings(max_examples=150, deadline=None)
@given(logs(), st.integers(0, 1 << 30))
def test_resuming_with_what_stands_before(data: bytes, place: int) -> None:
    """A run that begins as far before `resume_offset` as a part of a split file does loses nothing;
    ids tell repeats.
    """
    first, second = resumed(data, place % (len(data) + 1), LOOKBACK + LOOKAHEAD)
    assert {*places(first), *places(second)} == {*places(run(data))}


def test_the_context_of_a_stream() -> None:
    """A stream's context holds for its findings, and not for the next stream's."""
    data = f"2026-01-15T12:00:01Z access_token={jws()}\n".encode()
    ENGINE.open(context=Context(channel=Channel("cookie", "sid"), logged_at=7))
    (known,) = ENGINE.feed(data)
    assert (known.channel, known.logged_at) == (Channel("cookie", "sid"), 7)
    (plain,) = run(data)
    assert plain.channel.type != "cookie"
    assert plain.logged_at == 1_768_478_401_000


def test_settle_reports_a_token_without_a_line_end() -> None:
    """A whole token at the very end is pending until `settle`, which reports it once."""
    token = jws()
    ENGINE.open()
    assert ENGINE.feed(b"Authorization: Bearer " + token.encode()) == []
    assert ENGINE.pending == "growing"
    assert [one.sha256 for one in ENGINE.settle()] == [sha256(token)]
    assert ENGINE.pending is None
    assert ENGINE.settle() == []
    assert ENGINE.feed(b"\nnext line\n") + ENGINE.close() == []


def test_pending_context() -> None:
    """A token whose line has not ended waits for the rest of its line only, and a newline settles
    it.
    """
    token = jws()
    ENGINE.open()
    assert ENGINE.feed(f"token {token} ".encode()) == []
    assert ENGINE.pending == "context"
    assert ENGINE.resume_offset == 6
    assert [one.sha256 for one in ENGINE.feed(b"\n")] == [sha256(token)]
    assert ENGINE.pending is None


def test_pending_nothing() -> None:
    """Bytes that cannot be part of a token leave nothing pending, and all but a needle's length is
    judged.
    """
    ENGINE.open()
    data = filler(10_000)
    assert ENGINE.feed(data) == []
    assert ENGINE.pending is None
    assert len(data) - ENGINE.resume_offset < 64
    assert ENGINE.settle() == []


def test_settle_without_anything_pending_is_free() -> None:
    """`settle` on a settled stream reports nothing and does not move on."""
    ENGINE.open()
    ENGINE.feed(b"abc ey")
    before = ENGINE.resume_offset
    assert ENGINE.settle() == []
    assert ENGINE.resume_offset == before
    token = jws()
    assert [one.offset for one in ENGINE.feed(token.encode()[2:] + b"\n")] == [4]


def test_settling_leaves_what_may_grow() -> None:
    """The first `settle` reports a token that has ended; one that has not is still pending, and is
    reported whole when the rest comes.
    """
    first, second = jws(), jws({"n": 2})
    ENGINE.open()
    assert ENGINE.feed(f"a {first} b {second[:40]}".encode()) == []
    assert ENGINE.pending == "context"
    assert [one.sha256 for one in ENGINE.settle()] == [sha256(first)]
    assert ENGINE.pending == "growing"
    assert [one.sha256 for one in ENGINE.feed(second[40:].encode() + b"\n")] == [sha256(second)]


def test_settling_twice() -> None:
    """`settle` reports what has ended, and only when asked again what may still grow."""
    ENGINE.open()
    ENGINE.feed(f"a {jws()} b {jws({'n': 2})}".encode())
    assert [[one.sha256 for one in ENGINE.settle()] for _ in range(3)] == [
        [sha256(jws())],
        [sha256(jws({"n": 2}))],
        [],
    ]


@settings(max_examples=100, deadline=None)
@given(logs(), st.integers(0, 1 << 30))
def test_tentative_findings_change_nothing(data: bytes, place: int) -> None:
    """The findings are the same whether or not somebody asked for tentative ones; those are what a
    stream of the bytes so far contains.
    """
    cut = place % (len(data) + 1)
    ENGINE.open(mtime_ms=MTIME)
    found = ENGINE.feed(data[:cut])
    tentative = ENGINE.close(tentative=True)
    rest = ENGINE.feed(data[cut:]) + ENGINE.close()
    assert places(found + tentative) == places(run(data[:cut]))
    assert found + rest == run(data)


@settings(max_examples=100, deadline=None)
@given(logs(), st.integers(0, 1 << 30), st.integers(0, 1 << 30))
def test_positions_count_lines(data: bytes, place: int, start: int) -> None:
    """The position is that of `resume_offset` in the lines of the owned part."""
    cut, start = place % (len(data) + 1), start % (len(data) + 1)
    ENGINE.open(offset=start, head=data[:HEAD])
    ENGINE.feed(data[start : start + cut])
    at = ENGINE.resume_offset
    last = data.rfind(b"\n", start, at) + 1
    assert ENGINE.position() == (data.count(b"\n", start, at), last or None)


def test_split_records_do_not_wait_for_more_than_their_end() -> None:
    """An unusual token in a whole record of a container is given with the record's end, in a split
    one with the last.
    """
    odd, stamp = jws(alg="X1"), b"2026-01-15T12:00:00.123456789Z stdout "
    ENGINE.open()
    found = ENGINE.feed(stamp + b"F t=" + odd.encode() + b" end\n")
    assert [one.sha256 for one in found] == [sha256(odd)]
    assert (
        ENGINE.feed(
            stamp
            + b"P t="
            + odd[:50].encode()
            + b"\n"
            + stamp.replace(b"out", b"err")
            + b"F other\n"
        )
        == []
    )
    assert ENGINE.pending == "growing"
    found = ENGINE.feed(stamp + b"F " + odd[50:].encode() + b" end\n")
    assert [(one.sha256, one.encodings) for one in found] == [(sha256(odd), ("cri",))]


def interleaved(kind: str) -> tuple[bytes, list[str]]:
    """Records of two streams: a split token of each among those of the other, and a plain one
    between; SD-JWTs, in which a token follows a token.
    """
    out, plain, err = sd_jwt(bound=True), jws({"n": "plain"}), jws({"n": "err"}, "RS256")

    def record(stream: str, content: str, end: str = "") -> str:
        if kind == "cri":
            return f"2026-01-15T12:00:00.123456789Z {stream} {'F' if end else 'P'} {content}\n"
        return f'{{"log":"{content}{end}","stream":"{stream}","time":"t"}}\n'

    text = (
        record("stdout", f"t={out[:90]}")
        + record("stderr", f"t={err[:200]}")
        + record("stdout", out[90:150])
        + record("stderr", f"{err[200:]} end", "\\n")
        + record("stderr", f"t={plain} end", "\\n")
        + record("stdout", f"{out[150:]} end", "\\n")
    )
    return text.encode(), [sha256(out), sha256(err), sha256(plain)]


@pytest.mark.parametrize("kind", ["cri", "docker"])
def test_tokens_of_two_streams_among_one_another(kind: str) -> None:
    """A split token hides none that stands among its records, however the bytes come; nothing in it
    is one of its own.
    """
    data, tokens = interleaved(kind)
    whole = run(data)
    assert [one.sha256 for one in whole] == tokens
    assert [one.output for one in whole] == ["stdout", "stderr", "stderr"]
    for cut in range(1, len(data), 3):
        assert run(data, [cut]) == whole, f"cut at {cut}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_newline_settles(kind: str) -> None:
    """A whole token comes out with the newline that ends its line, before anything else arrives."""
    ENGINE.open()
    found = ENGINE.feed(b"GET /?t=" + KINDS[kind].encode() + b" HTTP/1.1\n")
    assert [one.sha256 for one in found] == [sha256(KINDS[kind])]


def shared(data: bytes, splits: Iterable[int], step: int) -> Iterator[Finding]:
    """The findings of the parts between `splits`, each read on its own in reads of `step`, put
    together.

    A part is read until all is judged that an anchor as far as LOOKBACK behind its end could
    announce.
    """
    lines_before, line_start = 0, 0
    for start, stop in pairwise([0, *splits, len(data)]):
        begin = at = max(0, start - LOOKBACK - LOOKAHEAD)
        engine = ENGINE
        engine.open(
            offset=begin,
            owned=Owned(start, stop),
            head=data[:HEAD] if begin else b"",
            mtime_ms=MTIME,
        )
        found: list[Finding] = []
        while engine.resume_offset < stop + LOOKBACK and at < len(data):
            found += engine.feed(data[at : at + step])
            at += step
        if engine.resume_offset < stop + LOOKBACK:
            found += engine.close()
        for one in found:
            yield moved(one, lines_before, line_start)
        count, last = engine.lines_owned()
        assert count == data.count(b"\n", start, stop)
        lines_before += count
        line_start = line_start if last is None else last


def moved(one: Finding, lines_before: int, line_start: int) -> Finding:
    """`one` with the line and column that it has in the whole."""
    if one.line > 1 or lines_before == 0:
        return replace(one, line=one.line + lines_before)
    return replace(one, line=lines_before + 1, column=one.offset - line_start + 1)


@settings(max_examples=150, deadline=None)
@example(b"x" * (265 - len(UNSECURED)) + UNSECURED, [0], 257)
@given(
    logs(),
    st.lists(st.integers(0, 1 << 30), min_size=1, max_size=3),
    st.sampled_from([257, 4096, READ_SIZE]),
)
def test_owned_parts_make_the_whole(data: bytes, where: list[int], step: int) -> None:
    """Shared out at any points, each part read on its own, a log gives exactly the findings of the
    whole.
    """
    assert list(shared(data, cuts_of(data, where), step)) == run(data)


@pytest.mark.parametrize(
    "encoding", ["plain", "percent", "base64", "utf-16be", "wrapped at 76", "percent twice"]
)
def test_owned_parts_split_in_a_token(encoding: str) -> None:
    """A token belongs to the part in which its first byte stands, wherever in it the border
    runs.
    """
    data, start, end = placed("jws", encoding)
    whole = run(data)
    for split in range(start - 6, end + 6, 3):
        assert list(shared(data, [split], READ_SIZE)) == whole, f"split at {split}"


@pytest.mark.slow
def test_owned_parts_of_a_large_input() -> None:
    """The same for an input much larger than what is read before a part."""
    data = mixed_log(3_000_000, seed=7)
    whole = run(data)
    assert len(whole) > 100
    for split in range(100_003, len(data), 700_001):
        assert list(shared(data, [split], READ_SIZE)) == whole


def test_occurrences_keep_their_names() -> None:
    """An occurrence has one name whether its stream came whole, in pieces, or resumed behind its
    head.
    """
    data = filler(3000) + jws().encode() + b"\n" + filler(500)
    (whole,) = run(data)
    name = ENGINE.occurrence(whole)
    run(data, range(1, len(data), 7))
    assert ENGINE.occurrence(whole) == name
    ENGINE.open(offset=2000, head=data[:HEAD])
    (found,) = ENGINE.feed(data[2000:]) + ENGINE.close()
    assert ENGINE.occurrence(found) == name


def with_pattern() -> Engine:
    pattern = UserPattern(
        id="test.key", title="Key", regex=r"key_[0-9a-f]{8}|eyJ[\w.-]+", keywords=("key_", "eyJ")
    )
    return Engine(Channels(load_channels()), patterns=UserPatterns([pattern]))


def test_user_patterns_find_the_same_however_cut() -> None:
    """A user pattern's hits are found with their places, excerpts without the secret, however the
    bytes come.
    """
    engine = with_pattern()
    data = b"a key_0123abcd b key_89abcdef\n" + filler(150_000) + b"key_76543210\n" + filler(1000)
    found = run(data, engine=engine)
    assert [(one.line, one.column, one.length) for one in found] == [
        (1, 3, 12),
        (1, 18, 12),
        (found[2].line, 1, 12),
    ]
    assert found[0].excerpt.startswith("a [SECRET ")
    for step in (977, 50_000):
        assert run(data, range(step, len(data), step), engine) == found


def test_user_patterns_beside_tokens() -> None:
    """Hits stand among the tokens in order, and what is both is a token."""
    data = b"a key_0123abcd b " + jws().encode() + b" c key_89abcdef\n" + filler(1000)
    found = run(data, engine=with_pattern())
    assert [type(one.token).__name__ for one in found] == ["PatternHit", "Token", "PatternHit"]


def test_user_patterns_after_a_silence() -> None:
    """A match in a block that is not whole waits as something growing; each tentative close and the
    first `settle` report it.
    """
    engine = with_pattern()
    engine.open()
    assert engine.feed(b"a key_0123abcd b\n") == []
    assert engine.pending == "growing"
    tentative = [len(engine.close(tentative=True)) for _ in range(2)]
    assert (tentative, len(engine.settle()), len(engine.settle())) == ([1, 1], 1, 0)


def test_a_token_waits_for_the_user_patterns() -> None:
    """A whole token in a block that is not whole waits for the line at first. A silence does not
    settle it: a pattern may still match before it. The second silence reports it.
    """
    engine = with_pattern()
    engine.open()
    assert engine.feed(b"t=" + jws().encode() + b" x\n") == []
    assert engine.pending == "context"
    assert engine.settle() == []
    assert engine.pending == "growing"
    assert [finding.sha256 for finding in engine.settle()] == [sha256(jws())]


def test_the_rest_begins_with_the_line_of_the_first_open_byte() -> None:
    """`rest` is the line in which a token may still grow, and everything behind."""
    ENGINE.open()
    token = jws().encode()
    ENGINE.feed(b"one\ntwo t=" + token[:90])
    assert ENGINE.rest() == b"two t=" + token[:90]
    ENGINE.feed(token[90:] + b" x\nthree \n")
    assert ENGINE.rest() == b"three \n"


def test_buffers_are_as_large_as_a_read() -> None:
    """There is always room for a full read, and memory stays that of one buffer."""
    engine = Engine(Channels([]))
    junk = noise(1 << 16, "junk")
    for _ in range(64):
        view = engine.get_buffer()
        assert len(view) >= READ_SIZE
        view[: len(junk)] = junk
        engine.buffer_updated(len(junk))
    assert engine.resume_offset > 63 * len(junk)


@pytest.mark.parametrize("short", [1, 4097])
def test_a_whole_read_fits_behind_the_most_that_is_held(short: int) -> None:
    """A base64 run that begins as far as can be before its anchor, and is as long behind it as is
    waited for.
    """
    engine = Engine(Channels([]))
    run_ = b"A" * LOOKBACK + b"ZXlK" + b"A" * (LOOKAHEAD - 4 - short)
    engine.feed(b"a line\n" * 20_000 + run_)
    assert engine.pending == "growing"
    assert len(engine.get_buffer()) >= READ_SIZE


def test_a_line_without_end_is_judged_as_it_comes() -> None:
    """In 4 MB without a newline nothing is held but the bounded window, and the tokens in it come
    out on the way.
    """
    token = jws()
    part = b"x " * 100_000 + token.encode() + b"&"
    ENGINE.open()
    given_early = 0
    for _ in range(20):
        given_early += len(ENGINE.feed(part))
    assert given_early >= 19
    assert given_early + len(ENGINE.close()) == 20


@pytest.mark.parametrize(
    "after", [b"\n2026-01-15T12:00:00Z next\n", b"\nnext line\n", b"\r\nX-Header: y\n", b"\n--\n"]
)
@pytest.mark.parametrize(
    "encoding", ["newline between segments", "wrapped at 76", "wrapped at 76 crlf"]
)
@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind != "unsecured"]
)  # its signature is any word
def test_the_next_line_may_begin_like_base64(kind: str, encoding: str, after: bytes) -> None:
    """A token that was broken over lines ends with its last line, whatever the next one begins
    with.
    """
    encoded = ENCODINGS[encoding][0](KINDS[kind])
    (found,) = run(b"Authorization: Bearer " + encoded + after)
    assert (found.sha256, found.length) == (sha256(KINDS[kind]), len(encoded))


@pytest.mark.parametrize("length", [10, 97, 3000, 8000])
def test_a_disclosure_may_be_cut_anywhere(length: int) -> None:
    """However long a disclosure of an SD-JWT is, a cut in it does not end the token."""
    token = f"{jws(alg='ES256')}~{'A' * length}~{jws({'nonce': 'n'}, 'ES256')}"
    data = f"t={token} x\n".encode()
    whole = run(data)
    assert [one.length for one in whole] == [len(token)]
    start = data.index(b"~")
    for cut in {*range(start, len(data), 97), start + 1, start + length, start + length + 2}:
        assert run(data, [cut]) == whole, cut


def test_reads_begin_between_pages() -> None:
    """Whatever is kept of what was read before, a full read goes to the same place of a page, not
    near its beginning.
    """
    engine = Engine(Channels(()))
    places = set()
    for filler in (b"GET / 200\n", b"eyJ", b"abc ", jws().encode() + b" "):
        with engine.get_buffer() as view:
            view[:] = (filler * READ_SIZE)[:READ_SIZE]
        engine.buffer_updated(READ_SIZE)
        with engine.get_buffer() as view:
            places.add(ctypes.addressof(ctypes.c_char.from_buffer(view)) % 4096)
    assert len(places) == 1
    assert places.pop() > 1024


def test_names_do_not_depend_on_when_they_are_asked_for() -> None:
    """A stream of which only the beginning was there when its first token was named gives the later
    ones the same names.
    """
    data = b"".join(
        b"GET /?t=%b HTTP/1.1 %d\n" % (jws({"sub": str(number)}).encode(), number)
        for number in range(12)
    )
    whole = Engine(Channels(()))
    expected = [whole.occurrence(one) for one in [*whole.feed(data), *whole.close()]]
    piecewise, names = Engine(Channels(())), []
    for at in range(0, len(data), 100):
        names += [piecewise.occurrence(one) for one in piecewise.feed(data[at : at + 100])]
    names += [piecewise.occurrence(one) for one in piecewise.close()]
    assert names == expected


LEFT = [
    b"=",
    b"~A",
    b".",
    b"A",
    b"%",
    b"\\",
    b'"',
    b"\nAAAA",
    b"=\n",
    b"\0",
    b"2026-01-15T12:00:00.000000000Z stdout F A\n",
]


@pytest.mark.parametrize("before", LEFT)
def test_nothing_is_left_of_the_stream_before(before: bytes) -> None:
    """What ends a stream is judged by its own bytes, wherever it was cut, not by what stood there
    in another one.
    """
    used = Engine(Channels(()))
    for kind, encoding in COMBINATIONS:
        token = ENCODINGS[encoding][0](KINDS[kind])
        for cut in (0, 1, 2, 17):
            data = b"x " + token[: len(token) - cut]
            run(before * (2 * len(data)), engine=used)
            assert run(data, engine=used) == run(data, engine=Engine(Channels(()))), (
                kind,
                encoding,
                cut,
            )


@settings(max_examples=60, deadline=None)
@given(data=logs(), cuts=st.lists(st.integers(0, 5000), max_size=6), capacity=st.integers(1, 4))
def test_repeats_of_tokens(data: bytes, cuts: list[int], capacity: int) -> None:
    """With tokens that were sighted, further sightings say only where they are; the rest stays as
    it is, however it is cut.
    """
    whole = run(data)
    sighted = SeenTokens(capacity)
    repeats = [sighted.again(one.sha256) for one in whole]
    ENGINE.open(mtime_ms=MTIME, sighted=SeenTokens(capacity))
    found = []
    for first, last in pairwise([0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]):
        found += ENGINE.feed(data[first:last])
    found += ENGINE.close()
    assert [one.repeat for one in found] == repeats
    assert [one for one in found if not one.repeat] == [
        one for one, again in zip(whole, repeats, strict=True) if not again
    ]
    assert [(one.sha256, one.offset, one.length) for one in found] == [
        (one.sha256, one.offset, one.length) for one in whole
    ]
