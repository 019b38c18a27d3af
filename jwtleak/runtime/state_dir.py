"""What belongs to this installation: the directory of its state, and the key under which alerts
name subjects without showing them.

Promises: the key is made once, mode 0600, in the state directory; if two first runs start at once,
both use the same key; if it cannot be stored, a key is made for this run only.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_KEY_BYTES = 32


def state_dir() -> Path:
    """XDG_STATE_HOME/jwtleak (XDG Base Directory specification). Without the variable, root uses
    the directory of services.
    """
    from pathlib import Path  # costs a tenth of the start of `scan`, which mostly needs none

    return Path(_directory())


def _directory() -> str:
    base = os.environ.get("XDG_STATE_HOME")
    if not base:
        base = "/var/lib" if os.geteuid() == 0 else os.path.expanduser("~/.local/state")
    return os.path.join(base, "jwtleak")


def subject_key(directory: str | Path | None = None) -> tuple[bytes, bool]:
    """(The key of `directory`, whether the next run will have the same)."""
    path = os.path.join(directory or _directory(), "subject.key")
    kept = _read(path)
    if kept is None:
        key = os.urandom(_KEY_BYTES)
        with suppress(OSError):
            _keep(path, key)
        kept = _read(path)
        if kept is None:
            return key, False
    return kept, True


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            kept = file.read()
    except OSError:
        return None
    return kept if len(kept) == _KEY_BYTES else None


def _keep(path: str, key: bytes) -> None:
    """Store the key, unless another run was faster."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    # Written beside and then linked: a reader never sees half a key.
    part = f"{path}.{os.urandom(8).hex()}"
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)
        except FileExistsError:
            if _read(path) is None:  # not a race: the file is damaged
                os.replace(part, path)
        except OSError:  # a file system without links
            os.replace(part, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(part)
