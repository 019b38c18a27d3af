"""What a stream is, by its first bytes and never by its name."""

from __future__ import annotations

from typing import Literal

from jwtleak.archives.codecs import CODECS, ZSTD, Codec
from jwtleak.archives.tar import BLOCK, parse_header
from jwtleak.archives.zip import looks_like_zip

Container = Literal["tar", "zip"]

_BY_FIRST = {codec.magic[0]: codec for codec in CODECS}


def sniff(head: bytes) -> Codec | Container | None:
    """The format that begins with `head` (`files.SNIFF` bytes suffice), or None for anything else."""
    if not head:
        return None
    codec = _BY_FIRST.get(head[0])
    if codec and head.startswith(codec.magic):
        return codec
    if ZSTD.starts(head):
        return _after_skippable(head)
    if looks_like_zip(head):
        return "zip"
    tar = parse_header(head[:BLOCK])
    return "tar" if tar and tar.name else None


def _after_skippable(head: bytes) -> Codec:
    """The format behind frames without content; zstd, whose tools write those, when that is not
    seen.
    """
    while ZSTD.starts(head) and not head.startswith(ZSTD.magic):
        head = head[8 + int.from_bytes(head[4:8], "little") :]
    return next(
        (codec for codec in CODECS if codec.skippable and head.startswith(codec.magic)), ZSTD
    )
