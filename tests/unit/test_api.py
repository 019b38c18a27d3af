"""The library's door: scan, follow, redact, alert."""

from __future__ import annotations

import json

import pytest
from encodings_of_tokens import BINARY, TEXT
from hypothesis import given, settings
from hypothesis import strategies as st
from minting import NOW, jws, kinds, sha256

import jwtleak
from jwtleak.alerts.alert import to_json

TOKEN = jws()
LINE = f"2026-01-15T12:00:00Z GET /cb?access_token={TOKEN} HTTP/1.1\n".encode()


def test_the_door_is_complete() -> None:
    """Everything that is promised is there, and nothing else is made up."""
    for name in jwtleak.__all__:
        assert getattr(jwtleak, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = jwtleak.nothing  # type: ignore[attr-defined]


def test_scan() -> None:
    """`scan` gives all findings in order."""
    (one, two) = jwtleak.scan(LINE + LINE)
    assert (one.sha256, one.line, one.channel.type, one.channel.name) == (
        sha256(TOKEN),
        1,
        "url_query",
        "access_token",
    )
    assert (two.line, two.offset - one.offset) == (2, len(LINE))
    assert jwtleak.scan(b"") == []


def test_finder() -> None:
    """A finder gives what `scan` gives, piece by piece, and is ready for another stream after
    `close`.
    """
    finder = jwtleak.Finder()
    for _ in range(2):
        found = [one for at in range(0, len(LINE), 7) for one in finder.feed(LINE[at : at + 7])]
        assert found + finder.close() == jwtleak.scan(LINE)


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("encoding", {**TEXT, **BINARY})
def test_redact(kind: str, encoding: str) -> None:
    """In redacted bytes there is no token left, and nothing else is missing."""
    encoded = {**TEXT, **BINARY}[encoding][0](kinds()[kind])
    wide = next(
        (
            name
            for name in ("utf-16le", "utf-16be", "utf-32le", "utf-32be")
            if encoding.startswith(name)
        ),
        "ascii",
    )
    cleaned = jwtleak.redact("\n<<".encode(wide) + encoded + ">>\n".encode(wide))
    assert jwtleak.scan(cleaned) == []
    assert b"[JWT " + sha256(kinds()[kind])[:8].encode() + b"]" in cleaned
    assert cleaned.startswith("\n<<".encode(wide))
    assert cleaned.endswith(">>\n".encode(wide))
    # What is left of an encoding around the token, such as the JSON in base64, is short.
    assert len(cleaned) < 60


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_redacting_nothing_changes_nothing(data: bytes) -> None:
    """Bytes without a token come back as they are."""
    if not jwtleak.scan(data):
        assert jwtleak.redact(data) == data


def test_alert() -> None:
    """A finding becomes the alert that the command prints."""
    (one,) = jwtleak.scan(LINE)
    value = json.loads(to_json(jwtleak.alert(one, now=NOW, key=b"k", path="a.log", name="1" * 40)))
    assert (value["id"], value["location"]["path"], value["token"]["status"]) == (
        "1" * 40,
        "a.log",
        "live",
    )
    assert (
        json.loads(to_json(jwtleak.alert(one, now=NOW, key=b"k")))["location"]["source"] == "stdin"
    )
