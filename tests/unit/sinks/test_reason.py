"""What servers say, made fit to be shown."""

from __future__ import annotations

from minting import jws

from jwtleak.secret import Secret
from jwtleak.sinks.reason import MAX_REASON, safe


def test_a_servers_echo_is_freed_of_tokens() -> None:
    """A token in a reply is replaced, also one that the cut goes through; so are long runs that
    could be a piece.
    """
    token = jws()
    payload = token.split(".")[1]
    for text in (f"bad: {token}", f"bad: {payload}", "x " * 250 + token, token * 20):
        shown = safe(text)
        assert not any(payload[at : at + 8] in shown for at in range(len(payload) - 7))


def test_the_sinks_own_credential_is_not_shown() -> None:
    """Servers repeat it: `invalid token 1234`."""
    assert safe("invalid token 11112222-3333", Secret(b"11112222-3333")) == "invalid token ***"


def test_it_is_one_short_clean_line() -> None:
    """Bounded, without line breaks, controls or invisible characters, whatever the bytes are."""
    shown = safe("<html>\r\n\t no\x1b[31m \u202eway" + " a" * 2000)
    assert len(shown) <= MAX_REASON
    assert shown.startswith("<html> no\ufffd[31m \ufffdway")
    assert safe(b"\xff\xfe not utf-8 \x00") == "\ufffd\ufffd not utf-8 \ufffd"
