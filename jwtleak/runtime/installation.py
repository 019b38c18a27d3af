"""What belongs to this installation: the key under which subjects are named without naming them.

Promises: made once, mode 0600, kept in the user's state directory; where it cannot be kept, a key for this run only.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

_KEY_BYTES = 32


def state_dir() -> Path:
    """XDG_STATE_HOME/jwtleak (XDG Base Directory specification)."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(base) / "jwtleak"


def subject_key() -> tuple[bytes, bool]:
    """(The key, whether it will be the same next time)."""
    path = state_dir() / "subject.key"
    try:
        kept = path.read_bytes()
        if len(kept) == _KEY_BYTES:
            return kept, True
    except OSError:
        pass
    key = secrets.token_bytes(_KEY_BYTES)
    return key, _keep(path, key)


def _keep(path: Path, key: bytes) -> bool:
    """Write beside and link into place: of two first runs at once, one wins and the other reads it next time."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError:
        return False
    return True
