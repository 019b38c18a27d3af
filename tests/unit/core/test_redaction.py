"""The redactor: nothing but tokens changes, no piece of one leaves early, and cuts do not
matter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise

import pytest
from encodings_of_tokens import BINARY, TEXT
from forbidden import SLICE, Checker
from generated_logs import logs
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from minting import CLAIMS, b64, jws, kinds, noise, sha256

from jwtleak.core.redaction import Redactor
from jwtleak.core.regions import LOOKAHEAD, LOOKBACK

KINDS = kinds()
ENCODINGS = {**TEXT, **BINARY}
TOKEN = jws()
NAME = f"[JWT {sha256(TOKEN)[:8]}]".encode()
LINE = b"2026-01-15T12:00:01Z web-01 GET /healthz 200 12\n"


def run(data: bytes, cuts: Iterable[int] = ()) -> bytes:
    """`data` redacted in pieces that end at `cuts`."""
    redactor = Redactor()
    return (
        b"".join(redactor.feed(data[first:last]) for first, last in pairwise([0, *cuts, len(data)]))
        + redactor.close()
    )


def placed(kind: str, encoding: str) -> bytes:
    """One token in a log."""
    wide = next(
        (
            name
            for name in ("utf-16le", "utf-16be", "utf-32le", "utf-32be")
            if encoding.startswith(name)
        ),
        "ascii",
    )
    around = LINE.decode() + "GET /cb?access_token=", '" HTTP/1.1\n' + LINE.decode()
    return around[0].encode(wide) + ENCODINGS[encoding][0](KINDS[kind]) + around[1].encode(wide)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_cuts_do_not_matter(kind: str, encoding: str) -> None:
    """Cut at any seventh byte, or at all of them, the output is the same, and the token is not in
    it.
    """
    data = placed(kind, encoding)
    whole = run(data)
    assert whole.count(f"[JWT {sha256(KINDS[kind])[:8]}]".encode()) == 1
    for cut in range(len(kind) % 7 + 1, len(data), 7):
        assert run(data, [cut]) == whole, cut
    assert run(data, range(1, len(data), 5)) == whole


@settings(max_examples=60, deadline=None)
@given(logs(), st.lists(st.integers(0, 4000), max_size=6))
def test_any_cuts_of_generated_logs(data: bytes, cuts: list[int]) -> None:
    """The same for logs of everything but JSON serialisations, cut anywhere."""
    assume(b"protected" not in data)
    assert run(data, sorted(min(cut, len(data)) for cut in cuts)) == run(data)


@given(st.binary(max_size=300), st.integers(0, 300))
def test_other_bytes_stay(data: bytes, cut: int) -> None:
    """Bytes without a token come out as they went in."""
    redactor = Redactor()
    out = (
        redactor.feed(data[:cut])
        + redactor.flush()
        + redactor.feed(data[cut:])
        + redactor.flush()
        + redactor.close()
    )
    assert redactor.count or out == data


def serialisations() -> list[str]:
    """JSON serialisations whose secret members stand before the header."""
    head, payload, signature = b64({"alg": "ES256"}), b64(CLAIMS), b64(noise(64, "s"))
    other = {"protected": b64({"alg": "RS256"}), "signature": b64(noise(256, "r"))}
    general = {
        "payload": payload,
        "signatures": [{"signature": signature, "protected": head}, other],
    }
    sealed = {
        "ciphertext": b64(noise(80, "c")),
        "iv": b64(noise(12, "i")),
        "tag": b64(noise(16, "t")),
    }
    return [
        json.dumps({"payload": payload, "protected": head, "signature": signature}),
        json.dumps({"signature": signature, "payload": payload, "protected": head}),
        json.dumps(general, indent=2),
        json.dumps(
            {
                **sealed,
                "protected": b64({"alg": "dir", "enc": "A256GCM"}),
                "encrypted_key": b64(noise(256, "k")),
            }
        ),
    ]


@pytest.mark.parametrize("written", [str, json.dumps, lambda text: json.dumps(json.dumps(text))])
@pytest.mark.parametrize("number", range(4))
def test_members_before_the_header_do_not_leave(number, written) -> None:
    """Wherever a JSON serialisation is cut, no slice of its secret members comes out."""
    text = serialisations()[number]
    checker = Checker()
    for part in text.replace(",", '"').split('"'):
        if len(part) >= 2 * SLICE and not part.startswith("eyJhbGci"):
            checker.forbid(f".{part}")
    data = LINE + b"body=" + written(text).encode() + b"\n" + LINE
    for cut in range(1, len(data), 3):
        checker.check(run(data, [cut]))
    assert b"[JWT " in run(data)


def test_a_line_leaves_when_it_is_settled() -> None:
    """All of a line but what may begin a token leaves at once; that follows with the next byte that
    ends it.
    """
    redactor = Redactor()
    assert redactor.feed(LINE) == LINE[: LINE.rindex(b"12")]
    assert redactor.pending
    assert redactor.feed(b'"') == b'12\n"'
    assert not redactor.pending
    assert redactor.feed(b"t=" + TOKEN.encode()) == b"t="
    assert redactor.feed(b"; x") == NAME + b"; "


def test_a_silence_lets_out_all_but_a_token_that_may_go_on() -> None:
    """After a silence the rest of a line leaves; a token that has begun stays, and comes out whole
    as its name.
    """
    redactor = Redactor()
    redactor.feed(LINE)
    assert redactor.flush() == b"12\n"
    half = len(TOKEN) // 2
    assert redactor.feed(b"t=" + TOKEN[:half].encode()) == b"t="
    assert redactor.flush() == b""
    assert redactor.feed(TOKEN[half:].encode()) + redactor.flush() == b""
    assert redactor.feed(b"\nnext ") == NAME + b"\nnext "
    assert redactor.count == 1


def test_close_begins_anew() -> None:
    """What is held comes out at the end, and another stream may follow."""
    redactor = Redactor()
    for _ in range(2):
        assert redactor.feed(TOKEN.encode()) == b""
        assert redactor.close() == NAME
    assert not redactor.pending


def test_memory_is_bounded() -> None:
    """Megabytes of what looks like the beginning of a token, or of JSON members, are not kept."""
    for piece in (b"eyJhbGciOiJIUzI1NiJ9.", b"A" * 64, b'"tag":"x",', b"\n"):
        redactor = Redactor()
        out = 0
        for _ in range(40):
            out += len(redactor.feed(piece * (64 * 1024 // len(piece))))
        held = len(redactor._buffer)
        assert held <= 2 * LOOKBACK + LOOKAHEAD + 512 * 1024, piece
        assert out > 0
