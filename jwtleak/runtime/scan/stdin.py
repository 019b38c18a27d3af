"""Standard input: findings as soon as they are certain, not at the end of input.

Promises: a token is reported when the byte that ends it has been read, or after a silence; nothing
is reported twice; an interrupt while waiting first yields the findings that are held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from jwtleak.core.engine import Engine
from jwtleak.types import Finding

# Seconds that a complete token waits for the rest of its line: its excerpt, and a time at the end
# of a JSON record.
CONTEXT_WAIT = 0.02
# Seconds that a token at the very end of the data waits for a byte that ends it.
GROWING_WAIT = 1.0


class PollableInput(Protocol):
    """A stream; reading 0 bytes means its end."""

    def readinto(self, buffer: memoryview, /) -> int: ...


class InputWait(msgspec.Struct, frozen=True):
    """A stream and its wait: `wait(seconds)` returns whether bytes have come by then."""

    stream: PollableInput
    wait: Callable[[float], bool]


def always(_: float) -> bool:
    """The `wait` of an unpacked stream: when its bytes arrive depends on the blocks of the codec
    and says nothing about where a token ends, so no silence counts.
    """
    return True


def follow(engine: Engine, source: InputWait) -> Iterator[list[Finding]]:
    """Yield findings in the order in which they become certain; an empty list after bytes that
    completed none.
    """
    while True:
        try:
            count = _more(engine, source)
        except KeyboardInterrupt:
            yield engine.close()
            raise
        if count == 0:
            break
        yield engine.settle() if count is None else engine.buffer_updated(count)
    yield engine.close()


def _more(engine: Engine, source: InputWait) -> int | None:
    """Returns the bytes read, 0 at the end, None after a silence."""
    if engine.pending is not None:
        patience = CONTEXT_WAIT if engine.pending == "context" else GROWING_WAIT
        if not source.wait(patience):
            return None
    return source.stream.readinto(engine.get_buffer())
