"""Reading ahead: a thread unpacks the next bytes while the last ones are searched.

Promises: the same bytes, in order, and the same exceptions; memory for two buffers; no thread
before a stream has proved long. Decoders release the interpreter's lock, so a single archive keeps
two cores busy. Where every core has work already it is not used: the copy costs a few percent.
"""

from __future__ import annotations

from queue import SimpleQueue
from threading import Thread

from jwtleak.core.engine import READ_SIZE
from jwtleak.sources.interface import ByteStream

# A stream that is shorter ends before a thread would have paid for itself.
_LONG = 8 * 1024 * 1024


class ReadAhead:
    """A stream, read ahead of its reader once it is long."""

    def __init__(self, stream: ByteStream) -> None:
        self.info = stream.info
        self._stream = stream
        self._count = 0
        self._thread: Thread | None = None
        self._free: SimpleQueue[memoryview | None] = SimpleQueue()
        self._full: SimpleQueue[tuple[memoryview, int] | Exception] = SimpleQueue()
        self._ended = False

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`, at least READ_SIZE long; returns the number of bytes, 0 at the end."""
        if self._ended:
            return 0
        if self._count < _LONG:
            count = self._stream.readinto(buffer)
            self._count += count
            return count
        if self._thread is None:
            self._start()
        got = self._full.get()
        if isinstance(got, Exception):
            self._ended = True
            raise got
        view, count = got
        self._ended = count == 0
        buffer[:count] = view[:count]
        self._free.put(view)
        return count

    def _start(self) -> None:
        for _ in range(2):
            self._free.put(memoryview(bytearray(READ_SIZE)))
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (view := self._free.get()) is not None:
            try:
                count = self._stream.readinto(view)
            except Exception as error:  # of any kind: the reader would wait for ever
                self._full.put(error)
                return
            self._full.put((view, count))
            if not count:
                return

    def close(self) -> None:
        """Wait for the thread, which ends within one buffer, and close the stream."""
        if self._thread is not None:
            self._free.put(None)
            self._thread.join()
        self._stream.close()
