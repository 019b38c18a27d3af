"""Reading regular files."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from jwtleak.errors import SourceError
from jwtleak.sources import local
from jwtleak.sources.local import FileStream


@pytest.fixture
def digits(tmp_path: Path) -> str:
    """A file of ten bytes."""
    (tmp_path / "digits").write_bytes(b"0123456789")
    return str(tmp_path / "digits")


@pytest.mark.parametrize(
    ("start", "end", "expected"), [(0, None, b"0123456789"), (3, 7, b"3456"), (8, 99, b"89")]
)
def test_ranges(digits: str, stream_bytes, start, end, expected):
    """A range gives its bytes, whatever the size of a read."""
    for step in (1, 3, 100):
        stream = FileStream(digits, start, end)
        assert stream_bytes(stream, step) == expected
        stream.close()


def test_peek_does_not_move(digits: str, stream_bytes):
    """Looking ahead uses nothing up, and a rewound file begins again."""
    stream = FileStream(digits, 2)
    assert stream.peek() == b"23456789"
    assert stream_bytes(stream) == b"23456789"
    stream.rewind()
    assert stream_bytes(stream) == b"0123456789"
    assert stream.position == 10
    stream.close()
    stream.close()


def test_info(digits: str):
    """A file's information is that of the open file."""
    os.utime(digits, ns=(0, 5_000_000))
    stream = FileStream(digits)
    assert (stream.info.path, stream.info.size, stream.info.mtime_ms) == (digits, 10, 5)
    stream.close()


@pytest.mark.parametrize("kind", ["pipe", "directory", "missing", "nul"])
def test_only_regular_files(tmp_path: Path, kind: str):
    """Pipes and directories are refused without waiting, and what cannot be opened is a
    `SourceError`.
    """
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    path = "nul\0" if kind == "nul" else str(tmp_path / kind)
    with pytest.raises(SourceError):
        FileStream(path)


def test_shrinking_file_ends(digits: str):
    """A file that was cut while it was read simply ends."""
    stream = FileStream(digits)
    assert stream.readinto(memoryview(bytearray(4))) == 4
    os.truncate(digits, 2)
    assert stream.readinto(memoryview(bytearray(4))) == 0
    stream.close()


def test_read_error(digits: str, monkeypatch: pytest.MonkeyPatch):
    """An error of the disk is a `SourceError` with the system's reason."""
    stream = FileStream(digits)

    def failing(*_args: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "readv", failing)
    monkeypatch.setattr(os, "pread", failing)
    with pytest.raises(SourceError, match="input/output error"):
        stream.readinto(memoryview(bytearray(4)))
    with pytest.raises(SourceError, match="input/output error"):
        stream.peek()
    stream.close()


def test_noatime_refused(digits: str, monkeypatch: pytest.MonkeyPatch, stream_bytes):
    """Where reading without a trace is not permitted the file is read all the same."""
    real = os.open

    def refusing(path: str, flags: int) -> int:
        if flags & 0o1000000:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        return real(path, flags)

    monkeypatch.setattr(local, "_noatime", 0o1000000)
    monkeypatch.setattr(os, "open", refusing)
    stream = FileStream(digits)
    assert stream_bytes(stream) == b"0123456789"
    assert local._noatime == 0
    stream.close()


def test_identity(digits: str):
    """What a file is known by: where it lies, its size and time, and a digest of its beginning."""
    found = os.stat(digits)
    identity = local.identify(digits, 4)
    head = hashlib.sha256(b"0123").digest()
    assert identity == local.Identity(found.st_dev, found.st_ino, 10, found.st_mtime_ns, head)
    assert local.identify(digits, 99).head == hashlib.sha256(b"0123456789").digest()
    with pytest.raises(SourceError, match="no such file"):
        local.identify(digits + "x", 4)
