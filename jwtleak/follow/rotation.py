"""How rotated files are named.

Promises: pure; only names of the usual shapes (number, date, time, with or without a compression's suffix) count as a
generation of a log, so that `error.log.example` is never read because `error.log` is followed.
"""

from __future__ import annotations

import re

_SUFFIX = r"(?:\.(?:gz|xz|bz2|zst|zstd|lz4|Z))?"
_STAMP = r"[.\-_]?\d[\d.\-_:TZ]*(?:[.\-](?:old|bak))?|\.(?:old|bak|prev|save)"
_MIDDLE = re.compile(rf"(.+?)(?:{_STAMP})(\.[A-Za-z]\w*){_SUFFIX}")
_REST = re.compile(rf"(?:{_STAMP}){_SUFFIX}|\.(?:gz|xz|bz2|zst|zstd|lz4)")


def bases(name: str) -> list[str]:
    """The names that `name` may be a generation of."""
    found = [name[:end] for end in range(1, len(name)) if is_generation(name[:end], name)]
    middle = _MIDDLE.fullmatch(name)
    if middle and is_generation(middle[1] + middle[2], name):
        found.append(middle[1] + middle[2])
    return found


def is_generation(base: str, name: str) -> bool:
    """Whether `name` is what a rotation makes of `base`: `a.log.1`, `a.log-20260101.gz`, `a-2026-01-01.log`, `a.1.log`."""
    if name == base:
        return False
    if name.startswith(base):
        return _REST.fullmatch(name, len(base)) is not None
    stem, dot, extension = base.rpartition(".")
    if not dot or not stem or not name.startswith(stem):
        return False
    # The stamp before the extension, as log4j and logrotate's `extension` write it.
    middle = re.fullmatch(rf"(?:{_STAMP})\.{re.escape(extension)}{_SUFFIX}", name[len(stem) :])
    return middle is not None
