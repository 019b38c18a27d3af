"""What a file is, by its first bytes and never by its name.

Promises: pure; no bytes raise; plain text costs a few comparisons. Codecs and containers are rows
of their tables (`codecs.CODECS`, `interface.FORMATS`); a new one needs nothing here.
"""

from __future__ import annotations

from jwtleak.archives import codecs
from jwtleak.archives import interface as containers
from jwtleak.archives.codecs import CODECS, ZSTD, Codec, is_skippable
from jwtleak.archives.interface import ArchiveContainer
from jwtleak.sources.interface import SNIFF

# Formats by their first byte: plain text costs one lookup.
_BY_FIRST: dict[int, list[Codec]] = {}
for _codec in CODECS:
    _BY_FIRST.setdefault(_codec.magic[0], []).append(_codec)

# The name of the first member begins a tar, and is the first 100 bytes of its header.
_TAR_NAME = 100


def sniff(head: bytes) -> Codec | ArchiveContainer | None:
    """The format that begins with `head` (`SNIFF` bytes suffice), or None for anything else."""
    if not head:
        return None
    # Codecs first: a compressed log is the most frequent archive by far.
    for codec in _BY_FIRST.get(head[0], ()):
        if head.startswith(codec.magic):
            return codec
    if is_skippable(head):
        return _after_skippable(head)
    return containers.container_of(head)


def is_undecided(head: bytes) -> bool:
    """Whether more bytes may turn `head`, which is a cut beginning, into a packed file.

    A pipe may deliver the first bytes of an archive one by one. Text must not wait for more than it
    has: a line feed decides it, and so do more printable bytes than a tar's first name has room
    for.
    """
    if not head or len(head) >= SNIFF or sniff(head) is not None:
        return False
    if codecs.may_start(head) or containers.may_start(head):
        return True
    # Only a tar is left, which begins with a name and then NUL bytes: no line feed, and no more
    # than a name before the first NUL.
    return b"\n" not in head and (len(head) <= _TAR_NAME or b"\0" in head)


def _after_skippable(head: bytes) -> Codec:
    """The format behind frames without content. If `head` ends before it, it counts as zstd,
    whose tools write such frames.
    """
    while is_skippable(head):
        # Its length follows the magic, so the next frame is found without decoding.
        head = head[8 + int.from_bytes(head[4:8], "little") :]
    return next(
        (codec for codec in CODECS if codec.skippable and head.startswith(codec.magic)), ZSTD
    )
