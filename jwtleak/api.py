"""The library: find, follow and redact tokens in bytes.

Promises: typed; no I/O but reading the pattern files that come with the package, once; findings
never show a token.
"""

from __future__ import annotations

from functools import lru_cache

from jwtleak.alerts.alert import Alert
from jwtleak.alerts.builder import AlertContext, Builder
from jwtleak.core.channel import Channels
from jwtleak.core.engine import Engine
from jwtleak.core.redaction import Redactor
from jwtleak.patterns import builtin_channels, load_tables
from jwtleak.types import Finding, StreamInfo

__all__ = ["Finder", "Finding", "Redactor", "alert", "redact", "scan"]


@lru_cache(maxsize=1)
def _channels() -> Channels:
    return Channels(builtin_channels)


class Finder:
    """Finds tokens in one stream of bytes that comes in pieces of any size."""

    def __init__(self) -> None:
        self._engine = Engine(_channels())

    def feed(self, data: bytes) -> list[Finding]:
        """The findings that `data` completes, in order."""
        return self._engine.feed(data)

    def close(self) -> list[Finding]:
        """The findings that only the end of the stream completes. The finder is then ready for
        another stream.
        """
        findings = self._engine.close()
        self._engine.open()
        return findings


def scan(data: bytes) -> list[Finding]:
    """All tokens in `data`, of every confidence, in order."""
    finder = Finder()
    return finder.feed(data) + finder.close()


def redact(data: bytes) -> bytes:
    """`data` with every token, in whatever encoding it stands, replaced by `[JWT ` and 8 hex of its
    SHA-256 and `]`.
    """
    redactor = Redactor()
    return redactor.feed(data) + redactor.close()


def alert(
    finding: Finding, *, now: float, key: bytes, path: str | None = None, name: str = "0" * 40
) -> Alert:
    """The alert for `finding` as at `now` (Unix seconds). `key` keys the HMAC that stands for
    `sub`; `name` is the alert's id, 40 hex characters.
    """
    alert_context = AlertContext(now, None, key, load_tables=load_tables)
    return Builder(StreamInfo("file" if path else "stdin", path), alert_context).build(
        finding, name
    )
