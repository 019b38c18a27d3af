"""What belongs to this installation: where its state is kept, and the key under which subjects are named without naming
them.

Promises: the key is made once, mode 0600, kept in the state directory; of two first runs at once both use the key of one;
where it cannot be kept, a key for this run only.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

_KEY_BYTES = 32


def state_dir() -> Path:
    """XDG_STATE_HOME/jwtleak (XDG Base Directory specification); without the variable, root has a place for services."""
    base = os.environ.get("XDG_STATE_HOME")
    if not base:
        base = "/var/lib" if os.geteuid() == 0 else os.path.expanduser("~/.local/state")
    return Path(base) / "jwtleak"


def subject_key(directory: Path | None = None) -> tuple[bytes, bool]:
    """(The key that is kept in `directory`, whether it will be the same next time)."""
    path = (directory or state_dir()) / "subject.key"
    kept = _read(path)
    if kept is None:
        key = secrets.token_bytes(_KEY_BYTES)
        with suppress(OSError):
            _keep(path, key)
        kept = _read(path)
        if kept is None:
            return key, False
    return kept, True


def _read(path: Path) -> bytes | None:
    try:
        kept = path.read_bytes()
    except OSError:
        return None
    return kept if len(kept) == _KEY_BYTES else None


def _keep(path: Path, key: bytes) -> None:
    """Write beside and link into place, unless another run was faster: its key is whole, and is the one to use."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)
        except FileExistsError:
            if _read(path) is None:  # damaged
                os.replace(part, path)
        except OSError:  # a file system without links
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
