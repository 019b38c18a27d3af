"""What is a header, what a signature of its length says, and what hostile JSON cannot do."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from minting import SIGNATURE_BYTES, b64, jwe, noise

from jwtleak.core.jose import (
    MAX_DEPTH,
    JoseHeaders,
    decode_object,
    decode_segment,
    is_clipped_header,
    jwe_integrity,
    signature_integrity,
)


@given(st.binary(max_size=100))
def test_segments_decode_as_base64url(data: bytes) -> None:
    """With or without padding, a segment gives its bytes back."""
    assert decode_segment(b64(data).encode()) == data
    assert decode_segment(b64(data, pad=True).encode()) == data


def test_impossible_lengths_are_refused() -> None:
    """One character beyond groups of four cannot be a segment (RFC 4648 section 5)."""
    assert decode_segment(b"eyJhb") is None


@pytest.mark.parametrize("pad", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        *('{"alg":"HS256"}', '{ "alg" : "HS256" }', '{\n "alg":"x"}', '{\r\n\t"alg":"x"}'),
        *('{"typ":"JWT","alg":"none"}', '{"alg":"\\u0048S256"}'),
    ],
)
def test_headers_in_every_spelling(text: str, pad: bool) -> None:
    """A header is a JSON object with a string `alg`, however it is spelled."""
    header = JoseHeaders().decode(b64(text, pad=pad).encode())
    assert header is not None
    assert header.fields == json.loads(text)
    assert header.alg == header.fields["alg"]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "{}",
            '{"alg":1}',
            '{"alg":null}',
            '{"alg":["HS256"]}',
            '{"ALG":"HS256"}',
            '["alg"]',
            '"alg"',
        ),
        *("1", "null", "", '{"alg":"x"', '{"alg":"x"}}', "{'alg':'x'}"),
    ],
)
def test_what_is_no_header(text: str) -> None:
    """Without a string `alg` in a JSON object there is no header."""
    assert JoseHeaders().decode(b64(text).encode()) is None


def test_enc_makes_a_jwe() -> None:
    """`enc` counts only as a string."""
    headers = JoseHeaders()
    assert headers.decode(b64({"alg": "dir", "enc": "A256GCM"}).encode()).enc == "A256GCM"  # type: ignore[union-attr]
    assert headers.decode(b64({"alg": "dir", "enc": 1}).encode()).enc is None  # type: ignore[union-attr]


def test_memory_of_headers_is_bounded() -> None:
    """Headers are remembered, good and bad, up to a bound; long ones are not."""
    headers = JoseHeaders()
    for number in range(5000):
        assert headers.decode(b64({"alg": "HS256", "kid": str(number)}).encode()) is not None
    assert len(headers) <= 1024
    before = len(headers)
    assert headers.decode(b64({"alg": "x", "kid": "k" * 5000}).encode()) is not None
    assert len(headers) == before
    segment = b64({"alg": 1}).encode()
    assert headers.decode(segment) is None
    assert headers.decode(segment) is None


@pytest.mark.parametrize("alg", SIGNATURE_BYTES)
def test_lengths_of_signatures(alg: str) -> None:
    """The length that an algorithm gives is whole; one character less or more is clipped, and so is
    none.
    """
    length = len(b64(noise(SIGNATURE_BYTES[alg], alg)))
    assert signature_integrity(alg, length) == "whole"
    assert signature_integrity(alg, length - 1) == "clipped"
    assert signature_integrity(alg, length + 1) == "clipped"
    assert signature_integrity(alg, 0) == "clipped"


@pytest.mark.parametrize(
    ("bits", "length"), [(1024, 171), (2048, 342), (3072, 512), (4096, 683), (8192, 1366)]
)
def test_lengths_of_rsa(bits: int, length: int) -> None:
    """An RSA signature is as long as its modulus, for every RSA algorithm."""
    assert len(b64(bytes(bits // 8))) == length
    for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"):
        assert signature_integrity(alg, length) == "whole"


@pytest.mark.parametrize("alg", ["", "HS1", "hs256", "ES256K-R", "custom", "RS256 "])
def test_unknown_algorithms_are_odd(alg: str) -> None:
    """Of an unknown algorithm no length is right or wrong, but none at all is."""
    assert signature_integrity(alg, 17) == "odd"
    assert signature_integrity(alg, 0) == "clipped"


@pytest.mark.parametrize("enc", ["A256GCM", "A128CBC-HS256", "A256CBC-HS512"])
def test_lengths_of_jwe(enc: str) -> None:
    """The vector and the tag have the lengths that `enc` gives, and there is a ciphertext."""
    iv, text, tag = (len(part) for part in jwe(enc).split(".")[2:])
    assert jwe_integrity(enc, iv, text, tag) == "whole"
    assert jwe_integrity(enc, iv, text, tag - 1) == "odd"
    assert jwe_integrity(enc, iv + 1, text, tag) == "odd"
    assert jwe_integrity(enc, iv, 0, tag) == "odd"
    assert jwe_integrity("other", iv, text, tag) == "odd"


HEADER = b64({"alg": "HS256", "typ": "JWT"}).encode()


@pytest.mark.parametrize("cut", range(10, len(HEADER)))
def test_clipped_headers(cut: int) -> None:
    """A header that ends anywhere behind its `alg` is the beginning of one."""
    assert is_clipped_header(HEADER[:cut]) == (cut * 6 // 8 >= len('{"alg"'))


@pytest.mark.parametrize(
    "text",
    [
        '{"al',
        '{"typ":"JWT"',
        '{"alg":"x"}',
        '{"alg":"x\x01',
        '{"alg":"\ufffe',
        'x{"alg":',
        '["alg"',
        '{"alg":"x"}}',
    ],
)
def test_what_is_no_clipped_header(text: str) -> None:
    """What does not name `alg`, is closed, or is not readable text is not the beginning of a
    header.
    """
    assert not is_clipped_header(b64(text).encode())


def test_clipped_inside_a_character() -> None:
    """A header cut within a character of UTF-8 is still the beginning of one; broken UTF-8 before
    that is not.
    """
    text = '{"alg":"HS256","kid":"ключ'.encode()
    assert is_clipped_header(base64.urlsafe_b64encode(text[:-1]).rstrip(b"="))
    assert not is_clipped_header(
        base64.urlsafe_b64encode(b'{"alg":"\xff\xff HS256","k').rstrip(b"=")
    )


HOSTILE: dict[str, tuple[bytes, bool]] = {
    "depth": (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, False),
    "depth of lists": (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", False),
    "huge integer": (b'{"exp":' + b"9" * 4000 + b"}", True),
    "huger integer": (b'{"exp":' + b"9" * 100_000 + b"}", False),
    "huge float": (b'{"exp":1e999999}', True),
    "lone surrogate": (b'{"sub":"\\ud800"}', True),
    "lone surrogate as key": (b'{"\\udfff":1}', True),
    "byte order mark": (b'\xef\xbb\xbf{"sub":"x"}', True),
    "NaN": (b'{"exp":NaN}', True),
    "raw control": (b'{"sub":"a\x01b"}', True),
    "broken utf-8": (b'{"sub":"\xff\xfe"}', True),
    "duplicate keys": (b'{"exp":1,"exp":2}', True),
    "many keys": (b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(3000)) + b"}", True),
    "NUL": (b'{"sub":"\\u0000"}', True),
    "empty key": (b'{"":""}', True),
    "trailing text": (b'{"sub":"x"} x', False),
    "utf-16": ('{"sub":"x"}'.encode("utf-16"), False),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_json(name: str) -> None:
    """Hostile JSON is read where a token library reads it, refused where not, and never raises."""
    data, read = HOSTILE[name]
    assert (decode_object(b64(data).encode()) is not None) == read


def test_the_last_of_equal_keys_counts() -> None:
    """Of equal keys the last counts, as in the libraries that verify (RFC 7519 section 4)."""
    assert decode_object(b64(b'{"exp":1,"exp":2}').encode()) == {"exp": 2}


@given(st.binary(max_size=60) | st.text('{}[]":,alg01.eE+-\\u ', max_size=40).map(str.encode))
def test_no_segment_raises(data: bytes) -> None:
    """Any bytes, as a segment or encoded as one, give an object or None."""
    headers = JoseHeaders()
    for segment in (data, b64(data).encode()):
        value: Any = decode_object(segment)
        assert value is None or isinstance(value, dict)
        headers.decode(segment)
        is_clipped_header(segment)


def by_msgspec(data: bytes) -> dict[str, Any] | None:
    """The object as the project read it before orjson: the reference for every edge."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        try:
            value = json.loads(data.decode("utf-8-sig", "replace"), strict=False)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


