"""Names of streams as they may be shown: a path or the name of an archive member can hold a token too."""

from __future__ import annotations

from msgspec.structs import replace

from jwtleak.core.shown import shown
from jwtleak.sources.interface import Notice
from jwtleak.types import StreamInfo

__all__ = ["shown", "shown_info", "shown_notice"]


def shown_info(info: StreamInfo) -> StreamInfo:
    """`info` with names that may be shown."""
    path = info.path and shown(info.path)
    member = info.member and shown(info.member)
    return info if path == info.path and member == info.member else replace(info, path=path, member=member)


def shown_notice(notice: Notice) -> Notice:
    """`notice` with names that may be shown."""
    path, member = shown(notice.path), notice.member and shown(notice.member)
    return notice if path == notice.path and member == notice.member else replace(notice, path=path, member=member)
