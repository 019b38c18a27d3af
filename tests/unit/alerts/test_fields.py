"""Strings of an attacker: cleaned, cut, without userinfo, hashed."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minting import NOW, jws
from msgspec import UNSET

from jwtleak.alerts.fields import issuer, rfc3339, subject_hash, text, texts


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://user:password@idp.test/a", "https://idp.test/a"),
        ("https://user@idp.test", "https://idp.test"),
        ("https://a@b:c@idp.test/x@y", "https://idp.test/x@y"),
        ("https://idp.test/?u=a@b", "https://idp.test/?u=a@b"),
        ("joe@example.test", "joe@example.test"),
        ("https://idp.test/", "https://idp.test/"),
        ("", ""),
        (5, UNSET),
        (None, UNSET),
        (["x"], UNSET),
    ],
)
def test_issuers_without_userinfo(value: object, expected: object) -> None:
    """A URL's user and password are left out of `iss`."""
    assert issuer(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://idp.test?u=a@b", "https://idp.test?u=a@b"),
        ("//user:word@idp.test/", "//idp.test/"),
    ],
)
def test_issuers_in_other_spellings(value: str, expected: str) -> None:
    """Only userinfo is left out, whatever stands before and behind the authority."""
    assert issuer(value) == expected


@given(st.text(max_size=50))
def test_subjects_are_hmacs(subject: str) -> None:
    """A subject is HMAC-SHA-256 under the key."""
    assert (
        subject_hash(subject, b"k")
        == hmac.new(b"k", subject.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
    )


@pytest.mark.parametrize("subject", [None, 5, ["a"], {}])
def test_what_is_no_subject(subject: object) -> None:
    """Only a string is a subject (RFC 7519 section 4.1.2)."""
    assert subject_hash(subject, b"k") is UNSET


@pytest.mark.parametrize("key", [b"", b"k", b"k" * 64, b"k" * 65, b"k" * 200])
def test_keys_of_any_length(key: bytes) -> None:
    """The HMAC is that of RFC 2104 whatever the length of the key."""
    assert subject_hash("joe", key) == hmac.digest(key, b"joe", "sha256").hex()


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (NOW * 1000 + 7, "2026-01-15T12:00:00.007Z"),
        (-1, "1970-01-01T00:00:00.000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (10**20, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_times(milliseconds: int, expected: str) -> None:
    """Times are RFC 3339 in UTC with three fraction digits, kept within the years it can write."""
    assert rfc3339(milliseconds) == expected


def test_texts_hold_no_token() -> None:
    """A token inside a claim is named by its fingerprint; what is no string is absent."""
    token = jws()
    shown = text(f"x {token} y")
    assert isinstance(shown, str)
    assert token.partition(".")[2][:8] not in shown
    assert text(5) is UNSET
    assert texts([token, "b"]) != (token, "b")
    assert texts("a b", split=True) == ("a", "b")
