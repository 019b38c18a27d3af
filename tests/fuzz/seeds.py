"""Seeds and dictionary of the fuzzer, minted anew for each run: no token is kept in the repository.

Promises: the same files for the same version of the tests; nothing is written but below the folder
that is given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from encodings_of_tokens import BINARY, TEXT
from generated_logs import ENDS, LOOKALIKES, STARTS, cri, docker
from minting import b64, jws, kinds, unsecured

from jwtleak.core.anchors import PLAIN

# Bytes behind the text of an input that choose its cuts: four, at these 256ths of the text.
CUTS = bytes([3, 40, 128, 230, 4])
ESCAPES = (
    b"%2E",
    b"%252E",
    b"%3D",
    b"\\x2E",
    b"\\u002e",
    b"\\\\u002e",
    b"&#46;",
    b"&#x2E;",
    b"=2E",
    b"=3D",
    b"=\r\n",
    b".\n",
    b"\\/",
    b"\\n",
    b"&quot;",
    b"%22",
    b"\n",
    b"\r\n",
    b"\0",
    b".",
    b"..",
    b"~",
    b"=",
    b"==",
    b"...",
    b"*",
    b"|",
    b"\xff\xfe",
)
WORDS = (
    b'"payload":"',
    b'"protected":"',
    b'"signature":"',
    b'"signatures":[{',
    b'{"log":"',
    b'","stream":"stdout"',
    b"2026-01-15T12:00:00.000000000Z stdout P ",
    b"2026-01-15T12:00:00.000000000Z stdout F ",
    b"access_token=",
    b"Authorization: Bearer ",
    b"Cookie: a=",
    b'"ts":1768478400',
    b"<13>1 ",
    b"Jan 15 12:00:00 ",
    b"[15/Jan/2026:12:00:01 +0000]",
)


def encoded_tokens() -> Iterator[bytes]:
    """Every kind in every encoding."""
    for token in kinds().values():
        for encode, _ in (TEXT | BINARY).values():
            yield encode(token)


def inputs() -> Iterator[bytes]:
    """Every kind in every encoding among neighbours, records that were split, short tokens,
    lookalikes.
    """
    for number, encoded in enumerate(encoded_tokens()):
        yield STARTS[number % len(STARTS)] + encoded + ENDS[number % len(ENDS)]
    for split in (cri, docker):
        for at in (3, 25, 60):
            yield split(jws(), at)
    for short in (
        b64({"alg": "none"}) + ".e30.",
        unsecured({"a": 1}),
        jws({}),
        b64({"alg": "x"}) + ".YQ.YQ",
    ):
        yield short.encode()
        yield f'{{"payload":"e30","protected":"{short.split(".")[0]}","signature":"YQ"}}'.encode()
    yield from LOOKALIKES


def write_corpus(folder: Path) -> None:
    """One file for each input, named by its content."""
    folder.mkdir(parents=True, exist_ok=True)
    for text in inputs():
        data = text + CUTS
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def dictionary() -> str:
    """Needles, escapes and words of log lines, as libFuzzer reads them."""
    header = b64({"alg": "HS256"}).encode()
    literals = [needle.literal for needle in PLAIN] + [
        header,
        b64({"alg": "none"}).encode(),
        *ESCAPES,
        *WORDS,
    ]
    return "".join('"' + "".join(f"\\x{byte:02x}" for byte in one) + '"\n' for one in literals)
