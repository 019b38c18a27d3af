"""Standard input, or any other descriptor that is already open: a pipe, a terminal, a file.

Promises: bytes come out as they arrive and never wait for a buffer to fill; `wait` says whether
there is anything to read, so that the runtime can finish its work when the writer pauses.
"""

from __future__ import annotations

import os
import select

from jwtleak.errors import SourceError, reason_of
from jwtleak.types import StreamInfo

# The first read decides whether this is an archive. A pipe has room for 64 KiB, so one read of this
# size gets all that is there.
_FIRST = 64 * 1024

_NAME = "standard input"

# Seconds. How long one poll of a descriptor that somebody set to non-blocking may last.
_AGAIN = 60.0


class StdinStream:
    """The bytes of a descriptor. `close` leaves it open: it belongs to whoever opened it."""

    def __init__(self, fd: int = 0) -> None:
        self._fd = fd
        self._head = b""
        self._ended = False
        self.info = StreamInfo("stdin")

    def wait(self, timeout: float) -> bool:
        """Whether `readinto` would return at once (with bytes or the end), after waiting up to
        `timeout` seconds.
        """
        # At the end a read returns at once too.
        return bool(self._head) or self._ended or self._poll(timeout)

    def _poll(self, timeout: float) -> bool:
        try:
            if not hasattr(select, "poll"):
                return bool(select.select([self._fd], [], [], timeout)[0])
            poll = select.poll()  # select() refuses descriptors above 1023
            poll.register(self._fd, select.POLLIN)
            return bool(poll.poll(timeout * 1000))
        except (OSError, ValueError) as error:
            raise SourceError(_NAME, reason_of(error)) from None

    def peek(self) -> bytes:
        """The first bytes, as many as one read returns, without using them up. Waits for them."""
        if not self._head and not self._ended:
            self._extend()
        return self._head

    def peek_more(self, timeout: float) -> bytes:
        """The bytes of `peek`, and those that arrive within `timeout` seconds: the same as before
        when none do.
        """
        if not self._ended and self._poll(timeout):
            self._extend()
        return self._head

    def _extend(self) -> None:
        room = bytearray(_FIRST)
        self._head += room[: self._read(memoryview(room))]

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
                # The flag belongs to the open file, so another process may have set it; clearing it
                # would change that process's descriptor too.
                self.wait(_AGAIN)
                continue
            except OSError as error:
                raise SourceError(_NAME, reason_of(error)) from None
            # Remembered: a terminal would wait for more after Ctrl-D.
            self._ended = count == 0
            return count

    def close(self) -> None:
        """Drop the bytes that `peek` read."""
        self._head = b""
