"""Standard input: findings as soon as they are certain, not at the end of input.

Promises: a token is given out when the byte that ends it is there, or after a silence; nothing is
given out twice; an interrupt while waiting gives out what is held before it is passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from jwtleak.core.engine import Engine
from jwtleak.types import Finding

# A token that has ended waits this long for the rest of its line (its excerpt, a time at the end of
# a JSON record).
CONTEXT_WAIT = 0.02
# A token at the very end of the data waits this long for a byte that ends it.
GROWING_WAIT = 1.0


class PollableInput(Protocol):
    """A stream; 0 bytes mean its end."""

    def readinto(self, buffer: memoryview, /) -> int: ...


class InputWait(msgspec.Struct, frozen=True):
    """A stream, and a way to wait for its bytes: `wait(seconds)` says whether some have come."""

    stream: PollableInput
    wait: Callable[[float], bool]


def always(_: float) -> bool:
    """The `wait` of what is unpacked: how far its bytes have come says nothing about where a token
    in them ends.
    """
    return True


def follow(engine: Engine, source: InputWait) -> Iterator[list[Finding]]:
    """Findings in the order in which they become certain; an empty list after bytes that completed
    nothing.
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
    """Bytes read, 0 at the end, None after a silence."""
    if engine.pending is not None:
        patience = CONTEXT_WAIT if engine.pending == "context" else GROWING_WAIT
        if not source.wait(patience):
            return None
    return source.stream.readinto(engine.get_buffer())
