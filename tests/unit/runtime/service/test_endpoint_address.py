"""`--metrics ADDR`."""

from __future__ import annotations

import pytest

from jwtleak.errors import UsageError
from jwtleak.runtime.service.endpoint import parse


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("9464", "127.0.0.1", 9464, True),
        (":9464", "127.0.0.1", 9464, True),
        ("localhost:0", "127.0.0.1", 0, True),
        ("127.0.0.1:65535", "127.0.0.1", 65535, True),
        ("[::1]:9464", "::1", 9464, True),
        ("0.0.0.0:9464", "0.0.0.0", 9464, False),
        ("[::]:9464", "::", 9464, False),
        ("192.0.2.7:9464", "192.0.2.7", 9464, False),
    ],
)
def test_addresses(text: str, host: str, port: int, loopback: bool) -> None:
    """A port alone is loopback; any other interface is written out."""
    address = parse(text)
    assert address == (host, port)
    assert address.loopback is loopback


@pytest.mark.parametrize(
    "text",
    ["", "x", "1:2:3", "::1:9464", "65536", "127.0.0.1", "127.0.0.1:", "[::1]", "[]:1", "-1"],
)
def test_what_is_no_address(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(UsageError, match="metrics: "):
        parse(text)


@pytest.mark.parametrize("text", ["metrics.example:9464", "*:9464", "999.0.0.1:9464"])
def test_names_are_refused(text: str) -> None:
    """A name could resolve to an interface that nobody meant."""
    with pytest.raises(UsageError, match="is not an IP address"):
        parse(text)