# Edges at which JSON parsers differ: integers around 64 bits, floats out of range, what is no
# number, surrogates, control characters, bytes that are no UTF-8.
EDGES = [
    *(
        b"%d" % (sign * (1 << bits) + more)
        for sign in (1, -1)
        for bits in (53, 63, 64)
        for more in (-1, 0, 1)
    ),
    *(b"1" * 30, b"1" * 4300, b"1" * 4301, b"1e400", b"-1e400", b"1e308", b"1e-400", b"5e-324"),
    *(b"-0", b"-0.0", b"01", b"1.", b".5", b"+1", b"1E5", b"NaN", b"Infinity", b"-Infinity"),
    *(
        rb'"\ud800"',
        rb'"\udc00\ud800"',
        rb'"\ud83d\ude00"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\x00"',
        b'"\n"',
    ),
    *(
        rb'"\x"',
        rb'"\/"',
        rb'"\u0000"',
        b"[1,]",
        b'{"b":1,"b":2}',
        b"[18446744073709551616]",
        b"",
        b"1 ",
        b"1}x",
    ),
]


@pytest.mark.parametrize("value", EDGES)
@pytest.mark.parametrize("around", [b'{"a":%b}', b' {"x":[{"a":%b}]}\n', b'\xef\xbb\xbf{"a":%b}'])
def test_every_edge_reads_as_before(around: bytes, value: bytes) -> None:
    """Numbers keep their value and type, texts their characters, and the same is refused."""
    data = around % value
    assert repr(decode_object(b64(data).encode())) == repr(by_msgspec(data))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    st.binary(max_size=2),
    st.integers(0, 200),
)
@example(float("nan"), b"", 0)
def test_any_object_reads_as_before(value: object, noise: bytes, at: int) -> None:
    """The same for any object, sound or with bytes put into it."""
    data = json.dumps({"a": value}).encode()
    data = data[:at] + noise + data[at:]
    assert repr(decode_object(b64(data).encode())) == repr(by_msgspec(data))


def test_depth_is_bounded() -> None:
    """Objects and arrays nest up to MAX_DEPTH; what is deeper is no header, and nothing
    recurses.
    """
    fits = b'{"a":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"
    assert decode_object(b64(fits).encode()) is not None
    for depth in (MAX_DEPTH, 1000, 1024, 1025, 100_000):
        deep = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
        assert decode_object(b64(deep).encode()) is None


def test_an_array_of_objects_is_no_object() -> None:
    """A JSON array that begins with an object is neither a header nor a claims set."""
    assert decode_object(b64('[{"alg":"HS256"}]').encode()) is None
