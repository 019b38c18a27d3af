"""What a source of bytes promises, and the way from a path or URL to its storage.

A storage lists things that have a size and opens each at any offset: local files today. Standard
input is no storage: it has no size and can be read once, but it is a `ByteStream` as well. The
runtime reads a stream with `readinto`, straight into the engine's buffer, so that no byte is copied
twice. What cannot be read is reported through a `Notice`, never passed over in silence. A source
never writes.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cache
from itertools import chain
from typing import Literal, Protocol, TypeAlias

import msgspec

from jwtleak.sources.globs import GlobFilter
from jwtleak.types import Context, StreamInfo

# The first bytes of a file, by which an archive is recognised: long enough for every magic number,
# and for the one header block that makes a tar recognisable.
SNIFF = 512

NoticeKind: TypeAlias = Literal[
    "skipped", "unreadable", "truncated", "corrupt", "bomb", "depth", "encrypted", "unsupported"
]


class Notice(msgspec.Struct, frozen=True):
    """Something that was not read, or not whole. Every kind but `skipped` means that a leak may
    have gone unseen.

    `bytes_read` counts the decompressed bytes that were delivered before it happened, where that is
    known.
    """

    kind: NoticeKind
    path: str
    member: str | None
    reason: str
    bytes_read: int | None = None


Notify: TypeAlias = Callable[[Notice], None]


class ByteStream(Protocol):
    """One decoded byte stream: a plain file, standard input, or one member of an archive."""

    @property
    def info(self) -> StreamInfo:
        """What these bytes are, for the report."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer` from its start and return the number of bytes; 0 is the end. Raises only
        `SourceError`.
        """

    def close(self) -> None:
        """Release the stream. May be called at any time and more than once."""


class StoredStream(ByteStream, Protocol):
    """A byte stream whose bytes can be read more than once, in any order."""

    def peek(self) -> bytes:
        """The next bytes, `SNIFF` of them unless the stream is shorter, without moving on. Raises
        `SourceError`.
        """

    def rewind(self, offset: int = 0) -> None:
        """Go on from `offset`, counted from the beginning of the file. Raises `SourceError`."""

    def reopen(self, offset: int) -> StoredStream:
        """A second stream of the same bytes, from `offset` on. Raises `SourceError`."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A file of a storage: its path or URL as it is reached from what the user named, its size in
    bytes, and when it last changed.
    """

    path: str
    size: int
    mtime_ms: int


class Storage(Protocol):
    """A place that holds files."""

    def list(self, urls: Sequence[str], choose: GlobFilter, notice: Notify) -> Iterator[Entry]:
        """Every file at or below `urls` that `choose` wants, once, lazily and in a stable order.

        All URLs of the storage come in one call: only who knows all of them can leave out what two
        of them lead to. What cannot be listed gives a notice, and the rest goes on.
        """

    def open(self, url: str, start: int = 0, end: int | None = None) -> StoredStream:
        """The bytes [start, end) of a file, to its end when `end` is None. Raises `SourceError`."""


# URL scheme -> module. A module has `STORAGE`, which implements `Storage`; it is loaded when a URL
# of its scheme is met. The scheme "" is a path.
STORAGES = {"": "local"}


@cache
def _load(scheme: str) -> Storage:
    storage: Storage = importlib.import_module(f"jwtleak.sources.{STORAGES[scheme]}").STORAGE
    return storage


def _scheme_of(url: str) -> str:
    """The scheme of a URL that some storage has, and "" for everything else.

    A scheme that no storage has makes a path, and so does one that names an existing file: `a://b`
    is a legal name, and was read as such before there were schemes.
    """
    # Called for each file that is opened: a plain path costs this one search.
    scheme, separator, _ = url.partition("://")
    return scheme if separator and scheme in STORAGES and not os.path.lexists(url) else ""


def list_entries(
    urls: Iterable[str],
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    *,
    notice: Notify,
) -> Iterator[Entry]:
    """Every file at or below `urls` once, lazily; storages in the order in which they are named.

    Raises `UsageError` at once for a glob that means nothing.
    """
    # Before the first entry is asked for: a wrong glob is an error of the command line.
    choose = GlobFilter(include, exclude)
    groups: dict[str, list[str]] = {}
    for url in dict.fromkeys(urls):
        groups.setdefault(_scheme_of(url), []).append(url)
    # A storage is loaded, and asked, when the one before it is done.
    return chain.from_iterable(
        _load(scheme).list(group, choose, notice) for scheme, group in groups.items()
    )


def open_stored(url: str, start: int = 0, end: int | None = None) -> StoredStream:
    """The bytes [start, end) of the file at a path or URL. Raises `SourceError`."""
    return _load(_scheme_of(url)).open(url, start, end)


def read_head(url: str, count: int) -> bytes:
    """The first `count` bytes of a file, fewer where it is shorter. Raises `SourceError`."""
    with closing(open_stored(url, end=count)) as stream:
        head, length = bytearray(count), 0
        # A local file fills the buffer at once; what comes over a network may come in pieces.
        while length < count and (more := stream.readinto(memoryview(head)[length:])):
            length += more
        return bytes(head[:length])


class ArchiveLimits(msgspec.Struct, frozen=True):
    """How far an archive may unfold before it is called a bomb."""

    # Decompressed bytes of one archive file. At 1 GB/s this is a minute of work: larger than any
    # rotated log that is kept in one file, small enough that a hostile file cannot hold up a scan
    # for long.
    max_archive_bytes: int = 64 << 30
    # Decompressed bytes per byte of the file, which count only once 64 MiB have come out
    # (`budget.GRACE`). Deflate cannot exceed 1032; real logs stay under 100 with gzip and reach a
    # few hundred with xz, even when they repeat one line.
    max_ratio: int = 1000
    # Archives inside archives: `log.tar.gz` holding a zip that holds `x.gz` is 3. Backups of
    # backups end there.
    max_depth: int = 3
    # Memory of all decoders of one archive together: `xz -9` needs 65 MiB and `zstd -21` 64 MiB;
    # with some 45 MB for the program itself that stays under the 150 MB which one process may use
    # on hostile input.
    max_memory: int = 68 << 20


class Record(msgspec.Struct, frozen=True, gc=False):
    """A piece of a stream, with the source's own words for where it is.

    The records of one `stream` are consecutive pieces of one byte stream: a token may begin in one
    and end in the next, so a source of whole messages ends each with a newline. The name of a
    stream is at most 64 characters and unique among all sources. `position` is what `open_records`
    needs to repeat this record and all that follow, at most 1 KiB; empty if they cannot be
    repeated. `logged_at` is in Unix milliseconds. `logged_at` and `context` are what the source
    knows, and win over what the text suggests.
    """

    stream: str
    position: bytes
    data: bytes
    logged_at: int | None = None
    context: Context | None = None


class RecordSource(Protocol):
    """Records that know their own position: standard input, a journal, a message queue.

    A source that can repeat records does so after a restart, from the stored position on. It
    decides nothing about findings, keeps nothing that would be lost with the process, and is used
    by one thread.
    """

    title: str  # in the program's own words, for people
    warning: str | None  # what people must know before it is read
    ended: bool  # no record will follow those of the last `poll`

    def info(self, stream: str) -> StreamInfo:
        """What alerts say of a stream."""

    def poll(self, seconds: float) -> list[Record]:
        """Records that are there, about a megabyte at most; waits up to `seconds` for the first.

        Raises `SourceError` if the source cannot be read any more. Trouble that may pass is no
        error: the source tries again by itself and returns nothing meanwhile.
        """

    def commit(self, positions: Mapping[str, bytes]) -> None:
        """These positions are on disk, by stream: what comes before them is not asked for again."""

    def wake(self) -> None:
        """End the present or the next wait of `poll`. Safe in a signal handler."""

    def close(self) -> None:
        """Release what is open. May be called more than once."""


# Scheme -> module. A module has `open_records(url, positions) -> RecordSource`, where `positions`
# are the stored ones by stream.
_RECORD_MODULES = {"stdin": "stdin_records"}


def record_source(path: str) -> str | None:
    """The URL of the record source that `path` names; None if it names files. `-` is standard
    input.
    """
    if path == "-":
        return "stdin:"
    scheme, separator, _ = path.partition("://")
    return path if separator and scheme in _RECORD_MODULES else None


def open_records(url: str, positions: Mapping[str, bytes]) -> RecordSource:
    """The record source at `url`, which goes on from `positions`. Raises UsageError,
    SourceError.
    """
    module = importlib.import_module(f"jwtleak.sources.{_RECORD_MODULES[url.partition(':')[0]]}")
    source: RecordSource = module.open_records(url, positions)
    return source
