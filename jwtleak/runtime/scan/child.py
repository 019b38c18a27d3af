"""A forked process, and messages to and from it.

Promises: a message arrives whole or not at all; a child that is gone is an EOFError; nothing of the parent's buffers is
written twice, and nothing is printed by a child that fails.

Plain `fork` and pipes rather than `multiprocessing`: loading that takes as long as scanning 100 MB, and every scan of more
than a few megabytes would wait for it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NoReturn

import msgspec

# Bytes of a message's length, which stands before it.
_LENGTH = 4


class Ends(msgspec.Struct, frozen=True):
    """One side of a pair of pipes: descriptors to read from and to write to."""

    reading: int
    writing: int

    def send(self, message: bytes) -> None:
        """Write one message; raises OSError where nobody reads any more."""
        _write(self.writing, len(message).to_bytes(_LENGTH, "little"))
        _write(self.writing, message)

    def receive(self) -> bytes:
        """Read one message; raises EOFError where the other side is gone."""
        return _read(self.reading, int.from_bytes(_read(self.reading, _LENGTH), "little"))

    def close(self) -> None:
        """Close both."""
        os.close(self.reading)
        os.close(self.writing)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _read(descriptor: int, size: int) -> bytes:
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        count = os.readv(descriptor, [view])
        if not count:
            raise EOFError
        view = view[count:]
    return bytes(buffer)


def _pair() -> tuple[Ends, Ends]:
    """Two sides; what one writes the other reads. Neither is inherited by other programs."""
    there, near = os.pipe()
    back, far = os.pipe()
    return Ends(back, near), Ends(there, far)


class Child:
    """A process that runs `serve` with its side of the pipes, and ends with it. `others` are descriptors that only the
    parent has use for: while a copy of them is open, other children would not see the end of the parent."""

    def __init__(self, serve: Callable[[Ends], None], others: Iterable[Child] = ()) -> None:
        self.ends, far = _pair()
        self.pid = os.fork()
        if self.pid == 0:
            _live(serve, far, [self.ends, *(other.ends for other in others)])
        far.close()
        self.code: int | None = None

    def join(self) -> int:
        """Wait for its end; gives the exit status, negative for a signal."""
        if self.code is None:
            _, status = os.waitpid(self.pid, 0)
            self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def signal(self, number: int) -> None:
        """Send a signal, unless its end was seen already."""
        if self.code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def end(self) -> None:
        """End it at once; it has nothing to lose."""
        self.signal(signal.SIGKILL)
        self.ends.close()
        self.join()


def _live(serve: Callable[[Ends], None], far: Ends, copies: Iterable[Ends]) -> NoReturn:
    """The life of the child. It leaves without unwinding what the parent was doing."""
    status = 1
    try:
        for copy in copies:
            copy.close()
        serve(far)
        status = 0
    finally:
        os._exit(status)
