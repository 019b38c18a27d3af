"""The program's voice: everything for people goes to stderr, as `jwtleak: error: ...`, lower case,
no full stop.

Promises: nothing that a log, an argument or a file name contains can move the cursor, hide text, or
show a token.
"""

from __future__ import annotations

import os
import sys

from jwtleak.core.sanitize import clean

# A message is a line or two; a longer one comes from something that was read.
_MAX_MESSAGE = 1000
# The shortest header is `eyJhbGciOiIifQ`: a shorter message holds no token, and `--version` need
# not load the scanner.
_SHORT = 14


def say(text: str) -> None:
    """One plain line."""
    print(f"jwtleak: {_safe(text)}", file=sys.stderr)


def error(text: str) -> None:
    """What went wrong."""
    say(f"error: {text}")


def warning(text: str) -> None:
    """What was not as it should be, though work went on."""
    say(f"warning: {text}")


def hint(text: str) -> None:
    """What to try."""
    say(f"hint: {text}")


def _safe(text: str) -> str:
    encoding = sys.stderr.encoding or "ascii"
    if len(text) > _SHORT:
        from jwtleak.core.redaction import redact_text

        text = redact_text(text)
    return clean(text, _MAX_MESSAGE).encode(encoding, "replace").decode(encoding)


def forget_stdout() -> None:
    """The reader of standard output went away: nothing more may be flushed to it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
