"""Ctrl-C: an orderly end, which gives what was found; then a forced one."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any


class Interrupt:
    """Ctrl-C while files are scanned: the first asks for an orderly end; another one, or _GRACE, forces it."""

    # Seconds. Work stops within milliseconds, unless a file system hangs or nothing in a huge tree matches --include.
    _GRACE = 1.0

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self.seen = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        self._before[signal.SIGINT] = signal.signal(signal.SIGINT, self._handle)
        if hasattr(signal, "SIGALRM"):
            self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, signal.default_int_handler)

    def __exit__(self, *_: object) -> None:
        if hasattr(signal, "SIGALRM"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, *_: object) -> None:
        if self.seen:
            raise KeyboardInterrupt
        self.seen = True
        if hasattr(signal, "SIGALRM"):
            signal.setitimer(signal.ITIMER_REAL, self._GRACE)
        self._stop()
