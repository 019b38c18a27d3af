"""What sources promise to the runtime."""

from __future__ import annotations

from typing import get_args

import pytest

from jwtleak.sources.interface import ArchiveLimits, Notice, NoticeKind
from jwtleak.sources.local import FileStream
from jwtleak.sources.stdin import StdinStream


@pytest.mark.parametrize("stream", [FileStream, StdinStream])
def test_streams_keep_the_promise(stream: type) -> None:
    """Each stream has what the runtime asks for."""
    for name in ("readinto", "close"):
        assert callable(getattr(stream, name))


def test_a_notice_says_what_where_and_why() -> None:
    """A notice is a frozen value; the bytes that were read are given where they are known."""
    notice = Notice("corrupt", "a.gz", None, "crc mismatch")
    assert notice.bytes_read is None
    with pytest.raises(AttributeError):
        notice.kind = "skipped"  # type: ignore[misc]
    assert "skipped" in get_args(NoticeKind)


def test_limits_are_bounds() -> None:
    """Every limit is finite by default."""
    limits = ArchiveLimits()
    for name in limits.__struct_fields__:
        assert 0 < getattr(limits, name) < 1 << 40
