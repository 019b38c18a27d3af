"""The address of a sink: a parsed URL.

Promises: IPv6 hosts are in brackets; the part behind `?` are settings, not part of the address.
Refuses a URL with a user, a password or a control character, without repeating it.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from jwtleak.errors import UsageError

_SCHEME = re.compile(r"([a-z][a-z0-9]*(?:\+[a-z]+)?)(:.*)?\Z", re.DOTALL)
# Schemes that are followed by a path of this machine.
_PATHS = ("file", "syslog+unix")


class Address(msgspec.Struct, frozen=True):
    """`scheme://host:port/path`; for files and Unix sockets only the path counts. Of several hosts,
    separated by commas with their ports, `host` is the list.
    """

    scheme: str
    host: str = ""
    port: int | None = None
    path: str = ""

    @property
    def loopback(self) -> bool:
        """Whether every host is this machine, so that nobody on the network can listen."""
        hosts = [self.host]
        if "," in self.host:
            hosts = [host.rpartition(":")[0] or host for host in self.host.split(",")]
        return all(map(_is_loopback, hosts))

    @property
    def secure(self) -> bool:
        """Whether the scheme itself encrypts."""
        return self.scheme.endswith(("+https", "+tls"))

    @property
    def netloc(self) -> str:
        """`host:port` as in a URL."""
        host = f"[{self.host}]" if ":" in self.host and "," not in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def http(self) -> str:
        """`https://host:port`, or `http://...`."""
        return f"{self.scheme.partition('+')[2]}://{self.netloc}"

    def __str__(self) -> str:
        if self.scheme in _PATHS:
            return f"{self.scheme}:{self.path}"
        return (
            f"{self.scheme}://{self.netloc}{self.path}" if self.host or self.path else self.scheme
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse(url: str) -> tuple[Address, dict[str, str]]:
    """The address and the settings behind `?`. Raises UsageError."""
    where, _, query = url.partition("?")
    found = _SCHEME.match(where)
    # A control character would reach logs and metrics through the sink's title.
    if found is None or not url.isprintable():
        raise UsageError(
            "a sink is named by a URL such as file:/var/log/alerts.jsonl or syslog+tls://host:6514"
        )
    scheme, rest = found[1], (found[2] or "").removeprefix(":")
    settings = _settings(scheme, query)
    if scheme in _PATHS:
        # file:/path and file:///path are the same (RFC 8089); file://host/path is refused.
        path = unquote(rest.removeprefix("//") if rest.startswith("///") else rest)
        if not path.strip("/") or path.startswith("//"):
            raise UsageError(f"{scheme}: needs a path, as in {scheme}:/path")
        return Address(scheme, path=path), settings
    return _network(scheme, rest), settings


def _settings(scheme: str, query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise UsageError(
            f"{scheme}: what stands behind ? are settings, as in ?format=ecs&ca_file=/etc/ca.pem"
        ) from None
    # Which of the two counts would depend on the parser.
    if len(dict(pairs)) != len(pairs):
        raise UsageError(f"{scheme}: a setting is given twice")
    return dict(pairs)


def _network(scheme: str, rest: str) -> Address:
    try:
        parts = urlsplit(f"x:{rest}")  # any scheme: only the authority matters
        # A list of Kafka brokers: `hostname` and `port` would be those of the last one.
        several = "," in parts.netloc
        host, port = (parts.netloc, None) if several else (parts.hostname or "", parts.port)
    except ValueError:
        raise UsageError(
            f"{scheme}: the URL is not of the form {scheme}://host:port/path"
        ) from None
    if "@" in parts.netloc:
        raise UsageError(
            f"{scheme}: a URL must not hold credentials: "
            "use token_env, token_file or token_credential"
        )
    if parts.fragment:
        raise UsageError(f"{scheme}: a URL of a sink has no fragment")
    if scheme == "stdout" and (rest or host):
        raise UsageError("stdout: takes no address")
    if several and not scheme.startswith("kafka"):
        raise UsageError(f"{scheme}: takes one host")
    if scheme != "stdout" and not host:
        raise UsageError(f"{scheme}: the URL names no host, as in {scheme}://host:port")
    return Address(scheme, host, port, parts.path)
