"""Text as it may be shown."""

from __future__ import annotations

import pytest
from encodings_of_tokens import TEXT
from hypothesis import given, settings
from hypothesis import strategies as st
from minting import jws, kinds, sha256

from jwtleak.core.redaction import redact_text


@pytest.mark.parametrize("token", kinds().values(), ids=kinds())
def test_a_token_is_replaced(token):
    """A token of any kind in a path is replaced by its label; what stands around it stays."""
    assert redact_text(f"/srv/logs/{token}/a.log") == f"/srv/logs/[JWT {sha256(token)[:8]}]/a.log"


@pytest.mark.parametrize("encoding", TEXT)
def test_an_encoded_token_is_replaced(encoding):
    """A token in any text encoding is replaced too."""
    encode, _ = TEXT[encoding]
    assert redact_text(f"/a {encode(jws()).decode()} b") == f"/a [JWT {sha256(jws())[:8]}] b"


def test_what_is_left_of_a_token_is_masked():
    """A payload that stands alone is masked."""
    payload = jws().split(".")[1]
    assert redact_text(f"x/{payload}.gz") == "x/[...].gz"


@given(st.text())
@settings(max_examples=100)
def test_other_text_stays(text):
    """Text without a needle is given back as it is, whatever surrogates it holds."""
    if "eyJ" not in text:
        assert redact_text(text) == text


@given(st.text(), st.text())
@settings(max_examples=100)
def test_never_raises(before, after):
    """Any text around a needle, lone surrogates among it, is shown somehow."""
    assert isinstance(redact_text(f"{before}eyJ{after}"), str)


def test_surrogates():
    """Bytes of a path that are no UTF-8 survive; so does a lone surrogate of a claim, as some
    character.
    """
    assert redact_text(f"\udcff{jws()}") == f"\udcff[JWT {sha256(jws())[:8]}]"
    assert redact_text(f"\ud800 {jws()}").endswith(f" [JWT {sha256(jws())[:8]}]")
