"""The table of containers."""

from __future__ import annotations

import subprocess
import sys

import pytest
from archive_fixtures import make_ar, make_cpio, make_tar, make_zip

from jwtleak.archives.codecs import Codec
from jwtleak.archives.interface import (
    FORMATS,
    ArchiveContainer,
    Member,
    container_of,
    load,
    may_start,
)
from jwtleak.archives.reader import Reader
from jwtleak.archives.sniff import sniff
from jwtleak.types import Channel, Context

_ONE = {
    "ar": make_ar({"a": b"a"}),
    "cpio": make_cpio({"a": b"a"}),
    "tar": make_tar({"a": b"a"}),
    "zip": make_zip({"a": b"a"}),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_row_loads_and_recognises_its_own(name: str) -> None:
    """Each row has a module with a container of its name, whose files it recognises, and no other
    row does.
    """
    container = load(name)
    assert (container.name, container.starts(_ONE[name][:512])) == (name, True)
    assert container_of(_ONE[name][:512]) is container
    assert not any(load(other).starts(_ONE[name][:512]) for other in FORMATS if other != name)


def test_every_magic_is_a_beginning() -> None:
    """Each cut of a magic number may be the beginning of an archive; text may not."""
    for row in FORMATS.values():
        for magic in row.magic:
            assert all(may_start(magic[:length]) for length in range(1, len(magic) + 1))
            assert may_start(magic + b"more")
    assert not may_start(b"127.0.0.1 - -")


def test_plain_files_load_no_module() -> None:
    """Text and noise are judged without loading a container."""
    code = (
        "import sys, random\n"
        "from jwtleak.archives.sniff import sniff\n"
        "heads = [b'GET / HTTP/1.1 200 1234\\n' * 30, b'{\"a\":1}\\n' * 99, bytes(600)]\n"
        "assert not any(map(sniff, heads + [random.Random(7).randbytes(512)]))\n"
        "names = ('tar', 'zip', 'ar', 'cpio')\n"
        "assert not [n for n in names if f'jwtleak.archives.{n}' in sys.modules]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class _Lines:
    """A container of a test: its first line is a magic, each further one a member."""

    name = "lines"
    stored = True

    def starts(self, head: bytes) -> bool:
        return head.startswith(b"#lines\n")

    def members(self, reader, budget):
        for line in reader.read().splitlines()[1:]:
            context = Context(url=line.decode(), channel=Channel("cookie", "sid"))
            yield Member(name="line", reader=Reader(_Bytes(line)), context=context)


class _Bytes:
    broken = False

    def __init__(self, data: bytes) -> None:
        self._data = data

    def readinto(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self._data))
        buffer[:count], self._data = self._data[:count], self._data[count:]
        return count


def test_the_context_of_a_member_reaches_its_stream(unpack, pack, monkeypatch) -> None:
    """What a container knows of a member is in the information of its stream, also through a
    codec between.
    """
    container: ArchiveContainer = _Lines()
    monkeypatch.setattr(
        "jwtleak.archives.unpack.sniff",
        lambda head: container if container.starts(head) else sniff(head),
    )
    for data in (b"#lines\nhttps://a/\n", pack("gzip", b"#lines\nhttps://a/\n")):
        read = unpack(data)
        ((info, content),) = read.streams
        assert content == b"https://a/"
        assert info.context == Context(url="https://a/", channel=Channel("cookie", "sid"))
    assert isinstance(sniff(pack("gzip", b"x")), Codec)
