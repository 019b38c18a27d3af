"""The words of alerts: complete, static, fit to be shown."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from jwtleak.alerts.wording import advice, references, title
from jwtleak.types import ChannelType, Kind, Status


def test_every_case_has_words() -> None:
    """Each status, kind and channel has a title, advice and a reference, of plain characters."""
    for status, kind, channel, logged in product(get_args(Status), get_args(Kind), get_args(ChannelType), (True, False, None)):
        words = [title(status, kind, channel), *advice(status, kind, channel, logged), *references(channel)]
        assert all(word and word.isascii() and word.isprintable() for word in words)
        assert advice(status, kind, channel, logged)
        assert any(one.startswith("CWE-") for one in references(channel))


def test_titles_tell_sorts_apart() -> None:
    """Different sorts of leak have different titles, so that they can be grouped by them."""
    titles = [title(*sort) for sort in product(get_args(Status), get_args(Kind), get_args(ChannelType))]
    assert len(set(titles)) == len(titles)


def test_a_title() -> None:
    """The contract's example reads as it stands there."""
    assert title("live", "jws", "url_query") == "Live JWT in a URL query parameter"


@pytest.mark.parametrize("status", ["live", "not_yet_valid", "bad_expiry", "encrypted"])
def test_what_may_work_is_to_be_revoked(status: Status) -> None:
    """Of a token that works, or may, the first advice is to revoke it."""
    assert advice(status, "jws", "cookie", None)[0].startswith("revoke")


def test_advice_by_case() -> None:
    """A token without expiry needs its key or a list; one that worked then, a look back; alg none, a verifier that refuses."""
    assert "rotate" in advice("no_expiry", "jws", "cookie", None)[0]
    assert "worked when it was logged" in advice("expired", "jws", "cookie", True)[0]
    assert len(advice("expired", "jws", "cookie", False)) == 1
    assert any("alg none" in one for one in advice("live", "unsecured", "cookie", None))
    assert not any("alg none" in one for one in advice("live", "jws", "cookie", None))


def test_references_name_the_place() -> None:
    """A token in a URL is CWE-598, one in a log CWE-532."""
    assert references("url_query")[0] == "CWE-598"
    assert references("unknown") == ("CWE-532",)
