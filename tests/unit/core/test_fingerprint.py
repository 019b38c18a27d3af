"""Names of tokens and occurrences."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st
from minting import jws, noise

from jwtleak.core.fingerprint import HEAD, Occurrences, token_sha256

SHA = token_sha256(jws().encode())


@given(st.binary(max_size=3000))
def test_fingerprints_are_sha256(data: bytes) -> None:
    """A token's fingerprint is what `sha256sum` says of it."""
    assert token_sha256(data) == hashlib.sha256(data).hexdigest()


def test_a_name_is_what_the_contract_says() -> None:
    """A name is 40 hex of a hash over the version, the head, the offset and the token: written out
    once more here.
    """
    head = noise(HEAD, "h")
    identity = hashlib.sha256(b"jwtleak/1\0" + head).digest()
    expected = hashlib.sha256(identity + b"5000:" + SHA.encode()).hexdigest()[:40]
    assert Occurrences(head).name(5000, 200, SHA) == expected


@given(st.binary(min_size=1, max_size=3000), st.binary(max_size=3000), st.data())
def test_growth_keeps_names(data: bytes, more: bytes, draw: st.DataObject) -> None:
    """A file that grows keeps the names of everything that stood in it."""
    offset = draw.draw(st.integers(0, len(data) - 1))
    length = draw.draw(st.integers(1, len(data) - offset))
    grown = data + more
    assert Occurrences(data[:HEAD]).name(offset, length, SHA) == Occurrences(grown[:HEAD]).name(
        offset, length, SHA
    )


def test_names_differ() -> None:
    """Another offset, token or file has another name."""
    one = Occurrences(noise(HEAD, "a"))
    other = Occurrences(noise(HEAD, "b"))
    names = {
        one.name(5000, 9, SHA),
        one.name(5001, 9, SHA),
        one.name(5000, 9, "0" * 64),
        other.name(5000, 9, SHA),
    }
    assert len(names) == 4


def test_names_from_an_identity() -> None:
    """Behind the head, names need only the digest of it: no byte of a log has to be kept."""
    whole = Occurrences(noise(HEAD, "h"))
    resumed = Occurrences.resumed(whole.identity)
    for offset in (HEAD - 200, HEAD, 1 << 40):
        assert resumed.name(offset, 200, SHA) == whole.name(offset, 200, SHA)


def test_behind_the_head_only_the_head_counts() -> None:
    """Behind HEAD bytes a name depends on those, the offset and the token, however long the head
    that was handed over.
    """
    data = noise(3 * HEAD, "long")
    assert Occurrences(data).name(HEAD + 5, 9, SHA) == Occurrences(data[:HEAD]).name(
        HEAD + 5, 9, SHA
    )
    assert Occurrences(data[:HEAD]).name(HEAD - 9, 9, SHA) == Occurrences(data).name(
        HEAD - 9, 9, SHA
    )
