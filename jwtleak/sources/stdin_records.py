"""Standard input as a record source, for `tail -`.

Promises: bytes are returned as they arrive. If standard input is a file, its positions are good
after a restart as long as it is the same file: the same device, inode, first bytes and bytes before
the position. If it is a pipe or a terminal, nothing can be repeated, and `warning` says so.
Refuses: unpacking. Compressed input goes through `zcat` first.
"""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256

import msgspec

from jwtleak.errors import SourceError, reason_of
from jwtleak.sources.interface import Record
from jwtleak.types import StreamInfo

# One read: a pipe holds 64 KiB, a file is read as fast as in larger pieces.
_READ = 256 * 1024
# One poll, in bytes.
_AT_ONCE = 1024 * 1024
# Bytes that a file is recognised by, at its start and before a position. Two logs of one service
# differ in their first line, which has a time.
_SAMPLE = 1024

_KINDS = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))


class _Position(msgspec.Struct, frozen=True, array_like=True):
    """A position in a file: `at` bytes behind `start`, which is where standard input began."""

    device: int
    inode: int
    start: int
    at: int
    head: bytes  # SHA-256 of the first bytes, as many as there were before `at`, _SAMPLE at most
    tail: bytes  # SHA-256 of the bytes before `at`, _SAMPLE at most


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Position).decode


def open_records(_: str, positions: Mapping[str, bytes]) -> StdinRecords:
    """Standard input, from the stored position on if it is a file that has one. Raises SourceError
    if it is closed.
    """
    if sys.stdin is None:
        # Python started without descriptor 0. By now it may be one of the state's files.
        raise SourceError(StdinRecords.title, "is closed")
    return StdinRecords(positions)


class StdinRecords:
    """The bytes of a descriptor as records of one stream. The descriptor is not closed."""

    title = "standard input"

    def __init__(self, positions: Mapping[str, bytes], fd: int = 0) -> None:
        self._fd = fd
        self.ended = False
        # Random, so that another input never meets the sightings of this one.
        self.stream = os.urandom(16).hex()
        self._head = self._tail = b""
        self._start = self._at = 0
        self._file: os.stat_result | None = None
        try:
            self._open(positions)
        except OSError as error:
            raise SourceError(self.title, reason_of(error)) from None
        # Not a flag: a signal that comes between its check and the wait would be missed. A byte in
        # a pipe is not.
        self._woken, self._waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def _open(self, positions: Mapping[str, bytes]) -> None:
        status = os.fstat(self._fd)
        if stat.S_ISREG(status.st_mode):
            self.warning = None
            self._file = status
            # A shell may have read the first lines: `{ read line; jwtleak tail -; } < app.log`.
            self._start = os.lseek(self._fd, 0, os.SEEK_CUR)
            self._resume(positions, status)
            return
        kind = next((name for check, name in _KINDS if check(status.st_mode)), "not a file")
        if os.isatty(self._fd):
            kind = "a terminal"
        self.warning = f"standard input is {kind}: what is read before a crash cannot be read again"

    def _resume(self, positions: Mapping[str, bytes], status: os.stat_result) -> None:
        """Go to the stored position of this file, if there is one."""
        for stream, position in positions.items():
            try:
                place = _decode(position)
            except msgspec.DecodeError:
                continue  # of another version
            if (place.device, place.inode, place.start) != (
                status.st_dev,
                status.st_ino,
                self._start,
            ):
                continue
            # Device and inode are reused, and a log may be cut and written again: the bytes decide.
            # A file that is too short gives other bytes before the position.
            head = os.pread(self._fd, min(_SAMPLE, place.at), self._start)
            before = min(_SAMPLE, place.at)
            tail = os.pread(self._fd, before, self._start + place.at - before)
            if (_digest(head), _digest(tail)) == (place.head, place.tail):
                self.stream, self._at, self._head, self._tail = stream, place.at, head, tail
                os.lseek(self._fd, self._start + place.at, os.SEEK_SET)
                return

    def info(self, _: str) -> StreamInfo:
        """As `scan -` names it."""
        return StreamInfo("stdin")

    def poll(self, seconds: float) -> list[Record]:
        """A record for each read, until there is nothing to read now or enough for one poll."""
        records: list[Record] = []
        size = 0
        # More than one read: the loop commits after each poll that found a token, and a pipe gives
        # 64 KiB a read at most.
        while size < _AT_ONCE and not self.ended and self._wait(0.0 if records else seconds):
            try:
                data = self._read()
            except SourceError:
                if records:
                    break  # they must not be lost: the next poll fails as this one did
                raise
            if data is None:
                break
            if not data:
                self.ended = True
                break
            # The position of its first byte: the bytes that recognise a file are those before it.
            records.append(Record(self.stream, self._position(), data))
            size += len(data)
            self._at += len(data)
            self._head += data[: _SAMPLE - len(self._head)]
            self._tail = (self._tail + data[-_SAMPLE:])[-_SAMPLE:]
        return records

    def _read(self) -> bytes | None:
        try:
            return os.read(self._fd, _READ)
        except BlockingIOError:  # somebody else set it to non-blocking, and read what was there
            return None
        except OSError as error:
            raise SourceError(self.title, reason_of(error)) from None

    def _wait(self, seconds: float) -> bool:
        """Whether a read would return at once, after waiting up to `seconds`."""
        poll = select.poll()  # select() refuses descriptors above 1023
        poll.register(self._fd, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        # Both at once may be ready: a wake must not hide bytes, nor bytes a wake.
        ready = {fd for fd, _ in poll.poll(seconds * 1000)}
        if self._woken in ready:
            with suppress(BlockingIOError):
                os.read(self._woken, 4096)
        return self._fd in ready

    def _position(self) -> bytes:
        if self._file is None:
            return b""
        return _encode(
            _Position(
                self._file.st_dev,
                self._file.st_ino,
                self._start,
                self._at,
                _digest(self._head),
                _digest(self._tail),
            )
        )

    def commit(self, positions: Mapping[str, bytes]) -> None:
        """Nothing: neither a file nor a pipe wants to know."""

    def wake(self) -> None:
        """End the present or the next wait."""
        with suppress(BlockingIOError):  # the pipe is full of wakes
            os.write(self._waker, b"x")

    def close(self) -> None:
        """Close the pipe of `wake`."""
        for fd in (self._woken, self._waker):
            if fd >= 0:
                os.close(fd)
        self._woken = self._waker = -1


def _digest(data: bytes) -> bytes:
    return sha256(data).digest()
