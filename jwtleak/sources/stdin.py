"""Standard input, or any other descriptor that is already open: a pipe, a terminal, a file.

Promises: bytes are given as they arrive, never held back to fill a buffer; `wait` says whether
there is anything to read, so that the runtime can finish what it has when the writer pauses.
"""

from __future__ import annotations

import os
import select

from jwtleak.errors import SourceError, reason_of
from jwtleak.types import StreamInfo

# The first read decides whether this is an archive. A pipe holds 64 KiB, so this takes what one
# write left there.
_FIRST = 64 * 1024

_NAME = "standard input"

# A descriptor that somebody set to non-blocking is asked again this often at the latest, in
# seconds.
_AGAIN = 60.0


class StdinStream:
    """The bytes of a descriptor. It is not closed: it belongs to whoever opened it."""

    def __init__(self, fd: int = 0) -> None:
        self._fd = fd
        self._head = b""
        self._ended = False
        self.info = StreamInfo("stdin")

    def wait(self, timeout: float) -> bool:
        """Whether `readinto` would return at once (with bytes or the end), after waiting up to
        `timeout` seconds.
        """
        if self._head or self._ended:
            return True
        try:
            if not hasattr(select, "poll"):
                return bool(select.select([self._fd], [], [], timeout)[0])
            poll = select.poll()  # select() refuses descriptors above 1023
            poll.register(self._fd, select.POLLIN)
            return bool(poll.poll(timeout * 1000))
        except (OSError, ValueError) as error:
            raise SourceError(_NAME, reason_of(error)) from None

    def peek(self) -> bytes:
        """The first bytes, as many as the first read gives, without using them up. Waits for them."""
        if not self._head and not self._ended:
            room = bytearray(_FIRST)
            self._head = bytes(room[: self._read(memoryview(room))])
        return self._head

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer` with what is there, waiting for the first byte; 0 is the end."""
        if not self._head:
            return self._read(buffer)
        count = min(len(self._head), len(buffer))
        buffer[:count] = self._head[:count]
        self._head = self._head[count:]
        return count

    def _read(self, buffer: memoryview) -> int:
        if self._ended or not len(buffer):
            return 0
        while True:
            try:
                count = os.readv(self._fd, [buffer])
            except BlockingIOError:
                self.wait(_AGAIN)
                continue
            except OSError as error:
                raise SourceError(_NAME, reason_of(error)) from None
            self._ended = count == 0
            return count

    def close(self) -> None:
        """Drop what was read ahead."""
        self._head = b""
