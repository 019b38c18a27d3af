"""jwtleak finds JSON Web Tokens that leak into logs and files, and never prints one.

As a library:

    import jwtleak

    for finding in jwtleak.scan(data):                  # bytes in, findings out
        print(finding.offset, finding.channel.type, finding.excerpt)

    finder = jwtleak.Finder()                           # the same in pieces
    findings = finder.feed(chunk) + finder.close()

    clean = jwtleak.redact(data)                        # every token replaced by [JWT 78b91dd3]
    redactor = jwtleak.Redactor()                       # the same in pieces: feed, flush after a silence, close
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from jwtleak.version import __version__

if TYPE_CHECKING:
    from jwtleak.api import Finder, Redactor, alert, redact, scan
    from jwtleak.types import Finding

__all__ = ["Finder", "Finding", "Redactor", "__version__", "alert", "redact", "scan"]


def __getattr__(name: str) -> object:
    # Loaded on first use: the command line asks for the version without paying for the engine.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("jwtleak.api"), name)
