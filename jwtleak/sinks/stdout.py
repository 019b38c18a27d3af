"""Standard output: one line for each alert, written at once.

Promises: a reader that went away is reported as `busy`, so that the alerts stay in the outbox.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from jwtleak.errors import reason_of
from jwtleak.sinks.interface import BatchLimits, Message, Report, all_accepted, failed
from jwtleak.sinks.settings import SinkSettings

USES: frozenset[str] = frozenset()


class StdoutSink:
    """Lines on file descriptor 1."""

    guarantee = "at least once into the pipe; what the reader does with it is not known"
    format = "json"
    ascii = False
    max_bytes = None
    limits = BatchLimits(1000, 1 << 20)
    only = None

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def send(self, messages: Sequence[Message]) -> Report:
        """Write the lines. After an error the complete batch is sent again."""
        # os.write and not sys.stdout: a buffer would report success before the pipe has the lines.
        data = memoryview(b"".join(message.body + b"\n" for message in messages))
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            return failed(len(messages), "busy", f"cannot write: {reason_of(error).lower()}")
        return all_accepted(len(messages), "written")

    def idle(self) -> None:
        """Nothing to check."""

    def reopen(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Standard output belongs to the process."""


def open_sink(settings: SinkSettings) -> StdoutSink:
    """The sink `stdout`."""
    return StdoutSink(sys.stdout.fileno())
