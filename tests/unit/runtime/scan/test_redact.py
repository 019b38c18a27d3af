"""Redacting a stream whose writer pauses."""

from __future__ import annotations

import pytest
from minting import jws, sha256
from pauses import Script

from jwtleak.core.redaction import Redactor
from jwtleak.runtime.scan.redact import SILENCE, redacted
from jwtleak.runtime.scan.stdin import InputWait

TOKEN = jws().encode()
NAME = f"[JWT {sha256(jws())[:8]}]".encode()


def run(script: Script) -> list[bytes]:
    """The pieces that come out, without the empty ones."""
    return [part for part in redacted(Redactor(), InputWait(script, script.wait)) if part]


def test_what_is_settled_does_not_wait() -> None:
    """A piece that holds nothing of a token leaves before the next one is asked for."""
    script = Script(b"a b. ", b"c d. ")
    assert run(script) == [b"a b. ", b"c d. "]
    assert script.waits == []


def test_a_silence_lets_the_rest_out() -> None:
    """The end of a line leaves after a silence, which is waited for once."""
    script = Script(b"got 12\n", None, b"more 1\n")
    assert run(script) == [b"got ", b"12\n", b"more ", b"1\n"]
    assert script.waits == [SILENCE, SILENCE]


def test_a_token_outlasts_a_silence() -> None:
    """A token that a pause cuts comes out as one name."""
    assert run(Script(b"t=" + TOKEN[:99], None, TOKEN[99:], None, b" x. ")) == [
        b"t=",
        NAME + b" x. ",
    ]


def test_an_interrupt_lets_out_what_is_held() -> None:
    """Ctrl-C loses nothing."""
    script = Script(b"t=" + TOKEN, KeyboardInterrupt)
    parts = redacted(Redactor(), InputWait(script, script.wait))
    assert next(parts) == b"t="
    assert next(parts) == NAME
    with pytest.raises(KeyboardInterrupt):
        next(parts)
