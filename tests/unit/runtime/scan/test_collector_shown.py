"""Names of streams as they may be shown."""

from __future__ import annotations

from minting import jws, sha256

from jwtleak.runtime.scan.collector import safe_info, safe_notice
from jwtleak.sources.interface import Notice
from jwtleak.types import StreamInfo

LABEL = f"[JWT {sha256(jws())[:8]}]"


def test_info():
    """A token in the path or in the member's name is replaced; other names stay the same object."""
    info = StreamInfo("file", f"a/{jws()}", f"b/{jws()}")
    assert safe_info(info) == StreamInfo("file", f"a/{LABEL}", f"b/{LABEL}")
    plain = StreamInfo("stdin")
    assert safe_info(plain) is plain


def test_notice():
    """The same for a notice."""
    notice = Notice("corrupt", f"a/{jws()}", f"b/{jws()}", "why")
    assert safe_notice(notice) == Notice("corrupt", f"a/{LABEL}", f"b/{LABEL}", "why")
    plain = Notice("corrupt", "a", None, "why")
    assert safe_notice(plain) is plain
