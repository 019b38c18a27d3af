"""Messages to the service manager: sd_notify(3) without a library.

Promises: no message blocks or fails the program, whether or not somebody listens; without
NOTIFY_SOCKET nothing happens.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping

from jwtleak.core.redaction import safe_text

_MAX_STATUS = 200  # one line of `systemctl status`


class Notifier:
    """Reports the program's state. `clock` is the monotonic clock, which systemd reads too."""

    def __init__(
        self, environ: Mapping[str, str] = os.environ, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._clock = clock
        self._interval = _interval(environ)
        self._due = clock()

    def ready(self, status: str = "") -> None:
        """Work has begun, or goes on after a reload."""
        self._say("READY=1", *_status(status))

    def reloading(self) -> None:
        """The configuration is read again; `ready` follows."""
        # Type=notify-reload pairs the message with the signal by this time (sd_notify(3)).
        self._say("RELOADING=1", f"MONOTONIC_USEC={int(self._clock() * 1_000_000)}")

    def stopping(self, status: str = "") -> None:
        """The end has begun."""
        self._say("STOPPING=1", *_status(status))

    def status(self, text: str) -> None:
        """A line for `systemctl status`."""
        self._say(*_status(text))

    def alive(self) -> None:
        """The loop turns. Cheap: a message is sent only when it is due."""
        now = self._clock()
        if self._interval is not None and now >= self._due:
            self._due = now + self._interval
            self._say("WATCHDOG=1")

    def _say(self, *lines: str) -> None:
        if self._address is None or not lines:
            return
        # A manager that went away or does not read must neither delay nor end the work.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link,
        ):
            link.setblocking(False)
            link.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)


def _address(name: str) -> str | None:
    """A path or, with a leading `@`, an abstract name. None for other families (vsock), which are
    for virtual machines.
    """
    if name.startswith("@") and len(name) > 1:
        return "\0" + name[1:]
    return name if name.startswith("/") else None


def _interval(environ: Mapping[str, str]) -> float | None:
    """Half of what the manager allows, as sd_watchdog_enabled(3) advises."""
    try:
        limit = int(environ["WATCHDOG_USEC"])
        mine = int(environ.get("WATCHDOG_PID", os.getpid())) == os.getpid()
    except (KeyError, ValueError):
        return None
    # A forked child inherits the variables, but the manager watches the parent (WATCHDOG_PID).
    return limit / 2_000_000 if mine and limit > 0 else None


def _status(text: str) -> tuple[str, ...]:
    return (f"STATUS={safe_text(text, _MAX_STATUS)}",) if text else ()
