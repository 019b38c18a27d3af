"""Redaction while a stream is read: settled bytes are written at once, the rest after a silence.

Promises: nothing is lost: an interrupt while waiting first yields the bytes that are held,
redacted.
"""

from __future__ import annotations

from collections.abc import Iterator

from jwtleak.core.redaction import Redactor
from jwtleak.runtime.scan.stdin import InputWait

# As large as the redactor's own step.
_READ = 512 * 1024
# Not right behind the beginning of a page, where copying from the page cache is slow (see
# `core.engine`).
_OFF_PAGE = 2048

# Bytes that may begin a token wait this many seconds for what follows. Busy writers pause for
# milliseconds; a person who watches should not wait longer.
SILENCE = 1.0


def redacted(redactor: Redactor, source: InputWait) -> Iterator[bytes]:
    """Yield the stream with its tokens replaced, in pieces, which may be empty."""
    view = memoryview(bytearray(_READ + _OFF_PAGE))[_OFF_PAGE:]
    flushed = True
    while True:
        try:
            if not flushed and not source.wait(SILENCE):
                flushed = True
                yield redactor.flush()
            count = source.stream.readinto(view)
        except KeyboardInterrupt:
            yield redactor.close()
            raise
        if not count:
            break
        yield redactor.feed(view[:count])
        flushed = not redactor.pending
    yield redactor.close()
