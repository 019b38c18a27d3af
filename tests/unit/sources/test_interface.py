"""What sources promise to the runtime, and how a path or URL leads to its storage."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from jwtleak.errors import SourceError, UsageError
from jwtleak.sources import interface
from jwtleak.sources.globs import GlobFilter
from jwtleak.sources.interface import (
    ArchiveLimits,
    Entry,
    Notice,
    NoticeKind,
    Notify,
    Storage,
    StoredStream,
    list_entries,
    open_stored,
    read_head,
    record_source,
)
from jwtleak.sources.local import STORAGE, FileStream
from jwtleak.sources.stdin import StdinStream
from jwtleak.types import StreamInfo


@pytest.mark.parametrize("stream", [FileStream, StdinStream])
def test_streams_keep_the_promise(stream: type) -> None:
    """Each stream has the methods that the runtime calls."""
    for name in ("readinto", "close", "peek"):
        assert callable(getattr(stream, name))


def test_a_notice_says_what_where_and_why() -> None:
    """A notice is a frozen value; the number of bytes that were read is there where it is known."""
    notice = Notice("corrupt", "a.gz", None, "crc mismatch")
    assert notice.bytes_read is None
    with pytest.raises(AttributeError):
        notice.kind = "skipped"  # type: ignore[misc]
    assert "skipped" in get_args(NoticeKind)


def test_limits_are_bounds() -> None:
    """Every limit is finite by default."""
    limits = ArchiveLimits()
    for name in limits.__struct_fields__:
        assert 0 < getattr(limits, name) < 1 << 40


class _Drip:
    """A stored stream that returns one byte at a time."""

    def __init__(self, data: bytes, start: int) -> None:
        self.info = StreamInfo("mem", "mem://x", size=len(data))
        self._data, self._at = data, start

    def peek(self) -> bytes:
        return self._data[self._at : self._at + 512]

    def rewind(self, offset: int = 0) -> None:
        self._at = offset

    def readinto(self, buffer: memoryview) -> int:
        piece = self._data[self._at : self._at + 1]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        pass


class _Memory:
    """A storage in memory."""

    def __init__(self, **files: bytes) -> None:
        self.files = {f"mem://{name}": data for name, data in files.items()}
        self.asked: list[Sequence[str]] = []

    def list(self, urls: Sequence[str], choose: GlobFilter, notice: Notify) -> Iterator[Entry]:
        self.asked.append(urls)
        for url in urls:
            for name, data in self.files.items():
                if name.startswith(url) and choose.matches(name.removeprefix("mem://")):
                    yield Entry(name, len(data), 0)

    def open(self, url: str, start: int = 0, end: int | None = None) -> StoredStream:
        if url not in self.files:
            raise SourceError(url, "no such object")
        return _Drip(self.files[url][:end], start)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Memory]:
    """A storage for the scheme `mem`, as a row and a module would add it."""
    storage = _Memory(a=b"0123456789", b=b"b")
    module = ModuleType("jwtleak.sources.mem")
    module.STORAGE = storage  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jwtleak.sources.mem", module)
    monkeypatch.setitem(interface.STORAGES, "mem", "mem")
    interface._load.cache_clear()
    yield storage
    interface._load.cache_clear()


def test_local_files_are_a_storage(tmp_path: Path) -> None:
    """Paths go to the storage of local files, which lists and opens them."""
    storage: Storage = STORAGE
    (tmp_path / "x").write_bytes(b"0123456789")
    path = str(tmp_path / "x")
    assert [entry.path for entry in storage.list([path], GlobFilter(), pytest.fail)] == [path]
    assert [entry.size for entry in list_entries([str(tmp_path)], notice=pytest.fail)] == [10]
    stream = open_stored(path, 2, 5)
    assert isinstance(stream, FileStream)
    assert stream.readinto(memoryview(bytearray(9))) == 3
    stream.close()


def test_a_scheme_leads_to_its_storage(memory: _Memory, tmp_path: Path) -> None:
    """URLs of one scheme are listed in one call, and opened by the same storage."""
    (tmp_path / "x").write_bytes(b"x")
    named = ["mem://a", str(tmp_path), "mem://b", "mem://a"]
    found = [entry.path for entry in list_entries(named, notice=pytest.fail)]
    assert found == ["mem://a", "mem://b", str(tmp_path / "x")]
    assert memory.asked == [["mem://a", "mem://b"]]
    assert [e.path for e in list_entries(named, ["a"], notice=pytest.fail)] == ["mem://a"]
    assert read_head("mem://a", 4) == b"0123"
    assert read_head("mem://b", 4) == b"b"
    with pytest.raises(SourceError, match="no such object"):
        open_stored("mem://c")


def test_names_that_look_like_urls_are_files(
    memory: _Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`C:x` and `a://b` are names of files, and one that exists wins over a scheme."""
    monkeypatch.chdir(tmp_path)
    names = ["C:x", "s3://bucket", "mem://a"]
    for name in names:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(b"local")
    assert [entry.path for entry in list_entries(names, notice=pytest.fail)] == names
    assert [read_head(name, 9) for name in names] == [b"local"] * 3
    os.unlink("mem:/a")
    assert read_head("mem://a", 1) == b"0"


@pytest.mark.parametrize("url", ["s3://bucket/key", "://x", "nul://\0"])
def test_an_unknown_scheme_is_a_missing_path(url: str) -> None:
    """A URL whose scheme no storage has is reported as the path that it is not."""
    notices: list[Notice] = []
    assert list(list_entries([url], notice=notices.append)) == []
    reason = "embedded null byte" if "\0" in url else "no such file or directory"
    assert notices == [Notice("unreadable", url, None, reason)]
    with pytest.raises(SourceError, match=reason):
        open_stored(url)


def test_a_glob_that_means_nothing_is_refused_at_once() -> None:
    """The globs are compiled before anything is listed."""
    with pytest.raises(UsageError, match="invalid glob"):
        list_entries(["x"], ["[z-a]"], notice=pytest.fail)


def test_paths_that_name_a_record_source() -> None:
    """`-` is standard input; everything else is a path, also one that looks like a URL."""
    assert record_source("-") == "stdin:"
    for path in ("/var/log", "./-", "stdin", "s3://bucket", "*.log"):
        assert record_source(path) is None
