"""Names as they may be shown: a path or the name of an archive member can hold a token too.

Promises: a token in a name, plain or encoded, is replaced as in an excerpt; names without one stay as they are, and
cost next to nothing.
"""

from __future__ import annotations

import os
from functools import lru_cache

from msgspec.structs import replace

from jwtleak.core.anchors import PLAIN
from jwtleak.core.channel import Channels
from jwtleak.core.engine import Engine
from jwtleak.sources.interface import Notice
from jwtleak.types import StreamInfo

# A token cannot stand where none of these does; a name holds no NUL, so the wide needles are not among them.
_NEEDLES = tuple(needle.literal.decode("ascii") for needle in PLAIN)


@lru_cache(maxsize=1)
def _engine() -> Engine:
    return Engine(Channels(()))


def shown(name: str) -> str:
    """`name` with every token in it replaced by `[JWT ` and 8 hex of its SHA-256 and `]`."""
    if not any(needle in name for needle in _NEEDLES):
        return name
    data = os.fsencode(name)
    engine = _engine()
    engine.open()
    parts, done = [], 0
    for one in engine.feed(data) + engine.close():
        parts += [data[done : one.offset], b"[JWT %b]" % one.sha256[:8].encode("ascii")]
        done = one.offset + one.length
    return os.fsdecode(b"".join([*parts, data[done:]]))


def shown_info(info: StreamInfo) -> StreamInfo:
    """`info` with names that may be shown."""
    path = info.path and shown(info.path)
    member = info.member and shown(info.member)
    return info if path == info.path and member == info.member else replace(info, path=path, member=member)


def shown_notice(notice: Notice) -> Notice:
    """`notice` with names that may be shown."""
    path, member = shown(notice.path), notice.member and shown(notice.member)
    return notice if path == notice.path and member == notice.member else replace(notice, path=path, member=member)
