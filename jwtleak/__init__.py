"""jwtleak finds JSON Web Tokens that leak into logs and files, and never prints one.

As a library:

    import jwtleak

    for alert in jwtleak.scan_path("/var/log"):   # what `jwtleak scan` writes
        print(alert.severity, alert.location.path, alert.excerpt)

    for alert in jwtleak.scan_bytes(archive):     # the same for bytes in memory
        print(alert.location.member)

    for finding in jwtleak.scan(data):            # plain bytes in, findings out
        print(finding.offset, finding.channel.type, finding.excerpt)

    finder = jwtleak.Finder()                     # the same in pieces
    findings = finder.feed(chunk) + finder.close()

    clean = jwtleak.redact(data)                  # every token replaced by [JWT 78b91dd3]
    redactor = jwtleak.Redactor()                 # in pieces: feed, flush after a silence, close
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from jwtleak.version import __version__

if TYPE_CHECKING:
    from jwtleak.api import (
        ArchiveLimits,
        Finder,
        Finding,
        JwtleakError,
        Notice,
        Occurrence,
        Options,
        Redactor,
        alert,
        redact,
        scan,
        scan_bytes,
        scan_path,
    )

__all__ = [
    "ArchiveLimits",
    "Finder",
    "Finding",
    "JwtleakError",
    "Notice",
    "Occurrence",
    "Options",
    "Redactor",
    "__version__",
    "alert",
    "redact",
    "scan",
    "scan_bytes",
    "scan_path",
]


def __getattr__(name: str) -> object:
    # Loaded on first use: the command line asks for the version without paying for the engine.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("jwtleak.api"), name)
