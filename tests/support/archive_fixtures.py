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


def cpio_entry(name: str, data: bytes, *, checked: bool = False, **fields: int) -> bytes:
    """One member of a newc cpio, or of the crc format if `checked`. `fields` replace those of the
    header.
    """
    values = {
        "ino": 1, "mode": 0o100644, "uid": 0, "gid": 0, "nlink": 1, "mtime": 1_700_000_000,
        "filesize": len(data), "devmajor": 0, "devminor": 0, "rdevmajor": 0, "rdevminor": 0,
        "namesize": len(name.encode()) + 1, "check": sum(data) & 0xFFFFFFFF if checked else 0,
    } | fields  # fmt: skip
    head = (b"070702" if checked else b"070701") + b"".join(b"%08X" % n for n in values.values())
    head += name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def make_cpio(members: dict[str, bytes], *, checked: bool = False) -> bytes:
    """A cpio of these members, filled up to a block of 512 bytes as by the tool."""
    data = b"".join(cpio_entry(name, data, checked=checked) for name, data in members.items())
    data += cpio_entry("TRAILER!!!", b"", nlink=1, mtime=0)
    return data + bytes(-len(data) % 512)


def ar_entry(name: bytes, data: bytes, mtime: bytes = b"1700000000") -> bytes:
    """One member of an ar; `name` is at most 16 bytes."""
    head = b"%-16s%-12s%-6d%-6d%-8s%-10d`\n" % (name, mtime, 0, 0, b"100644", len(data))
    return head + data + b"\n" * (len(data) % 2)


def make_ar(members: dict[str, bytes]) -> bytes:
    """An ar of these members, as dpkg writes it: short names and no slash behind them."""
    return b"!<arch>\n" + b"".join(ar_entry(name.encode(), d) for name, d in members.items())


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
