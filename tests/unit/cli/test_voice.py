"""What the program says to people."""

from __future__ import annotations

import io
import sys

import pytest
from minting import jws, sha256

from jwtleak.cli import voice


@pytest.mark.parametrize(
    ("say", "sort"),
    [
        (voice.say, ""),
        (voice.error, "error: "),
        (voice.warning, "warning: "),
        (voice.hint, "hint: "),
    ],
)
def test_form(capsys, say, sort):
    """One line on standard error, with the program's name and the sort."""
    say("text")
    assert capsys.readouterr() == ("", f"jwtleak: {sort}text\n")


def test_no_control_and_no_token(capsys):
    """Control characters, line breaks and direction marks are replaced, and so is a token."""
    voice.say(f"a\x1b[31m\nb\u202e {jws()}")
    assert (
        capsys.readouterr().err == f"jwtleak: a\ufffd[31m\ufffdb\ufffd [JWT {sha256(jws())[:8]}]\n"
    )


def test_length(capsys):
    """A message ends somewhere."""
    voice.say("x" * 5000)
    assert len(capsys.readouterr().err) < 1100


def test_a_narrow_encoding(monkeypatch):
    """What the terminal cannot show is replaced."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, "ascii"))
    voice.say("\u4f60\udcff")
    sys.stderr.flush()
    assert raw.getvalue().rstrip() in (b"jwtleak: ??", b"jwtleak: ?\\ufffd")
