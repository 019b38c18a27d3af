"""A file of lines: a batch counts as accepted when it is on disk.

Promises: mode 0600; after a rotation a new file is begun; a line that a crash cut is completed if
its alert is sent again, and ended otherwise. Nothing is ever cut off: a shipper may have read it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from jwtleak.errors import reason_of
from jwtleak.sinks.interface import BatchLimits, Message, Report, all_accepted, failed
from jwtleak.sinks.settings import SinkSettings

USES: frozenset[str] = frozenset()

# Bytes. A line is an alert in some format.
_LONGEST_LINE = 64 * 1024


class FileSink:
    """Lines in the file at `path`."""

    guarantee = "at least once: on disk (fsync) before the outbox forgets it"
    format = "json"
    ascii = False
    max_bytes = None
    # One fsync costs as much as some hundred alerts.
    limits = BatchLimits(2000, 4 << 20)
    only = None

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._torn = b""  # the last line, where it has no newline
        self._regular = True
        self._new = False

    def send(self, messages: Sequence[Message]) -> Report:
        """Append and sync."""
        try:
            descriptor = self._current()
            _write(
                descriptor,
                self._repair(messages) + b"".join(message.body + b"\n" for message in messages),
            )
            self._sync(descriptor)
        except OSError as error:
            # How much was written is unknown: `_open` reads the last line again.
            self.close()
            return failed(len(messages), "busy", f"cannot write: {reason_of(error).lower()}")
        return all_accepted(len(messages), "written and synced")

    def _sync(self, descriptor: int) -> None:
        if not self._regular:  # a pipe or a device: there is no disk to sync
            return
        os.fsync(descriptor)
        if self._new:
            # A new file's name is on disk only when its directory is (fsync(2)).
            directory = os.open(os.path.dirname(self._path) or ".", os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
            self._new = False

    def _repair(self, messages: Sequence[Message]) -> bytes:
        torn, self._torn = self._torn, b""
        if not torn:
            return b""
        # The outbox sends the batch again after a crash, the line that it cut among the first.
        whole = next((message.body for message in messages if message.body.startswith(torn)), torn)
        return whole[len(torn) :] + b"\n"

    def _current(self) -> int:
        """The descriptor of the file that the path names now."""
        # Checked for each batch: logrotate without a signal moves the file away under us.
        if self._descriptor is not None and self._moved(self._descriptor):
            self.close()
        if self._descriptor is None:
            self._open()
        assert self._descriptor is not None
        return self._descriptor

    def _moved(self, descriptor: int) -> bool:
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return True
        here = os.fstat(descriptor)
        return (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        # O_EXCL tells a new file, whose directory needs a sync, from one that was there.
        try:
            descriptor = os.open(self._path, flags | os.O_CREAT | os.O_EXCL, 0o600)
            self._new = True
        except FileExistsError:
            descriptor = os.open(self._path, flags)
        self._descriptor = descriptor
        self._regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._torn = self._last_line() if self._regular else b""

    def _last_line(self) -> bytes:
        """The bytes behind the last newline, at most the last `_LONGEST_LINE`: a longer line is not
        ours.
        """
        with open(self._path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _LONGEST_LINE))
            return file.read(_LONGEST_LINE).rpartition(b"\n")[2]

    def idle(self) -> None:
        """Nothing to check."""

    def reopen(self) -> None:
        """The file was rotated."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def open_sink(settings: SinkSettings) -> FileSink:
    """The sink `file:PATH`."""
    return FileSink(settings.address.path)
