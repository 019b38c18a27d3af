"""From one file to its streams: itself if it is plain, or every member of what is packed in it.

    file - sniff - plain -------------------------------> the file itself
              +--- codec ------ Decoded -+
              +--- container -- members -+-> sniff again, one level deeper ... -> Leaf
    at the end, if something could not be decoded ------> the file once more, as it is

Promises: formats are recognised by content; streams come lazily and in order; nothing is written to
disk; nothing raises but `SourceError` from a plain stream's `readinto`. Bytes that do not decode
are scanned as they are as well: nothing may be hidden behind a few magic bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import msgspec

from jwtleak.archives.budget import Budget
from jwtleak.archives.codecs import Codec
from jwtleak.archives.decompress import Decoded, skip_empty_frames
from jwtleak.archives.interface import ArchiveContainer, Member
from jwtleak.archives.reader import Readable, Reader
from jwtleak.archives.sniff import is_undecided, sniff
from jwtleak.errors import SourceError
from jwtleak.sources.interface import (
    SNIFF,
    ArchiveLimits,
    ByteStream,
    Notice,
    Notify,
    StoredStream,
    open_stored,
)
from jwtleak.sources.stdin import StdinStream
from jwtleak.types import Context, StreamInfo

_DEFAULT = ArchiveLimits()

# Seconds that the beginning of standard input may wait for more. A program that writes an archive
# goes on at once; somebody who types waits for an answer.
HEAD_WAIT = 1.0


def open_streams(
    source: str | StoredStream | StdinStream, limits: ArchiveLimits = _DEFAULT, *, notice: Notify
) -> Iterator[ByteStream]:
    """The streams of a path, a URL or an open file, one after the other.

    Each is to be read (or closed) before the next is asked for. A path that cannot be opened gives
    an `unreadable` notice. The source is closed at the end.
    """
    try:
        stream = open_stored(source) if isinstance(source, str) else source
    except SourceError as error:
        notice(Notice("unreadable", error.path, None, error.reason))
        return
    with closing(stream):
        try:
            kind = sniff(_head(stream))
        except SourceError as error:
            notice(Notice("unreadable", error.path, None, error.reason))
            return
        if kind is None:
            # The file itself, so that the engine reads it without a layer in between.
            yield stream
        else:
            yield from _Archive(stream, limits, notice).streams()


def _head(stream: StoredStream | StdinStream) -> bytes:
    """The first bytes, enough to recognise a packed file by."""
    head = stream.peek()
    if isinstance(stream, StdinStream):
        # A pipe gives what one write left there, which may be less than a magic number.
        while is_undecided(head) and (more := stream.peek_more(HEAD_WAIT)) != head:
            head = more
    return head


class _File:
    """The archive file itself as the lowest layer: an error of the system ends the archive and is
    reported.
    """

    def __init__(self, stream: ByteStream, budget: Budget) -> None:
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
        self._budget.count_read(count)
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
        """Deliver nothing more; the container goes over what is left."""
        self._reader = None


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """A position in an archive: what is known of the bytes there.

    `level` counts archives inside archives. `packed`: something above decompressed them. `decoded`:
    a codec did, directly above.
    """

    budget: Budget
    level: int = 0
    packed: bool = False
    decoded: bool = False
    size: int | None = None
    mtime_ms: int | None = None
    context: Context | None = None


class _Archive:
    """One file that is unfolded, and its budget."""

    def __init__(
        self, stream: StoredStream | StdinStream, limits: ArchiveLimits, notice: Notify
    ) -> None:
        self._stream = stream
        # Standard input is the one source that comes only once.
        self._stored = None if isinstance(stream, StdinStream) else stream
        self._info = stream.info
        self._budget = Budget(stream.info.path or "-", stream.info.size, limits, notice)
        self._second: StoredStream | None = None

    def streams(self) -> Iterator[ByteStream]:
        """Every leaf; then the raw bytes, if some of them could not be decoded."""
        reader = Reader(
            _File(self._stream, self._budget), self._reopen if self._stored is not None else None
        )
        try:
            yield from self._unfold(reader, _Place(budget=self._budget, context=self._info.context))
        finally:
            if self._second is not None:
                self._second.close()
        # Offsets in the raw file differ from those in its members: a token that is found both ways
        # has two alerts, which is better than none.
        if self._budget.damaged and self._stored is not None:
            self._stored.rewind()
            yield self._stored

    def _reopen(self, offset: int) -> Readable | None:
        """The same file once more, to go up to a damage in it."""
        if self._stored is None:
            return None
        try:
            stream = self._stored.reopen(offset)
        except SourceError:
            return None
        # One at a time: only the lowest decoder can begin again, and it is done before the next is
        # made.
        if self._second is not None:
            self._second.close()
        self._second = stream
        return _File(stream, self._budget)

    def _unfold(self, reader: Reader, place: _Place) -> Iterator[ByteStream]:
        """The leaves of a reader."""
        kind = sniff(reader.peek(SNIFF))
        if kind is None:
            yield self._leaf(reader, place)
            return
        # `log.tar.gz` is one archive, not an archive in an archive.
        same = place.decoded and not isinstance(kind, Codec) and kind.stored
        level = place.level if same else place.level + 1
        # Each level costs a decoder and a copy of all bytes; beyond the bound the bytes are scanned
        # as they are, which finds what is stored without compression.
        if level > place.budget.limits.max_depth:
            place.budget.report("depth", "archives nested too deep")
            yield self._leaf(reader, place)
        elif isinstance(kind, Codec):
            yield from self._decompress(kind, reader, place, level)
        else:
            yield from self._members(kind, reader, place, level)

    def _decompress(
        self, codec: Codec, reader: Reader, place: _Place, level: int
    ) -> Iterator[ByteStream]:
        skip_empty_frames(reader, codec)
        memory = codec.memory(reader.peek(SNIFF))
        if not reader.peek(1):
            yield self._leaf(reader, place)
        elif not place.budget.affords(memory):
            place.budget.report_memory(memory)
            yield self._leaf(reader, place)
        elif not codec.decodes(reader.ahead(), memory):
            # Two bytes of magic begin one plain binary file in 65536, and an attacker's whenever
            # they like: the bytes are scanned as they are.
            place.budget.report("corrupt", f"begins like {codec.name} but is not")
            yield self._leaf(reader, place)
        else:
            # The size of what comes out is unknown; that of the packed bytes would mislead.
            inside = msgspec.structs.replace(
                place, level=level, packed=True, decoded=True, size=None
            )
            with closing(Decoded(reader, codec, place.budget)) as decoded:
                yield from self._unfold(Reader(decoded), inside)

    def _members(
        self, container: ArchiveContainer, reader: Reader, place: _Place, level: int
    ) -> Iterator[ByteStream]:
        for member in container.members(reader, place.budget):
            yield from self._unfold(member.reader, _place_of(member, place, level))

    def _leaf(self, reader: Reader, place: _Place) -> Leaf:
        info = self._info
        return Leaf(
            StreamInfo(
                source=info.source,
                path=info.path,
                member=place.budget.member,
                size=place.size,
                mtime_ms=info.mtime_ms if place.mtime_ms is None else place.mtime_ms,
                compressed=place.packed,
                context=place.context,
            ),
            reader,
        )


def _place_of(member: Member, outer: _Place, level: int) -> _Place:
    """The place of a member of a container at `outer`."""
    return _Place(
        budget=outer.budget.inside(member.name),
        level=level,
        packed=outer.packed or member.packed,
        size=member.size,
        mtime_ms=member.mtime_ms,
        # What the innermost container knows is nearest to the bytes.
        context=outer.context if member.context is None else member.context,
    )
