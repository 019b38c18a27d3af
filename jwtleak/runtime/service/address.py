"""Where metrics and health are served: `--metrics ADDR`.

Promises: without a host it is loopback; another interface is served only when its address is written out, never because
a name happened to resolve to it.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from jwtleak.errors import UsageError

_FORM = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:]*):)?(?P<port>[0-9]{1,5})")


class Address(NamedTuple):
    """A host that is an IP address, and a port; 0 for any that is free."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.host).is_loopback


def parse(text: str) -> Address:
    """`9464`, `:9464`, `localhost:9464`, `127.0.0.1:9464`, `[::1]:9464`, `0.0.0.0:9464`."""
    match = _FORM.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise UsageError(f"metrics: {text}: is not PORT or ADDRESS:PORT")
    host = (match["host"] or "127.0.0.1").strip("[]").replace("localhost", "127.0.0.1")
    try:
        return Address(str(ipaddress.ip_address(host)), int(match["port"]))
    except ValueError:
        raise UsageError(
            f"metrics: {host}: is not an IP address: write the address to serve on, 0.0.0.0 or [::] for all"
        ) from None
