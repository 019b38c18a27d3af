"""From one file to its streams: itself if it is plain, or every member of what is packed in it.

Promises: formats are recognised by content; streams come lazily and in order; nothing is written to
disk; nothing raises but `SourceError` from a plain stream's `readinto`. What does not decode is
given as it is as well: nothing may be hidden behind a few magic bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from jwtleak.archives.budget import Budget
from jwtleak.archives.codecs import Codec
from jwtleak.archives.decompress import Decoded, skip_empty_frames
from jwtleak.archives.reader import Readable, Reader
from jwtleak.archives.sniff import Container, sniff
from jwtleak.errors import SourceError
from jwtleak.sources.interface import ArchiveLimits, ByteStream, Notice, Notify
from jwtleak.sources.local import SNIFF, FileStream
from jwtleak.sources.stdin import StdinStream
from jwtleak.types import StreamInfo

if TYPE_CHECKING:
    from jwtleak.archives.tar import Tar
    from jwtleak.archives.zip import Zip

_DEFAULT = ArchiveLimits()


def open_streams(
    source: str | FileStream | StdinStream, limits: ArchiveLimits = _DEFAULT, *, notice: Notify
) -> Iterator[ByteStream]:
    """Give the streams of a path or an open file; each is to be read (or closed) before the next is
    asked for.

    A path that cannot be opened is told as `unreadable`. The source is closed at the end.
    """
    try:
        stream = FileStream(source) if isinstance(source, str) else source
    except SourceError as error:
        notice(Notice("unreadable", error.path, None, error.reason))
        return
    with closing(stream):
        try:
            kind = sniff(stream.peek())
        except SourceError as error:
            notice(Notice("unreadable", error.path, None, error.reason))
            return
        if kind is None:
            yield stream
        else:
            yield from _Archive(stream, limits, notice).streams()


class _File:
    """The archive file itself as the lowest layer: an error of the system ends the archive, and is
    told.
    """

    def __init__(self, stream: FileStream | StdinStream, budget: Budget) -> None:
        self._stream = stream
        self._budget = budget
        self.broken = False

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`; 0 is the end or an error."""
        if self._budget.stopped:
            return 0
        try:
            count = self._stream.readinto(buffer)
        except SourceError as error:
            self._budget.stop(error.reason)
            self.broken = True
            return 0
        self._budget.taken += count
        return count


class Leaf:
    """A stream that is no archive: a member, or the content of a compressed file."""

    def __init__(self, info: StreamInfo, reader: Readable) -> None:
        self.info = info
        self._reader: Readable | None = reader

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`; 0 is the end."""
        return self._reader.readinto(buffer) if self._reader else 0

    def close(self) -> None:
        """Give nothing more."""
        self._reader = None


class _Place(msgspec.Struct, frozen=True):
    """Where in an archive: `level` counts archives inside archives, `decoded` says that a codec
    gave the bytes.
    """

    member: str | None = None
    level: int = 0
    packed: bool = False
    decoded: bool = False
    size: int | None = None
    mtime_ms: int | None = None


class _Archive:
    """One file that is unfolded, and the account of it."""

    def __init__(
        self, stream: FileStream | StdinStream, limits: ArchiveLimits, notice: Notify
    ) -> None:
        self._stream = stream
        self._info = stream.info
        self._budget = Budget(stream.info.path or "-", stream.info.size, limits, notice)
        self._second: FileStream | None = None

    def streams(self) -> Iterator[ByteStream]:
        """Every leaf; then the raw bytes, if some of them could not be decoded."""
        repeatable = isinstance(self._stream, FileStream)
        reader = Reader(_File(self._stream, self._budget), self._reopen if repeatable else None)
        try:
            yield from self._unfold(reader, _Place())
        finally:
            if self._second:
                self._second.close()
        if self._budget.damaged and isinstance(self._stream, FileStream):
            self._stream.rewind()
            yield self._stream

    def _reopen(self, offset: int) -> Readable | None:
        """The same file once more, to go up to a damage in it."""
        path = self._info.path
        try:
            stream = FileStream(path, offset) if path is not None else None
        except SourceError:
            return None
        if stream is None:
            return None
        # One at a time: only the lowest decoder can begin again, and it is done before the next is
        # made.
        if self._second:
            self._second.close()
        self._second = stream
        return _File(stream, self._budget)

    def _unfold(self, reader: Reader, place: _Place) -> Iterator[ByteStream]:
        """The leaves of a reader."""
        kind = sniff(reader.peek(SNIFF))
        # `log.tar.gz` is one archive, not an archive in an archive.
        deeper = place.level + (kind is not None and not (kind == "tar" and place.decoded))
        if kind is None:
            yield self._leaf(reader, place)
        elif deeper > self._budget.limits.max_depth:
            self._budget.tell("depth", place.member, "archives nested too deep")
            yield self._leaf(reader, place)
        elif isinstance(kind, Codec):
            yield from self._decompress(kind, reader, msgspec.structs.replace(place, level=deeper))
        else:
            yield from self._members(kind, reader, msgspec.structs.replace(place, level=deeper))

    def _decompress(self, codec: Codec, reader: Reader, place: _Place) -> Iterator[ByteStream]:
        skip_empty_frames(reader, codec)
        memory = codec.memory(reader.peek(SNIFF))
        if not reader.peek(1):
            yield self._leaf(reader, place)
        elif not self._budget.affords(memory):
            self._budget.lacks(place.member, memory)
            yield self._leaf(reader, place)
        elif not codec.decodes(reader.ahead(), memory):
            self._budget.tell("corrupt", place.member, f"begins like {codec.name} but is not")
            yield self._leaf(reader, place)
        else:
            inside = _Place(
                place.member, place.level, packed=True, decoded=True, mtime_ms=place.mtime_ms
            )
            with closing(Decoded(reader, codec, self._budget, place.member)) as decoded:
                yield from self._unfold(Reader(decoded), inside)

    def _members(self, kind: Container, reader: Reader, place: _Place) -> Iterator[ByteStream]:
        for member in _container(kind, reader, self._budget, place.member).members():
            name = f"{place.member}!{member.name}" if place.member else member.name
            packed = place.packed or member.packed
            inside = _Place(
                name, place.level, packed=packed, size=member.size, mtime_ms=member.mtime_ms
            )
            yield from self._unfold(member.reader, inside)

    def _leaf(self, reader: Reader, place: _Place) -> Leaf:
        info = self._info
        mtime = info.mtime_ms if place.mtime_ms is None else place.mtime_ms
        return Leaf(
            StreamInfo(info.source, info.path, place.member, place.size, mtime, place.packed),
            reader,
        )


def _container(kind: Container, reader: Reader, budget: Budget, member: str | None) -> Tar | Zip:
    """The container, loaded when one is met."""
    if kind == "tar":
        from jwtleak.archives.tar import Tar

        return Tar(reader, budget, member)
    from jwtleak.archives.zip import Zip

    return Zip(reader, budget, member)
