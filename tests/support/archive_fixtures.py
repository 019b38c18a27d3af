"""Archives built in memory, and the reading of them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from jwtleak.archives.unpack import open_streams
from jwtleak.sources.interface import ArchiveLimits, ByteStream, Notice
from jwtleak.types import StreamInfo

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 6),
    "bzip2": bz2.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": zstandard.compress,
    "lz4": lz4.frame.compress,
}


def make_tar(members: dict[str, bytes], layout: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of these members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=layout) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mtime = 1_700_000_000
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


class _Unseekable(io.BytesIO):
    """Makes `zipfile` write data descriptors."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_args: int) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


def make_zip(
    members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, *, streamed: bool = False
) -> bytes:
    """A zip of these members; `streamed` ones have their sizes behind the data."""
    out = _Unseekable() if streamed else io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


class Read:
    """What came of one file."""

    def __init__(self) -> None:
        self.streams: list[tuple[StreamInfo, bytes]] = []
        self.notices: list[Notice] = []

    @property
    def members(self) -> dict[str | None, bytes]:
        """Content by member name."""
        return {info.member: data for info, data in self.streams}

    @property
    def kinds(self) -> list[str]:
        """The kinds of all notices, in order."""
        return [notice.kind for notice in self.notices]

    @property
    def content(self) -> bytes:
        """The content of the only stream."""
        assert len(self.streams) == 1
        return self.streams[0][1]


def read_stream(stream: ByteStream, step: int = 1 << 19) -> bytes:
    """A stream's bytes, `step` at a time."""
    room, out = memoryview(bytearray(step)), bytearray()
    while count := stream.readinto(room):
        out += room[:count]
    return bytes(out)


def read_path(path: str, limits: ArchiveLimits | None = None, step: int = 1 << 19) -> Read:
    """All streams and notices of a path."""
    read = Read()
    for stream in open_streams(path, limits or ArchiveLimits(), notice=read.notices.append):
        read.streams.append((stream.info, read_stream(stream, step)))
    return read


@pytest.fixture(params=sorted(PACK))
def codec(request: pytest.FixtureRequest) -> str:
    """The name of a compressed format."""
    return str(request.param)


@pytest.fixture
def pack() -> Callable[[str, bytes], bytes]:
    """Compress: `pack(codec, data)`."""
    return lambda name, data: PACK[name](data)


@pytest.fixture
def tar() -> Callable[..., bytes]:
    """Build a tar: `tar({name: data}, layout)`."""
    return make_tar


@pytest.fixture
def zipped() -> Callable[..., bytes]:
    """Build a zip: `zipped({name: data}, method, streamed=...)`."""
    return make_zip


@pytest.fixture
def stream_bytes() -> Callable[..., bytes]:
    """Read a stream to its end: `stream_bytes(stream, step)`."""
    return read_stream


@pytest.fixture
def unpack(tmp_path: Path) -> Callable[..., Read]:
    """Write bytes to a file (the name says nothing) and read all its streams: `unpack(data, limits,
    step)`.
    """

    def run(data: bytes, limits: ArchiveLimits | None = None, step: int = 1 << 19) -> Read:
        path = tmp_path / "input.txt"
        path.write_bytes(data)
        return read_path(str(path), limits, step)

    return run
