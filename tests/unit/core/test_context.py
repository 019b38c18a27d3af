"""What is said of the place of a leak, and how much of the stream that takes."""

from __future__ import annotations

import pytest
from minting import jws, sha256
from msgspec.structs import replace

from jwtleak.core.channel import Channels
from jwtleak.core.compact import Matcher
from jwtleak.core.context import RECORD, ContextWindow, finding_at, repeat_at, wants_more
from jwtleak.core.matches import TokenMatch
from jwtleak.patterns import load_channels
from jwtleak.types import UNKNOWN_CHANNEL, Channel, Context, Finding

TOKEN = jws()
CHANNELS = Channels(load_channels())


def leak_in(text: str) -> TokenMatch:
    """The token in `text`."""
    start = text.index(TOKEN)
    found = Matcher().at(text.encode(), start, len(text))
    assert isinstance(found, TokenMatch)
    return TokenMatch(found.start, found.end, found.token)


def window_of(text: str, base: int = 0, line_start: int = 0) -> ContextWindow:
    return ContextWindow(text.encode(), base, len(text), line_start, None)


def finding_in(text: str, base: int = 0, line_start: int = 0) -> Finding:
    return finding_at(window_of(text, base, line_start), leak_in(text), sha256(TOKEN), 7, CHANNELS)


def test_a_line() -> None:
    """Line, column, offset, time, channel and excerpt are those of the token's own line."""
    first = "2026-01-15T11:00:00Z GET /?old=1\n"
    found = finding_in(
        first
        + f"2026-01-15T12:00:01Z GET /cb?access_token={TOKEN} HTTP/1.1\n2026-01-15T13:00:00Z\n",
        base=500,
    )
    assert (found.line, found.column) == (7, 43)
    assert (found.offset, found.length) == (500 + len(first) + 42, len(TOKEN))
    assert (found.channel.type, found.channel.name) == ("url_query", "access_token")
    assert found.logged_at == 1_768_478_401_000
    assert found.excerpt == f"[...]:00:01Z GET /cb?access_token=[JWT {sha256(TOKEN)[:8]}] HTTP/1.1"
    assert (found.output, found.repeat) == (None, False)


@pytest.mark.parametrize(
    ("known", "channel", "logged"),
    [
        (Context(), "url_query", 1_768_478_401_000),
        (Context(channel=Channel("cookie", "sid")), "cookie", 1_768_478_401_000),
        (Context(logged_at=5), "url_query", 5),
        (Context(channel=Channel("header", "X"), logged_at=0, host="h"), "header", 0),
    ],
)
def test_what_the_source_knows_wins(known: Context, channel: str, logged: int) -> None:
    """Channel and time are the source's where it knows them, and the text's otherwise."""
    text = f"2026-01-15T12:00:01Z GET /cb?access_token={TOKEN} HTTP/1.1\n"
    window = window_of(text)._replace(known=known)
    found = finding_at(window, leak_in(text), sha256(TOKEN), 1, CHANNELS)
    assert (found.channel.type, found.logged_at) == (channel, logged)
    assert found.excerpt.endswith("HTTP/1.1")


def test_a_line_that_began_before_the_buffer() -> None:
    """The column counts from the line's beginning, wherever that is."""
    assert finding_in(f"x {TOKEN}\n", base=1000, line_start=900).column == 103


def test_a_record() -> None:
    """A record names its stream, and may give its time behind the token."""
    found = finding_in(
        f'{{"log":"token={TOKEN}\\n","stream":"stderr","time":"2026-01-15T12:00:01Z"}}\n'
    )
    assert (found.output, found.logged_at) == ("stderr", 1_768_478_401_000)


def test_a_record_among_others_in_the_middle_of_a_stream() -> None:
    """Where a record begins before what is there, its stream is not known."""
    assert finding_in(f'{{"log":"token={TOKEN}\\n","stream":"stderr"}}\n', base=10).output is None


@pytest.mark.parametrize(
    ("before", "after", "more"),
    [
        ("GET /?token=", "\n", False),
        ("GET /?token=", " HTTP/1.1", True),
        ("GET /?token=", " " * 96, False),
        ('{"log":"token=', " " * 96, True),
        ('{"log":"token=', " " * RECORD, False),
        ('{"time":"2026-01-15T12:00:01Z","log":"token=', " " * 96, False),
    ],
)
def test_when_more_is_wanted(before: str, after: str, more: bool) -> None:
    """The rest of a line is waited for as far as an excerpt shows it, or a record may give its time
    there.
    """
    text = before + TOKEN + after
    assert wants_more(window_of(text), leak_in(text)) is more


def test_when_more_is_wanted_of_decoded_text() -> None:
    """What was decoded says by itself whether its line goes on."""
    text = f"GET /?token={TOKEN}\n"
    leak = leak_in(text)
    assert wants_more(window_of(text), replace(leak, before=b"", after=b" HTTP"))
    assert not wants_more(window_of(text), replace(leak, before=b"", after=b" HTTP\n"))


def test_a_repeat() -> None:
    """A repeat says which token and where, and nothing of its surroundings."""
    text = f"GET /?token={TOKEN} HTTP/1.1\n"
    found = repeat_at(window_of(text, base=100), leak_in(text), sha256(TOKEN))
    assert (found.repeat, found.sha256, found.offset, found.length) == (
        True,
        sha256(TOKEN),
        112,
        len(TOKEN),
    )
    assert (found.line, found.column, found.channel, found.excerpt) == (0, 0, UNKNOWN_CHANNEL, "")
