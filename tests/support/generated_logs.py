"""Logs that hypothesis makes: tokens of every kind in every encoding among lookalikes, junk and
records that were split.
"""

from __future__ import annotations

import base64
import json
import random

from encodings_of_tokens import BINARY, TEXT
from hypothesis import strategies as st
from minting import b64, detached, jwe, jws, kinds, noise, unsecured

KINDS = list(kinds().values())
PLAIN = [
    jws(),
    jws(alg="RS256"),
    jws(alg="ES512", kid="a"),
    detached(),
    jwe(),
    jwe(alg="dir"),
    unsecured(),
    jws({"n": 1}),
]
ENCODERS = [encode for encode, _ in [*TEXT.values(), *BINARY.values()]]
LOOKALIKES = [
    b"data:application/json;base64,"
    + base64.b64encode(json.dumps({"version": 3, "sources": ["a.js"]}).encode()),
    b64({"cursor": 12, "dir": "next"}).encode(),
    b64({"alg": 1}).encode() + b".e30.c2ln",
    b"eyJ",
    b"eyJhbGci",
    b"eyJhbGciOiJIUzI1NiJ9",
    b"com.example.eyJar.ImFsZ",
    b"ZXlKV5SleU",
    b"JhbGci.iYWxn",
    b64({"user_id": 7}).encode() + b".aBcDeF." + b64(noise(20, "flask")).encode(),
]
STARTS = [
    b"2026-01-15T12:00:02.123Z ",
    b'10.0.0.1 - - [15/Jan/2026:12:00:01 +0000] "GET /cb?access_token=',
    b"Authorization: Bearer ",
    b'{"level":"info","token":"',
    b"Cookie: a=b; session=",
    b"",
    b"ghs_123_",
    b"=",
    b"%3D",
    b"\\n",
    b"Jan 15 12:00:00 web app: ",
]
ENDS = [
    b"",
    b"\n",
    b"\r\n",
    b'" 200 12\n',
    b'","time":"2026-01-15T12:00:03Z"}\n',
    b"&x=1 ",
    b". Then\n",
    b"...\n",
    b";",
    b" ",
]


def cri(token: str, at: int) -> bytes:
    """A token that containerd split over two records."""
    stamp = b"2026-01-15T12:00:00.000000000Z stdout "
    return b"".join(
        [
            b"\n",
            stamp,
            b"P x ",
            token[:at].encode(),
            b"\n",
            stamp,
            b"F ",
            token[at:].encode(),
            b"\n",
        ]
    )


def docker(token: str, at: int) -> bytes:
    """A token that Docker split over two records."""
    halves = (token[:at], token[at:] + "\n")
    rest = {"stream": "stdout", "time": "2026-01-15T12:00:00.000000000Z"}
    return (
        b"\n"
        + b"\n".join(
            json.dumps({"log": half, **rest}, separators=(",", ":")).encode() for half in halves
        )
        + b"\n"
    )


def serialised(token: str, at: int) -> bytes:
    """The JSON serialisation of a token, its members turned by `at`."""
    head, payload, signature = token.split(".")[:3]
    members = [("payload", payload), ("signature", signature), ("protected", head)]
    at %= 3
    return json.dumps(dict(members[at:] + members[:at]), indent=2 if at else None).encode()


def lines(*, plain: bool = False) -> st.SearchStrategy[bytes]:
    """One line; with `plain`, its tokens are whole and bare."""
    if plain:
        token = st.sampled_from(PLAIN).map(str.encode)
        ends = st.sampled_from([b"", b" ", b'"', b"&x=1", b", ", b"/x", b";"])
        starts = st.sampled_from([start for start in STARTS if start not in (b"\\n", b"%3D")])
        noisy = st.sampled_from(
            [b"GET / 200", b"eyJ", b"eyJhbGci", b64({"cursor": 1}).encode(), b"a.b.c", b"x=1"]
        )
        return st.one_of(noisy, st.tuples(starts, token, ends).map(b"".join))
    token = st.tuples(st.sampled_from(ENCODERS), st.sampled_from(KINDS)).map(
        lambda pair: pair[0](pair[1])
    )
    signed = [
        one for one in PLAIN if one.count(".") == 2 and ".." not in one and not one.endswith(".")
    ]
    split = st.one_of(
        st.tuples(st.sampled_from([cri, docker]), st.sampled_from(PLAIN), st.integers(1, 60)),
        st.tuples(st.just(serialised), st.sampled_from(signed), st.integers(0, 2)),
    )
    return st.one_of(
        token,
        token,
        split.map(lambda one: one[0](one[1], one[2])),
        st.sampled_from(LOOKALIKES),
        st.binary(max_size=40),
        st.integers(0, 200).map(lambda count: b"x y\n" * count),
        st.sampled_from(KINDS).flatmap(
            lambda text: st.integers(0, len(text)).map(lambda at: text[:at].encode())
        ),
        st.text('ab{}"\\=.-_%~\0', max_size=12).map(lambda text: text.encode("utf-16-le")),
    )


def logs(*, context: bool = True) -> st.SearchStrategy[bytes]:
    """A log. Without `context`, each part ends its line, so that none depends on the bytes before
    it.
    """
    start, end = st.sampled_from(STARTS), st.sampled_from(ENDS)
    part = st.tuples(start, lines(), end if context else st.just(b" \n")).map(b"".join)
    return st.lists(part, max_size=8).map(b"".join)


def mixed_log(size: int, seed: int) -> bytes:
    """At least `size` bytes of the same kind, from `seed` alone."""
    chance = random.Random(seed)
    parts: list[bytes] = []
    total = 0
    while total < size:
        middle = chance.choice(
            [
                lambda: chance.choice(ENCODERS)(jws({"n": chance.randrange(1 << 30)})),
                lambda: chance.choice(LOOKALIKES),
                lambda: cri(chance.choice(PLAIN), chance.randrange(1, 60)),
                lambda: b"word " * chance.randrange(4000),
                lambda: b"line\n" * chance.randrange(4000),
            ]
        )()
        part = chance.choice(STARTS) + middle + chance.choice(ENDS)
        parts.append(part)
        total += len(part)
    return b"".join(parts)
