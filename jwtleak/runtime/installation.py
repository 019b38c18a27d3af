"""What belongs to this installation: the key under which subjects are named without naming them.

Promises: made once, mode 0600, kept in the user's state directory; of two first runs at once both use the key of one;
where it cannot be kept, a key for this run only.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

_KEY_BYTES = 32


# Where the state of programs that belong to the system is kept (File Hierarchy Standard 3.0, section 5.8).
_SYSTEM = Path("/var/lib/jwtleak")


def state_dir() -> Path:
    """XDG_STATE_HOME/jwtleak (XDG Base Directory specification); without that variable, root's is the system's."""
    base = os.environ.get("XDG_STATE_HOME")
    if not base and hasattr(os, "geteuid") and os.geteuid() == 0:
        return _SYSTEM
    return Path(base or os.path.expanduser("~/.local/state")) / "jwtleak"


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
