"""The titles of alerts: complete, static, fit to be shown."""

from __future__ import annotations

from itertools import product
from typing import get_args

from jwtleak.assess.verdict import title
from jwtleak.types import ChannelType, Kind, Status

SORTS = list(product(get_args(Status), get_args(Kind), get_args(ChannelType)))


def test_every_case_has_a_title() -> None:
    """Each status, kind and channel has a title of plain characters."""
    assert all(
        words.isascii() and words.isprintable() for words in (title(*sort) for sort in SORTS)
    )


def test_titles_tell_sorts_apart() -> None:
    """Different sorts of leak have different titles, so that they can be grouped by them."""
    titles = [title(*sort) for sort in SORTS]
    assert len(set(titles)) == len(titles)


def test_a_title() -> None:
    """The contract's example reads as it stands there."""
    assert title("live", "jws", "url_query") == "Live JWT in a URL query parameter"


def test_what_matters_more_than_the_status() -> None:
    """An example, a forgeable and a public token are named so, in this order."""
    assert title("live", "jws", "cookie", example=True, forgeable=True) == "Example JWT in a cookie"
    assert (
        title("expired", "jws", "cookie", forgeable=True, public=True)
        == "Forgeable JWT in a cookie"
    )
    assert title("live", "jws", "cookie", public=True) == "Public JWT in a cookie"
