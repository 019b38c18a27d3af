"""A Secret shows nothing."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from collections.abc import Callable

import msgspec
import pytest
from minting import jws

from jwtleak.secret import Secret
from jwtleak.types import Finding, PatternHit, Token

RAW = jws().encode()
SECRET = Secret(RAW)
TOKEN = Token("jws", {"alg": "HS256"}, {"sub": "jane.roe"}, "whole", 43, SECRET)


def leaks(text: str) -> bool:
    return any(RAW[at : at + 8].decode() in text for at in range(len(RAW) - 7))


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        lambda value: f"{value}",
        lambda value: f"{value!r:>40}",
        lambda value: f"{value:>9}",
        lambda value: "%s %r %a" % (value, value, value),  # noqa: UP031 - one more way out
        lambda value: str([value, {"a": value}, (value,)]),
        lambda value: ascii(value),
        lambda value: repr(vars(value)) if hasattr(value, "__dict__") else "",
        lambda value: repr(PatternHit("id.x", "title", "low", "low", (), value)),
        lambda value: repr(Token("jws", {}, None, "whole", 43, value)),
    ],
)
def test_no_way_of_showing_shows(show: Callable[[object], str]) -> None:
    """No conversion to text, direct or inside another value, holds any of the bytes."""
    assert not leaks(show(SECRET))


@pytest.mark.parametrize(
    "copied",
    [
        pickle.dumps,
        copy.copy,
        copy.deepcopy,
        json.dumps,
        msgspec.json.encode,
        msgspec.msgpack.encode,
        bytes,
        bytearray,
        iter,
    ],
)
def test_no_copy(copied: Callable[[object], object]) -> None:
    """Pickling, copying, encoding and converting are refused, with an error that says nothing of
    the value.
    """
    with pytest.raises(TypeError) as caught:
        copied(SECRET)
    assert not leaks("".join(traceback.format_exception(caught.value)))


def test_only_reveal_reveals() -> None:
    """`reveal` gives the bytes; the length is no secret."""
    assert SECRET.reveal() == RAW
    assert len(SECRET) == len(RAW)


def test_equality_and_hash() -> None:
    """Secrets compare by value, with secrets only, and have no order."""
    assert Secret(RAW) == SECRET
    assert hash(SECRET) == hash(Secret(RAW))
    assert Secret(b"other") != SECRET
    assert SECRET != RAW
    with pytest.raises(TypeError):
        Secret(b"") > SECRET  # type: ignore[operator]  # noqa: B015


def test_nothing_can_be_attached() -> None:
    """A secret has no room for a second, careless copy."""
    with pytest.raises(AttributeError):
        SECRET.note = RAW  # type: ignore[attr-defined]


def test_a_token_shows_no_claims() -> None:
    """Neither a token nor a finding shows personal claims or the raw value."""
    finding = Finding(
        token=TOKEN,
        sha256="0" * 64,
        offset=0,
        length=9,
        line=1,
        column=1,
        channel=msgspec.UNSET,
        encodings=(),
        logged_at=None,
        excerpt="",
    )  # type: ignore[arg-type]
    for text in (repr(TOKEN), repr(finding), f"{TOKEN}", str([finding])):
        assert "jane" not in text
        assert not leaks(text)
